//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    command::{bench, client, demo, import, journal, keys, pseudonyms, serve},
    config::{Overrides, Service},
};

/// Headway: the improvement platform for multi-academy trusts
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the services
    Serve {
        /// Address to listen on; port 0 takes a free one
        #[arg(long, env = "HEADWAY_LISTEN", value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Run only this service; [peers] in the settings says where the others are
        #[arg(long, value_enum)]
        only: Option<Service>,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Run the services with a demonstration trust, and keep its registers coming
    Demo {
        /// Address to listen on; port 0 takes a free one
        #[arg(long, env = "HEADWAY_LISTEN", value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Print one JSON line once ready: url, trustId, urn, feedId; vendor and admin, each with client id, secret and
        /// a token of an hour
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Bring files in
    #[command(subcommand)]
    Import(Import),
    /// Manage clients and their secrets
    #[command(subcommand)]
    Client(client::Client),
    /// Manage the keys that sign tokens
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Examine the journals
    #[command(subcommand)]
    Journal(Journal),
    /// The keys that ids of pupils and staff are hashed with
    #[command(subcommand)]
    Pseudonyms(pseudonyms::Command),
    /// Measure this machine
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Debug, Subcommand)]
enum Import {
    /// A file of the national register, as GIAS publishes it
    Gias {
        file: PathBuf,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Files of records into a feed of a running server; fails when any is rejected
    Records(import::Plan),
}

#[derive(Debug, Subcommand)]
enum Journal {
    /// Make the tables of each service again from its journal, and prove them equal to what there was
    ///
    /// Beside the service, which goes on meanwhile, unless told otherwise.
    Rebuild {
        /// Only this service's
        #[arg(long, value_enum)]
        service: Option<Service>,
        /// In the service's own database, in one transaction: its writers wait
        #[arg(long)]
        in_place: bool,
        /// Keep what the journal makes also where a table strayed from it
        #[arg(long, requires = "in_place")]
        accept: bool,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Check each journal against its tree and checkpoints, replay it from nothing, and compare the tables
    Verify {
        /// Only this service's
        #[arg(long, value_enum)]
        service: Option<Service>,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Print the proof that an event is in the log, as JSON that others can check
    Prove {
        /// Whose journal
        #[arg(long, value_enum)]
        service: Service,
        /// The event, by its id
        #[arg(long, value_name = "ID", required_unless_present = "position")]
        event: Option<uuid::Uuid>,
        /// The event, by its position in the log
        #[arg(long, value_name = "N", conflicts_with = "event")]
        position: Option<u64>,
        /// Size of the checkpoint to prove against (default: the newest)
        #[arg(long, value_name = "N")]
        size: Option<u64>,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Print a journal with its checkpoints and keys, one JSON object a line
    Export {
        /// Whose journal
        #[arg(long, value_enum)]
        service: Service,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Make a new key for signing checkpoints, and list all keys
    RotateKey {
        /// Sign with the new key alone: the old one is not to be trusted any more
        #[arg(long)]
        alone: bool,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Streams that a service set aside because an event of another could not be applied
    #[command(subcommand)]
    Parked(Parked),
}

#[derive(Debug, Subcommand)]
enum Parked {
    /// List streams that were set aside, with the reason
    List {
        #[command(flatten)]
        settings: Overrides,
    },
    /// Apply a stream's events from the parked one on, all or none, and let it go on
    Replay {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        settings: Overrides,
    },
    /// Pass over exactly one event; what waits behind it stays parked until it is replayed
    Skip {
        #[command(flatten)]
        which: Which,
        /// Position of the event, as the list shows it
        #[arg(long)]
        position: u64,
        #[command(flatten)]
        settings: Overrides,
    },
}

/// One parked stream, and why something is done about it
#[derive(Clone, Debug, Args)]
pub(crate) struct Which {
    /// The service that follows
    #[arg(long, value_enum)]
    pub(crate) service: Service,
    /// The service whose journal it follows
    #[arg(long, value_enum)]
    pub(crate) source: Service,
    /// The stream, as the list shows it
    #[arg(long)]
    pub(crate) stream: String,
    /// Why: recorded in the journal of the service that follows
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Durable events: ours beside message-db's and beside the bare disk
    Journal {
        /// PostgreSQL, to measure there too; a database is made on it and removed
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Folder with message-db's SQL (default: fetched from the npm registry)
        #[arg(long, value_name = "DIR")]
        message_db: Option<PathBuf>,
        /// Seconds of each run
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Rounds, of which the medians are shown
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Guarded transitions of each round
        #[arg(long, default_value_t = 8192, value_parser = clap::value_parser!(u32).range(256..))]
        transitions: u32,
    },
    /// Start over existing data: time until ready, and memory when idle
    Start {
        #[command(flatten)]
        settings: Overrides,
    },
    /// Subscribers' lag behind commit, and a subscriber that was stopped for a long time
    Subscribe {
        /// Events a second
        #[arg(long, default_value_t = 1000)]
        rate: u32,
        /// How long to write at that rate
        #[arg(long, default_value_t = 10)]
        seconds: u32,
        /// Events committed while the stopped subscriber is away
        #[arg(long, default_value_t = 100_000)]
        away: u32,
        /// PostgreSQL to use instead of an SQLite file in a temporary folder
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// NATS server with JetStream; without it that way is not measured
        #[arg(long, env = "HEADWAY_NATS_URL", value_name = "URL")]
        nats_url: Option<String>,
    },
    /// England's morning: every school's register over REST, beside COPY of the same marks
    Ingest(bench::ingest::Plan),
    /// Registers of 30 marks over REST: time to acknowledgement
    Register {
        /// Registers to push
        #[arg(long, default_value_t = 2000)]
        registers: u32,
        /// Pushed at the same time
        #[arg(long, default_value_t = 8)]
        callers: u32,
        /// Measure what authentication, authorisation and tenancy cost: rounds with and without them, in turn
        #[arg(long, value_name = "ROUNDS")]
        access: Option<u32>,
        /// PostgreSQL to use instead of SQLite files in a temporary folder
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
    /// Audit the journal's order: 8 writers in 2 processes, and a reader that follows; fails when it does not hold
    Order {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// PostgreSQL to use instead of an SQLite file in a temporary folder
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Audit a table ordered by a sequence instead, which must be found out
        #[arg(long)]
        plain: bool,
    },
    /// One of the processes of the order audit
    #[command(hide = true)]
    OrderWriters {
        #[arg(long)]
        url: String,
        #[arg(long)]
        seconds: u64,
        #[arg(long)]
        process: u32,
        #[arg(long)]
        plain: bool,
    },
    /// A long log: how fast it grows, what it weighs, what proofs and verifying cost
    Long {
        #[arg(long, default_value_t = 1_000_000)]
        events: u32,
        /// Appending at the same time
        #[arg(long, default_value_t = 256)]
        callers: u32,
        /// PostgreSQL to use instead of an SQLite file in a temporary folder
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
    /// Append with and without a long snapshot open elsewhere, and say what it costs
    Snapshot {
        /// How long each snapshot is held; it is appended as long without
        #[arg(long, default_value_t = 600)]
        seconds: u64,
        #[arg(long, default_value_t = 1)]
        rounds: usize,
        /// PostgreSQL to use instead of an SQLite file in a temporary folder
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
    },
}

impl Cli {
    /// Does what was asked.
    pub async fn run(self) -> Result<()> {
        match self.command {
            Command::Serve { listen, only, settings } => serve::run(&settings, listen, only).await,
            Command::Demo { listen, json, settings } => demo::run(&settings, listen, json).await,
            Command::Import(Import::Gias { file, settings }) => {
                import::gias(&settings, &file).await
            }
            Command::Import(Import::Records(plan)) => import::records(plan).await,
            Command::Client(client) => client.run().await,
            Command::Keys(keys) => keys.run(),
            Command::Journal(Journal::Rebuild { service, in_place, accept, settings }) => {
                let way =
                    if in_place { journal::Way::InPlace { accept } } else { journal::Way::Beside };
                journal::rebuild(&settings, service, way).await
            }
            Command::Journal(Journal::Verify { service, settings }) => {
                journal::verify(&settings, service).await
            }
            Command::Journal(Journal::Prove { service, event, position, size, settings }) => {
                journal::prove(&settings, service, event, position, size).await
            }
            Command::Journal(Journal::Export { service, settings }) => {
                journal::export(&settings, service).await
            }
            Command::Journal(Journal::RotateKey { alone, settings }) => {
                journal::rotate_key(&settings, alone)
            }
            Command::Journal(Journal::Parked(Parked::List { settings })) => {
                journal::parked::list(&settings).await
            }
            Command::Journal(Journal::Parked(Parked::Replay { which, settings })) => {
                journal::parked::replay(&settings, which).await
            }
            Command::Journal(Journal::Parked(Parked::Skip { which, position, settings })) => {
                journal::parked::skip(&settings, which, position).await
            }
            Command::Pseudonyms(command) => pseudonyms::run(command).await,
            Command::Bench(bench) => bench.run().await,
        }
    }
}

impl Bench {
    async fn run(self) -> Result<()> {
        match self {
            Self::Start { settings } => bench::start(&settings).await,
            Self::Long { events, callers, database_url } => {
                bench::long::run(events, callers, database_url).await
            }
            Self::Subscribe { rate, seconds, away, database_url, nats_url } => {
                let plan = bench::subscribe::Plan { rate, seconds, away, database_url, nats_url };
                bench::subscribe::run(plan).await
            }
            Self::Journal { database_url, message_db, seconds, rounds, transitions } => {
                let plan =
                    bench::journal::Plan { database_url, message_db, seconds, rounds, transitions };
                bench::journal::run(plan).await
            }
            Self::Ingest(plan) => bench::ingest::run(plan).await,
            Self::Register { registers, callers, access, database_url } => {
                bench::register::run(registers, callers, access, database_url).await
            }
            Self::Order { seconds, database_url, plain } => {
                bench::order::audit(seconds, database_url, plain).await
            }
            Self::OrderWriters { url, seconds, process, plain } => {
                bench::order::write(&url, seconds, process, plain).await
            }
            Self::Snapshot { seconds, rounds, database_url } => {
                bench::snapshot::measure(seconds, rounds, database_url).await
            }
        }
    }
}
