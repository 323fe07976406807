//! Appends to a journal until it is killed, for the crash tests: says what it is about to append, and what was
//! acknowledged. Arguments: the database's URL, how many callers.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use contract::registry::TrustCreated;
use db::{Db, Options, Tx};
use futures::future::BoxFuture;
use journal::{Draft, Filter, Journal, Projection, Recorded};
use rpc::Ctx;
use uuid::Uuid;

const TRUSTS: u128 = 3;
const STREAMS: u32 = 4;

struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, rpc::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("which database?")?;
    let callers: u32 = arguments.next().ok_or("how many callers?")?.parse()?;
    let db = Db::open(&url, "power", journal::migrations(), Options::default()).await?;
    let journal = Journal::open("power", db, Nothing);
    let versions = versions(&journal).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        tasks.spawn(call(journal.clone(), caller, versions.clone()));
    }
    // A caller only ever returns because it failed.
    while let Some(failed) = tasks.join_next().await {
        failed??;
    }
    Ok(())
}

/// The last version of every stream.
async fn versions(journal: &Journal) -> rpc::Result<HashMap<String, u32>> {
    let mut tx = journal.db().read().await?;
    let (mut versions, mut after) = (HashMap::new(), 0);
    loop {
        let page = journal::events(&mut tx, after, &Filter::default(), 1000).await?;
        let Some(last) = page.last() else { return Ok(versions) };
        after = last.position;
        versions.extend(page.into_iter().map(|it| (it.stream, it.version)));
    }
}

async fn call(
    journal: Journal,
    caller: u32,
    mut versions: HashMap<String, u32>,
) -> rpc::Result<()> {
    for number in 0.. {
        let stream = format!("note/{caller}-{}", number % STREAMS);
        let version = versions.get(&stream).copied().unwrap_or(0) + 1;
        let (event_id, trust_id) = (rpc::new_id(), Uuid::from_u128(u128::from(caller) % TRUSTS));
        // A name that follows from the id, of some length: whoever retries has to offer the same event.
        let name = event_id.to_string().repeat(1 + number as usize % 7);
        let note = TrustCreated { name: name.clone(), ..TrustCreated::default() };
        let draft = Draft::new(event_id, trust_id, &stream, version, &note);
        say(&format!("? {event_id} {trust_id} {stream} {version} {name}"))?;
        let receipt = journal.append(&Ctx::system("power"), draft).await?;
        say(&format!("+ {event_id} {} {}", receipt.position, receipt.trust_position))?;
        versions.insert(stream, version);
    }
    Ok(())
}

fn say(line: &str) -> rpc::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(rpc::Error::internal)
}
