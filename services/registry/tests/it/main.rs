//! The registry through its public doors, on both databases.

mod world;

mod files;
mod journeys;
mod refusals;
mod register;
mod schema;
mod schools;
mod trusts;
