//! The doors: the contract's messages turned into commands, and projects into its messages.

mod answer;
mod doors;
mod parse;
mod request;
