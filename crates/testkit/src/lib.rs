//! What tests need: fresh databases of both kinds, and callers at both doors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a test may panic"
)]

mod caller;
mod database;
mod postgres;
mod schema;

pub use caller::{Answer, Caller, json, problem};
pub use database::{Database, postgres_url};
pub use postgres::Server;
pub use schema::columns;

/// Runs each test once per database, as `sqlite::name` and `postgres::name`.
///
/// A test is `async fn name(database: testkit::Database)`.
#[macro_export]
macro_rules! both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::Database::sqlite()).await })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::Database::postgres().await).await })+
        }
    };
}
