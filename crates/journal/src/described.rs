//! The form of every type of event the log holds, kept in the log's own database: whoever finds it in twenty years can
//! read it without this program.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use db::{Tx, on};
use rpc::Result;

use crate::{Recorded, kind::event_type};

/// The types known to be described in the database.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described(Arc<Mutex<HashSet<&'static str>>>);

impl Described {
    /// Describes the types of events just recorded, unless they are described already.
    pub(crate) async fn note(&self, tx: &mut Tx, events: &[Recorded]) -> Result<()> {
        for event in events {
            let it = event_type(&event.kind)?;
            let name = it.message.full_name();
            if self.known().contains(name) {
                continue;
            }
            let written = on!(&mut *tx, |c| sqlx::query(
                "INSERT INTO event_type (type, sha256, descriptors, first_position)
                 VALUES ($1, $2, $3, $4) ON CONFLICT (type, sha256) DO NOTHING"
            )
            .bind(name)
            .bind(it.sha256.as_slice())
            .bind(&it.descriptors)
            .bind(event.position)
            .execute(c)
            .await?
            .rows_affected());
            // What has just been written may yet be rolled back: only what was there is remembered.
            if written == 0 {
                self.known().insert(name);
            }
        }
        Ok(())
    }

    pub(crate) fn knows(&self, kind: &str) -> bool {
        self.known().contains(kind)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<&'static str>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
