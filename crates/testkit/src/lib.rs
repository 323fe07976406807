//! What tests need: fresh databases of both kinds, and callers at both doors.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "a test may panic"
)]

mod caller;
mod database;
mod nats;
mod postgres;
mod power;
mod schema;

use rand::SeedableRng;
pub use rand::rngs::StdRng;

pub use caller::{Answer, Caller, json, problem};
pub use database::{Database, postgres_url};
pub use nats::{Nats, nats_url};
pub use postgres::Server;
pub use power::PowerCut;
pub use schema::columns;

/// A length or a seed that whoever runs the tests may set, and what it is when they do not.
#[expect(clippy::disallowed_methods, reason = "tests are told how long to run by the environment")]
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |it| it.parse().expect(name))
}

/// Chance for a test: another each time, told in its output, and had again by `HEADWAY_SEED`.
pub fn chance() -> StdRng {
    let fresh = u64::try_from(rpc::new_id().as_u128() & 0xFFFF_FFFF).unwrap_or_default();
    let seed = setting("HEADWAY_SEED", fresh);
    println!("HEADWAY_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

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
