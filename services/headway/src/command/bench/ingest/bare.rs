//! The same marks into the obvious table, one row each, by the fastest way each database has for it.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use sqlx::{ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};

use super::england::England;

/// Bytes sent at once.
const PIECE: usize = 64 << 10;

/// What it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bare {
    pub(super) rows: u64,
    pub(super) took: Duration,
}

/// All rows, in pieces, written before the clock starts.
fn rows(england: &England) -> Result<Vec<String>> {
    let mut pieces = Vec::new();
    let mut piece = String::with_capacity(2 * PIECE);
    for school in &england.schools {
        england.rows(school, &mut piece)?;
        if piece.len() >= PIECE {
            pieces.push(std::mem::replace(&mut piece, String::with_capacity(2 * PIECE)));
        }
    }
    pieces.push(piece);
    Ok(pieces)
}

/// `COPY … FROM STDIN`, one connection, one statement, which is what psql's `\copy` does.
pub(super) async fn copy(options: PgConnectOptions, england: &England) -> Result<Bare> {
    let mut connection = options.connect().await?;
    connection
        .execute(
            "CREATE TABLE public.mark (urn integer, date date, session text, pupil text, code text,
             PRIMARY KEY (urn, date, session, pupil))",
        )
        .await?;
    checkpoint(&mut connection).await;
    let pieces = rows(england)?;
    let started = Instant::now();
    let mut copy = connection.copy_in_raw("COPY public.mark FROM STDIN").await?;
    for piece in pieces {
        copy.send(piece.into_bytes()).await?;
    }
    let rows = copy.finish().await?;
    let took = started.elapsed();
    ensure!(rows == england.pupils(), "{rows} rows were copied");
    Ok(Bare { rows, took })
}

/// Leaves nothing of what was done before to be written while something is timed. Only an administrator may ask for it.
pub(super) async fn checkpoint(connection: &mut PgConnection) {
    if let Err(error) = connection.execute("CHECKPOINT").await {
        tracing::warn!(%error, "without a checkpoint before the measurement");
    }
}

/// `.import` of the sqlite3 shell: prepared statements in one transaction, flushed at its end.
pub(super) fn import(folder: &Path, england: &England) -> Result<Bare> {
    let (database, file) = (folder.join("bare.db"), folder.join("marks.tsv"));
    shell(
        &database,
        "CREATE TABLE mark (urn INTEGER, date TEXT, session TEXT, pupil TEXT, code TEXT,
         PRIMARY KEY (urn, date, session, pupil));",
    )?;
    let mut text = std::fs::File::create(&file)?;
    for piece in rows(england)? {
        text.write_all(piece.as_bytes())?;
    }
    text.sync_all()?;
    drop(text);
    let mut orders =
        "PRAGMA synchronous = FULL;\n.mode ascii\n.separator \"\\t\" \"\\n\"\n".to_owned();
    writeln!(orders, ".import \"{}\" mark", file.display())?;
    let started = Instant::now();
    shell(&database, &orders)?;
    let took = started.elapsed();
    let rows = shell(&database, "SELECT count(*) FROM mark;")?.trim().parse()?;
    ensure!(rows == england.pupils(), "{rows} rows were imported");
    Ok(Bare { rows, took })
}

/// Lets the sqlite3 shell do something; gives what it printed.
fn shell(database: &Path, orders: &str) -> Result<String> {
    let mut child = Command::new("sqlite3")
        .args(["-batch", "-bail"])
        .arg(database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("sqlite3, the shell that comes with SQLite, is needed to measure beside it")?;
    child.stdin.take().context("its input")?.write_all(orders.as_bytes())?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "sqlite3: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
