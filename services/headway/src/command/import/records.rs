//! Files of records, streamed into a feed over the public API as any vendor would, with progress.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use futures::stream;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::{Client, RequestBuilder, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::{fs::File, io::AsyncReadExt};

use crate::command::say;

const CHUNK: usize = 256 << 10;
/// How long the first look at a batch under way is put off, and the later ones at the most.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_secs(2);

/// Where the records go and how they are read
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// Files: CSV, JSON, NDJSON, `OneRoster` bundles (zip), tables as DfE publishes them
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The server
    #[arg(long, env = "HEADWAY_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// A token that may push into the feed
    #[arg(long, env = "HEADWAY_TOKEN", hide_env_values = true)]
    token: String,
    /// The feed
    #[arg(long, value_name = "ID")]
    feed: uuid::Uuid,
    /// Validate only: nothing is stored but the report
    #[arg(long)]
    dry_run: bool,
    /// The mapping saved with the feed by which the files are read
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// The academic year published tables are of, for example 2018/19
    #[arg(long, value_name = "YEAR")]
    period: Option<String>,
    /// The published table the files are (default: told by their headers)
    #[arg(long, value_name = "TABLE")]
    layout: Option<String>,
    /// The kind of the records of CSV files, for example `enrolment` (default: told by their headers)
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

/// Pushes every file; an error when a record was rejected.
pub(crate) async fn records(plan: Plan) -> Result<()> {
    let client = Client::builder().user_agent("headway-import").build()?;
    let (mut rejected, began) = (0, Instant::now());
    let mut records = 0;
    for file in &plan.files {
        let batch = push(&client, &plan, file).await.with_context(|| file.display().to_string())?;
        report(&batch, file)?;
        if count(&batch, "rejected") > 0 {
            list_rejected(&client, &plan, &batch).await?;
        }
        records += count(&batch, "records");
        rejected += count(&batch, "rejected");
    }
    if plan.files.len() > 1 {
        let files = plan.files.len();
        say(format_args!(
            "{files} files, {records} records in {:.1} s",
            began.elapsed().as_secs_f64()
        ))?;
    }
    if rejected > 0 {
        bail!("{rejected} of {records} records were rejected");
    }
    Ok(())
}

/// Streams a file and waits until its records are applied.
async fn push(client: &Client, plan: &Plan, file: &Path) -> Result<Value> {
    let source = File::open(file).await?;
    let length = source.metadata().await?.len();
    let bar = ProgressBar::new(length).with_style(ProgressStyle::with_template(
        "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}",
    )?);
    bar.set_message(file.display().to_string());
    let sent = bar.clone();
    let body = stream::try_unfold(source, move |mut source| {
        let sent = sent.clone();
        async move {
            let mut chunk = vec![0; CHUNK];
            let read = source.read(&mut chunk).await?;
            chunk.truncate(read);
            sent.inc(read as u64);
            Ok::<_, std::io::Error>((read > 0).then_some((chunk, source)))
        }
    });
    let url = format!("{}/v1/feeds/{}/batches", plan.url.trim_end_matches('/'), plan.feed);
    let request = client
        .post(url)
        .query(&plan.options())
        .header(CONTENT_TYPE, media_type(file)?)
        .body(reqwest::Body::wrap_stream(body));
    let batch = ask(plan, request).await?;
    let batch = settled(client, plan, batch, &bar).await?;
    bar.finish_and_clear();
    Ok(batch)
}

/// Looks at a batch until all of its records are applied.
async fn settled(
    client: &Client,
    plan: &Plan,
    mut batch: Value,
    bar: &ProgressBar,
) -> Result<Value> {
    let (mut wait, began) = (FIRST_LOOK, Instant::now());
    while ["BATCH_STATE_RECEIVED", "BATCH_STATE_VALIDATING"].contains(&text(&batch, "state")) {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LOOK);
        batch = ask(plan, client.get(plan.batch(&batch))).await?;
        let records = count(&batch, "records");
        let seconds = began.elapsed().as_secs().max(1);
        bar.set_message(format!("{records} records applied, {}/s", records / seconds));
    }
    Ok(batch)
}

