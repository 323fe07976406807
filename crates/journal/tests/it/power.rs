//! What was acknowledged survives a power cut, once, in its place; a build that answers before the flush is caught.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use contract::registry::TrustCreated;
use db::{Db, Options, Tx};
use futures::future::BoxFuture;
use journal::{Draft, Filter, Journal, Projection, Recorded};
use rand::RngExt;
use rpc::Ctx;
use testkit::{PowerCut, Server, StdRng, setting};
use uuid::Uuid;

/// No state beside the log.
struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, rpc::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Builds the appender; without the flush it is another program, so that neither overwrites the other.
fn appender(flushed: bool) -> PathBuf {
    let (name, features) =
        if flushed { ("appender", "") } else { ("appender_no_flush", "journal/no-flush") };
    // The whole workspace, so that what we depend on is built as it was for the tests, and not again.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--example", name, "--features", features])
        .status();
    assert!(built.unwrap().success());
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().join("examples").join(name)
}

/// What the appender said, over all rounds.
#[derive(Default)]
struct Said {
    asked: HashMap<Uuid, Draft>,
    acknowledged: BTreeMap<i64, (Uuid, i64)>,
    /// Up to where the log was compared with that, and how far each trust was then.
    compared: i64,
    trusts: HashMap<Uuid, i64>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["?", id, trust_id, stream, version, name] => {
                let note = TrustCreated { name: name.to_owned(), ..TrustCreated::default() };
                let [id, trust_id] = [id, trust_id].map(|it| Uuid::try_parse(it).unwrap());
                let draft = Draft::new(id, trust_id, stream, version.parse().unwrap(), &note);
                self.asked.insert(id, draft);
            }
            ["+", id, position, trust_position] => {
                let id = Uuid::try_parse(id).unwrap();
                self.acknowledge(id, position.parse().unwrap(), trust_position.parse().unwrap());
            }
            // The line it was killed in.
            _ => {}
        }
    }

    fn acknowledge(&mut self, id: Uuid, position: i64, trust_position: i64) {
        assert!(self.asked.remove(&id).is_some(), "{id} was acknowledged and not asked");
        let before = self.acknowledged.insert(position, (id, trust_position));
        assert_eq!(before, None, "position {position} was given twice");
    }
}

/// A machine that runs the appender, and loses power.
enum Machine {
    Sqlite { folder: tempfile::TempDir, disk: PowerCut },
    Postgres(Server),
}

impl Machine {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = PowerCut::over(folder.path());
        Self::Sqlite { folder, disk }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite { folder, .. } => {
                let folder = folder.path().canonicalize().unwrap();
                format!("sqlite:{}", folder.join("power.db").display())
            }
            Self::Postgres(server) => format!("{}/postgres", server.url()),
        }
    }

    /// Runs the appender for a while, and cuts the power.
    async fn run(&mut self, appender: &PathBuf, said: &mut Said, chance: &mut StdRng) {
        let mut command = Command::new(appender);
        command.args([&self.url(), "8"]).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Self::Sqlite { disk, .. } = self {
            command.envs(disk.environment());
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (started, begun) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            // Nobody listens after the first line.
            lines.inspect(|_| started.send(()).unwrap_or_default()).collect()
        });
        begun.recv_timeout(Duration::from_mins(1)).expect("the appender appends");
        tokio::time::sleep(Duration::from_millis(chance.random_range(1..250))).await;
        if let Self::Postgres(server) = self {
            server.kill();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let lines: Vec<String> = reader.join().unwrap();
        for line in &lines {
            said.hear(line);
        }
        match self {
            Self::Sqlite { disk, .. } => disk.strike(chance),
            Self::Postgres(server) => server.restart().await,
        }
    }

    fn settle(&self) {
        if let Self::Sqlite { disk, .. } = self {
            disk.settle();
        }
    }
}

