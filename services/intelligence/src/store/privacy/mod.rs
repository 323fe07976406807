//! What is kept about personal data: erasures, holds, retention, reads, and what counts of whom nothing else is kept.

pub(crate) mod erasure;
pub(crate) mod event;
pub(crate) mod hold;
pub(crate) mod pseudonym;
pub(crate) mod read;
pub(crate) mod remainder;
pub(crate) mod retention;