fn report(batch: &Value, file: &Path) -> Result<()> {
    let [records, accepted, unchanged, corrected, parked, rejected, skipped] =
        ["records", "accepted", "unchanged", "corrected", "parked", "rejected", "skippedRows"]
            .map(|it| count(batch, it));
    let state =
        text(batch, "state").trim_start_matches("BATCH_STATE_").to_lowercase().replace('_', " ");
    say(format_args!(
        "{}: {state}: {records} records: {accepted} accepted, {unchanged} unchanged, {corrected} corrected, \
         {parked} parked, {rejected} rejected; {skipped} rows passed over; batch {}",
        file.display(),
        text(batch, "batchId")
    ))?;
    if records == 0 && skipped > 0 {
        say("  none of its rows is of a school of this feed")?;
    }
    Ok(())
}

/// Prints each rejected record with its line and what is wrong with it.
async fn list_rejected(client: &Client, plan: &Plan, batch: &Value) -> Result<()> {
    let mut token = None::<String>;
    loop {
        let mut query =
            vec![("outcome", "RECORD_OUTCOME_REJECTED".to_owned()), ("pageSize", "500".to_owned())];
        query.extend(token.take().map(|it| ("pageToken", it)));
        let request = client.get(format!("{}/results", plan.batch(batch))).query(&query);
        let page = ask(plan, request).await?;
        for result in array(&page, "results") {
            let (line, id) = (count(result, "line"), text(result, "externalId"));
            for problem in array(result, "problems") {
                let (pointer, detail) = (text(problem, "pointer"), text(problem, "detail"));
                let id = if id.is_empty() { id } else { &format!(" {id}") };
                say(format_args!("  line {line}{id}: {pointer} {detail}"))?;
            }
        }
        match page.get("nextPageToken").and_then(Value::as_str) {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
}

/// Sends a request and gives the answer's body; a refusal as a sentence.
async fn ask(plan: &Plan, request: RequestBuilder) -> Result<Value> {
    let response = request.bearer_auth(&plan.token).send().await?;
    let status = response.status();
    let body = response.bytes().await?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(body);
    }
    bail!("{status}: {}{}", text(&body, "detail"), problems(array(&body, "errors")))
}

/// What is wrong with a request beyond what its `detail` says, which tells of a single problem by itself.
fn problems(errors: &[Value]) -> String {
    let accepted = |it: &Value| {
        let names: Vec<_> = array(it, "accepted").iter().filter_map(Value::as_str).collect();
        if names.is_empty() { String::new() } else { format!("; accepted: {}", names.join(" ")) }
    };
    let told = |it: &Value| {
        let (pointer, detail) = (text(it, "pointer"), text(it, "detail"));
        format!("\n  {pointer} {detail}{}", accepted(it))
    };
    match errors {
        [only] => accepted(only),
        several => several.iter().map(told).collect::<Vec<_>>().concat(),
    }
}

impl Plan {
    fn options(&self) -> Vec<(&'static str, String)> {
        let kind =
            |it: &String| format!("RECORD_KIND_{}", it.to_uppercase().replace(['-', ' '], "_"));
        let options = [
            ("dryRun", self.dry_run.then(|| "true".to_owned())),
            ("mapping", self.mapping.clone()),
            ("period", self.period.clone()),
            ("layout", self.layout.clone()),
            ("kind", self.kind.as_ref().map(kind)),
        ];
        options.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn batch(&self, batch: &Value) -> String {
        format!("{}/v1/batches/{}", self.url.trim_end_matches('/'), text(batch, "batchId"))
    }
}

/// How a file is told of, by its ending.
fn media_type(file: &Path) -> Result<&'static str> {
    let ending = file.extension().and_then(|it| it.to_str()).unwrap_or_default();
    Ok(match ending.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => "text/csv",
        "json" => "application/json",
        "ndjson" | "jsonl" => "application/x-ndjson",
        "zip" => "application/zip",
        _ => bail!("the file should end with .csv, .tsv, .txt, .json, .ndjson, .jsonl or .zip"),
    })
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A number; none is 0, as canonical JSON has it.
fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