/// Looks for everything that was promised since the last look, or ever; says what is missing or out of place.
async fn audit(journal: &Journal, said: &mut Said, ever: bool) -> Result<(), String> {
    if ever {
        let flaws = journal::verify(journal).await.map_err(|it| format!("{it:?}"))?.1;
        if !flaws.is_empty() {
            return Err(format!("{flaws:?}"));
        }
        (said.compared, said.trusts) = (0, HashMap::new());
    }
    let events = after(journal, said.compared).await?;
    for (position, (id, _)) in said.acknowledged.range(said.compared + 1..) {
        let index = usize::try_from(position - said.compared - 1).unwrap();
        if events.get(index).is_none_or(|it| it.event_id != *id) {
            let (last, heard) = (events.len(), said.acknowledged.len());
            return Err(format!(
                "{id}, acknowledged at {position} as one of {heard}, is not there; {last} are after {}",
                said.compared
            ));
        }
    }
    // What nobody heard of again is asked again: done or not, it is there once afterwards.
    let unanswered: Vec<(Uuid, Draft)> = said.asked.clone().into_iter().collect();
    for (id, draft) in unanswered {
        let again = journal.append(&Ctx::system("power"), draft).await;
        let again =
            again.map_err(|it| format!("{id} was refused when it was asked again: {it}"))?;
        said.acknowledge(id, again.position, again.trust_position);
    }
    exactly(&after(journal, said.compared).await?, said)
}

/// Nothing beside what was acknowledged, and every trust counted from 1 on its own.
fn exactly(events: &[Recorded], said: &mut Said) -> Result<(), String> {
    let mut acknowledged = said.acknowledged.range(said.compared + 1..);
    for event in events {
        let trust = said.trusts.entry(event.trust_id).or_default();
        *trust += 1;
        let found = (event.position, (event.event_id, event.trust_position));
        let expected = acknowledged.next().map(|(position, it)| (*position, *it));
        if expected != Some(found) || event.trust_position != *trust {
            return Err(format!("found {found:?} where {expected:?} was acknowledged"));
        }
    }
    said.compared += i64::try_from(events.len()).unwrap();
    match acknowledged.next() {
        None => Ok(()),
        Some(missing) => Err(format!("{missing:?} was acknowledged and is not there")),
    }
}

async fn after(journal: &Journal, position: i64) -> Result<Vec<Recorded>, String> {
    let mut tx = journal.db().read().await.map_err(|it| it.to_string())?;
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(position, |it| it.position);
        let page = journal::events(&mut tx, after, &Filter::default(), 1000).await;
        let page = page.map_err(|it| format!("{it:?}"))?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// Cuts the power so many times; stops at the first loss.
async fn rounds(mut machine: Machine, flushed: bool, rounds: u64) -> Result<usize, String> {
    let (appender, mut chance) = (appender(flushed), testkit::chance());
    let mut said = Said::default();
    for round in 1..=rounds {
        machine.run(&appender, &mut said, &mut chance).await;
        let opened =
            Db::open(&machine.url(), "power", journal::migrations(), Options::default()).await;
        let db = opened.map_err(|it| format!("round {round}: it does not open: {it}"))?;
        let journal = Journal::open("power", db.clone(), Nothing);
        let ever = round % THOROUGH == 0 || round == rounds;
        let outcome = audit(&journal, &mut said, ever).await;
        drop(journal);
        db.close().await;
        outcome.map_err(|it| format!("round {round}: {it}"))?;
        if ever {
            println!("round {round}: {} acknowledged, all there", said.acknowledged.len());
        }
        machine.settle();
    }
    println!("{rounds} power cuts, {} events acknowledged, none lost", said.acknowledged.len());
    Ok(said.acknowledged.len())
}

/// After so many rounds the whole log is looked at, not only what the round added.
const THOROUGH: u64 = 50;

/// Rounds of each test: 500 is the full length.
fn length() -> u64 {
    setting("HEADWAY_CRASH_ROUNDS", 4)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_what_it_acknowledged() {
    rounds(Machine::sqlite(), true, length()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_what_it_acknowledged() {
    rounds(Machine::Postgres(Server::start(&[]).await), true, length()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_without_the_flush_is_caught() {
    println!("{}", rounds(Machine::sqlite(), false, 20).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_without_the_flush_is_caught() {
    let server = Server::start(&[]).await;
    println!("{}", rounds(Machine::Postgres(server), false, 20).await.unwrap_err());
}
