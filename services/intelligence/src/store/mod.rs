//! Every SQL statement of this service, one file per table.

pub(crate) mod batch;
pub(crate) mod cell;
pub(crate) mod change;
pub(crate) mod event;
pub(crate) mod fact;
pub(crate) mod feed;
pub(crate) mod mapping;
pub(crate) mod parked;
#[cfg(test)]
pub(crate) mod plain;
pub(crate) mod privacy;
pub(crate) mod pupil;
mod range;
pub(crate) mod register;
pub(crate) mod roll;
pub(crate) mod school;
pub(crate) mod signal;
pub(crate) mod snapshot;
pub(crate) mod tally;
pub(crate) mod unit;
pub(crate) mod week;
pub(crate) mod work;

use rpc::{Error, Result};

pub(crate) use self::range::Range;
use crate::domain::Hash;

/// Rows that one statement of SQLite stores: each statement wakes the thread that runs it, and has 32,766 parameters at most.
const ROWS: usize = 1_000;

/// A column that holds a hash.
fn hash(column: Vec<u8>) -> Result<Hash> {
    Hash::try_from(column).map_err(|_| Error::internal("a hash has 16 bytes"))
}
