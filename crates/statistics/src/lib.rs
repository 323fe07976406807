//! Statistics that decide what is shown and what is said: pure functions of numbers.

mod suppression;
mod xmr;

pub use suppression::suppressed;
pub use xmr::{Limits, Rule, Side, detect};
