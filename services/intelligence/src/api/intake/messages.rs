//! A stream of the contract's messages.

use contract::intelligence as pb;
use prost::Message;
use rpc::{Error, Reason, Result};

use super::cut::Cutter;
use crate::domain::{Format, Part, RECORD_BYTES, Sizes};

/// Cuts a stream of records.
#[derive(Debug)]
pub(in crate::api) struct Messages {
    cutter: Cutter,
    records: u64,
}

impl Messages {
    pub(in crate::api) fn new(sizes: Sizes) -> Self {
        Self { cutter: Cutter::new(Format::Messages, sizes), records: 0 }
    }

    /// Takes the next records; gives the parts that they complete.
    pub(in crate::api) fn take(&mut self, records: &[pb::Record]) -> Result<Vec<Part>> {
        for record in records {
            self.records += 1;
            if record.encoded_len() > RECORD_BYTES {
                let detail = format!(
                    "a record may have at most {RECORD_BYTES} bytes; record {} has more",
                    self.records
                );
                return Err(Error::new(Reason::BodyTooLarge, detail));
            }
            self.cutter.add(self.records, 0, &record.encode_length_delimited_to_vec())?;
        }
        Ok(self.cutter.ready())
    }

    pub(in crate::api) fn end(self) -> Vec<Part> {
        self.cutter.end()
    }
}

/// The records of a part.
pub(in crate::api) fn records(mut bytes: &[u8]) -> Result<Vec<pb::Record>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        records.push(pb::Record::decode_length_delimited(&mut bytes).map_err(Error::internal)?);
    }
    Ok(records)
}
