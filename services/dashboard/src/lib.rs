//! The board page: one page on which trustees see every school against every core measure, what has changed beyond
//! chance, where each school is on its journey, and what is being done about it.
//!
//! It is a client of the three services like any other and keeps nothing. It works whole without scripts; with them it
//! follows the journals and changes under the reader's eyes without losing their place.

mod board;
mod live;
mod page;
mod read;
mod view;

pub use board::{Board, Peers};
pub use page::page;
pub use view::{Journal, Section, Tail, View};
