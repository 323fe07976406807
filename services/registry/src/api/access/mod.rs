//! The doors of access: clients, grants, identity providers, and the directory of them that services read.

mod convert;
mod doors;
mod form;
mod oauth;
mod show;

pub use doors::AccessDoors;
pub use oauth::Oauth;
