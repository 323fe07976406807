use anyhow::{Context, Result, bail};
use db::{Access, Db};
use host::telemetry;
use journal::{Journal, Rebuilt, rebuild_in_place};
use sqlx::{AssertSqlSafe, Executor};

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    deployment::{Deployment, database},
};

/// How the tables are made again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// In a database of its own, compared and thrown away.
    Beside,
    /// In the service's own tables; kept if equal, or whatever it is.
    InPlace { accept: bool },
}

/// Makes the tables of services again from their journals, and says whether they equal what there was; fails when
/// one does not.
pub(crate) async fn rebuild(settings: &Overrides, only: Option<Service>, way: Way) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let mut strayed = false;
    for service in Service::ALL.into_iter().filter(|it| only.is_none_or(|only| only == *it)) {
        let deployment = Deployment::open(&config, Some(service)).await?;
        let journal = deployment.journals().first().context("no journal")?;
        let rebuilt = match way {
            Way::Beside => beside(&config, service, journal).await?,
            Way::InPlace { accept } => rebuild_in_place(journal, accept).await?,
        };
        rate(journal, &rebuilt)?;
        strayed |= !tell(&rebuilt)?;
    }
    match way {
        _ if !strayed => Ok(()),
        Way::Beside => {
            bail!("a table strayed from its journal: rebuild --in-place --accept mends it")
        }
        Way::InPlace { accept: false } => {
            bail!(
                "a table strayed from its journal and was left as it was; with --accept the journal's is kept"
            )
        }
        Way::InPlace { accept: true } => {
            Ok(say(format_args!("the tables are now as the journals make them"))?)
        }
    }
}

fn rate(journal: &Journal, rebuilt: &Rebuilt) -> Result<()> {
    let seconds = rebuilt.took.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate is told roughly")]
    let rate = if seconds > 0.0 { rebuilt.events as f64 / seconds } else { 0.0 };
    let Rebuilt { events, .. } = rebuilt;
    Ok(say(format_args!(
        "{}: {events} events replayed in {seconds:.2} s, {rate:.0} a second",
        journal.service()
    ))?)
}

/// Says of each table whether it equals its replay, and of one that does not which rows.
pub(super) fn tell(rebuilt: &Rebuilt) -> Result<bool> {
    for table in &rebuilt.tables {
        let verdict = if table.equal { "equals its replay" } else { "DIFFERS from its replay" };
        say(format_args!("  {}: {} rows, {verdict}", table.table, table.rows))?;
        for row in &table.differences {
            say(format_args!("    {} {}", row.key, row.what))?;
        }
        let more = table.differing - table.differences.len();
        if more > 0 {
            say(format_args!("    and {more} more"))?;
        }
    }
    Ok(rebuilt.is_equal())
}

/// Replays into a database of its own and compares.
pub(super) async fn beside(
    config: &Config,
    service: Service,
    journal: &Journal,
) -> Result<Rebuilt> {
    let folder = tempfile::tempdir()?;
    let schema = format!("{}_rebuilt_{}", service.name(), rpc::new_id().simple());
    let elsewhere = Config { data_dir: folder.path().to_owned(), ..config.clone() };
    let migrations = journal.projection().schema();
    let empty = database(&elsewhere, service, &schema, migrations, Access::Owner).await?;
    let rebuilt = journal::rebuild(journal, &empty).await;
    if let Db::Postgres(pool) = &empty {
        pool.execute(AssertSqlSafe(format!("DROP SCHEMA \"{schema}\" CASCADE"))).await?;
    }
    empty.close().await;
    Ok(rebuilt?)
}
