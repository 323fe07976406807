use anyhow::{Context, Result, bail};
use db::{Access, Db};
use host::telemetry;
use journal::{Journal, rebuild, verify as verify_log};
use sqlx::{AssertSqlSafe, Executor};

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    deployment::{Deployment, database},
};

/// Flaws shown on the terminal, of each journal.
const SHOWN: usize = 20;

/// Checks the journals and proves that they hold the state; fails when one does not.
pub(crate) async fn verify(settings: &Overrides, only: Option<Service>) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let mut sound = true;
    for service in Service::ALL.into_iter().filter(|it| only.is_none_or(|only| only == *it)) {
        let deployment = Deployment::open(&config, Some(service)).await?;
        let journal = deployment.journals().first().context("no journal")?;
        sound &= check(journal).await?;
        sound &= replay(&config, service, journal).await?;
    }
    if !sound {
        bail!("a journal does not verify");
    }
    Ok(())
}

async fn check(journal: &Journal) -> Result<bool> {
    let (events, flaws) = verify_log(journal).await?;
    say(format_args!("{}: {events} events, {} flaws", journal.service(), flaws.len()))?;
    for flaw in flaws.iter().take(SHOWN) {
        say(format_args!("  position {} {}", flaw.position, flaw.what))?;
    }
    Ok(flaws.is_empty())
}

/// Replays into a database of its own and compares.
async fn replay(config: &Config, service: Service, journal: &Journal) -> Result<bool> {
    let migrations = match service {
        Service::Registry => registry::migrations(),
        Service::Intelligence => intelligence::migrations(),
        Service::Improvement => improvement::migrations(),
    };
    let folder = tempfile::tempdir()?;
    let schema = format!("{}_rebuilt_{}", service.name(), rpc::new_id().simple());
    let elsewhere = Config { data_dir: folder.path().to_owned(), ..config.clone() };
    let empty = database(&elsewhere, service, &schema, migrations, Access::Owner).await?;
    let compared = rebuild(journal, &empty).await;
    if let Db::Postgres(pool) = &empty {
        pool.execute(AssertSqlSafe(format!("DROP SCHEMA \"{schema}\" CASCADE"))).await?;
    }
    empty.close().await;
    let mut sound = true;
    for table in compared? {
        let verdict = if table.equal { "equals its replay" } else { "DIFFERS from its replay" };
        say(format_args!("  {}: {} rows, {verdict}", table.table, table.rows))?;
        sound &= table.equal;
    }
    Ok(sound)
}
