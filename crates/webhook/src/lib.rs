//! Telling a URL of somebody else's, as Standard Webhooks has it: which URLs may be told, how messages are signed, how
//! they are sent, and when a failed one is tried again.
//!
//! The URL comes from a caller and is called from inside, so it is not trusted: nothing but a public address is ever
//! connected to, whatever a name resolves to at that moment (server-side request forgery, DNS rebinding).

mod address;
mod schedule;
mod send;
mod sign;
mod target;

pub use address::is_public;
pub use schedule::{GIVEN_UP_AFTER, LONGEST_PAUSE, wait};
pub use send::{Message, Outcome, Sender};
pub use sign::{Keys, Pair};
pub use target::{Policy, Target};
