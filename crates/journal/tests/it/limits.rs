//! What happens at the limits: more callers than there is room for, a process that freezes, a disk that is full.

use std::time::{Duration, Instant};

use db::{Db, Options};
use journal::Journal;
use rand::RngExt;
use rpc::{Ctx, Reason};
use sqlx::{Connection, Executor, PgConnection};
use testkit::{Database, Server, setting};

use crate::notes::{Notes, count, draft, migrations, open, write};

testkit::both!(twice_the_capacity_is_refused_in_part_and_leaves_nothing_behind);

/// Callers at the same time: twice what may wait.
const CALLERS: u64 = 2048;

/// Seconds under load: 600 is the full length.
fn length() -> Duration {
    Duration::from_secs(setting("HEADWAY_SOAK_SECONDS", 3))
}

/// Refused callers are told when to come back; memory stays as it is; of those who hang up nothing is lost or doubled.
/// threat: T-QUEUE
async fn twice_the_capacity_is_refused_in_part_and_leaves_nothing_behind(database: Database) {
    let journal = open(&database, "notes").await;
    let started = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(call(journal.clone(), caller, started + length()));
    }
    // Half of the time to reach the level, the other half to stay there.
    tokio::time::sleep(length() / 2).await;
    let level = resident_kib();
    let counts = callers.join_all().await;
    let grown = resident_kib().saturating_sub(level);
    let sum = |of: fn(&Counts) -> u64| counts.iter().map(of).sum::<u64>();
    let (done, refused, left) = (sum(|it| it.done), sum(|it| it.refused), sum(|it| it.left));
    println!("{done} done, {refused} refused, {left} hung up; grew by {grown} KiB from {level}");
    assert!(refused > 0, "twice the capacity is too much for somebody");
    assert!(grown < 32 * 1024, "memory grew by {grown} KiB from {level}");

    // A queue in order of arrival: once this one is answered, all before it are done.
    write(&journal, &Ctx::system("test"), draft(1, "note/last", 1, "x")).await.unwrap();
    let (events, flaws) = journal::verify(&journal).await.unwrap();
    assert_eq!(flaws, []);
    assert_eq!(count(journal.db()).await, events);
    let events = u64::try_from(events).unwrap();
    assert!((done + 1..=done + left + 1).contains(&events), "{events} events of {done} and {left}");
}

#[derive(Default)]
struct Counts {
    done: u64,
    refused: u64,
    left: u64,
}

async fn call(journal: Journal, caller: u64, until: Instant) -> Counts {
    let ctx = Ctx::system("test");
    let mut counts = Counts::default();
    for number in 0_u64.. {
        if Instant::now() > until {
            break;
        }
        let stream = format!("note/{caller}-{number}");
        let append = journal.append(&ctx, draft(u128::from(caller % 5), &stream, 1, "x"));
        if (caller + number).is_multiple_of(16) {
            // Hangs up at once, or a little later.
            let patience = Duration::from_millis(number % 3);
            match tokio::time::timeout(patience, append).await {
                Ok(Ok(_)) => counts.done += 1,
                Ok(Err(_)) => counts.refused += 1,
                Err(_) => counts.left += 1,
            }
            continue;
        }
        match append.await {
            Ok(_) => counts.done += 1,
            Err(error) => {
                assert_eq!(error.reason, Reason::Overloaded);
                let wait = error.retry_after().expect("it says when to come back");
                counts.refused += 1;
                tokio::time::sleep(wait.min(Duration::from_millis(20))).await;
            }
        }
    }
    counts
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    line.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// A process that freezes while it holds the log's lock is cut off, and the others go on.
/// threat: T-FROZEN
#[tokio::test]
async fn a_frozen_process_holds_nobody_up_for_long() {
    let database = Database::postgres().await;
    let stall = Duration::from_millis(700);
    let options = Options { stall, ..Options::default() };
    let url = database.url("notes");
    let [frozen, other] = [0, 1].map(|_| Db::open(&url, "notes", migrations(), options));
    let [frozen, other] = [frozen.await.unwrap(), other.await.unwrap()];
    let mut held = frozen.begin().await.unwrap();
    journal::lock(&mut held).await.unwrap();

    let journal = Journal::open("notes", other, Notes);
    let asked = Instant::now();
    write(&journal, &Ctx::system("test"), draft(1, "note/1", 1, "x")).await.unwrap();
    let waited = asked.elapsed();
    assert!(waited > stall / 2 && waited < 2 * stall, "waited {waited:?}");
    assert!(held.commit().await.is_err(), "the frozen one finds itself cut off");
}

/// The tables lie on a file system of a few megabytes, which fills up. Needs the right to mount one.
/// threat: T-FULL-DISK
#[tokio::test]
async fn a_full_disk_is_told_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        println!("skipped: a small file system cannot be mounted here");
        return;
    };
    let server = Server::start(&[]).await;
    let url = format!("{}/small", server.url());
    let mut admin = PgConnection::connect(&format!("{}/postgres", server.url())).await.unwrap();
    let place = format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.display());
    admin.execute(sqlx::AssertSqlSafe(place)).await.unwrap();
    admin.execute("CREATE DATABASE small TABLESPACE small").await.unwrap();
    let db = Db::open(&url, "notes", migrations(), Options::default()).await.unwrap();
    let journal = Journal::open("notes", db, Notes);
    let ctx = Ctx::system("test");
    let name = noise(100_000);
    let mut written = 0;
    let error = loop {
        match write(&journal, &ctx, draft(1, &format!("note/{written}"), 1, &name)).await {
            Ok(position) => written = position,
            Err(error) => break error,
        }
        assert!(written < 1000, "the disk never filled");
    };
    assert_eq!(error.reason, Reason::StorageFull, "{error:?}");
    assert_eq!(count(journal.db()).await, written);
    assert_eq!(journal::verify(&journal).await.unwrap(), (written, vec![]));
    // Room again: it goes on where it was.
    disk.grow();
    let position = write(&journal, &ctx, draft(1, "note/after", 1, "x")).await.unwrap();
    assert_eq!(position, written + 1);
    journal.db().close().await;
    drop(admin);
    drop(server);
}

/// What no database can compress.
fn noise(length: usize) -> String {
    testkit::chance().sample_iter(rand::distr::Alphanumeric).take(length).map(char::from).collect()
}

/// A file system in memory with little room, unmounted when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(at: &std::path::Path) -> Option<Self> {
        let run = |program: &str, arguments: &[&str]| {
            let mut command = std::process::Command::new(program);
            command.args(arguments).arg(at).stderr(std::process::Stdio::null());
            command.status().is_ok_and(|it| it.success())
        };
        if !run("mount", &["-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs"]) {
            return None;
        }
        run("chown", &["postgres"]);
        Some(Self(at.to_owned()))
    }

    fn grow(&self) {
        let mut mount = std::process::Command::new("mount");
        assert!(mount.args(["-o", "remount,size=64m"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}
