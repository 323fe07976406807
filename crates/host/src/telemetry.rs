//! Logs and metrics. Logs never hold bodies, headers, tokens or identifiers of people.

use std::{
    io,
    panic::{self, PanicHookInfo},
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

const SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Logs to standard error what the filter lets through; as JSON lines when asked.
pub fn start_logs(filter: &str, json: bool) -> io::Result<()> {
    let filter = EnvFilter::try_new(filter).map_err(io::Error::other)?;
    let layer = fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(filter);
    let started = if json {
        registry.with(layer.json()).try_init()
    } else {
        registry.with(layer.with_target(false)).try_init()
    };
    started.map_err(io::Error::other)?;
    panic::set_hook(Box::new(tell_panic));
    Ok(())
}

/// A panic is told by its place alone: its message may hold whatever was in hand.
fn tell_panic(panicked: &PanicHookInfo<'_>) {
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(place, "panicked");
}

/// Starts keeping metrics; the handle renders them.
pub fn start_metrics() -> io::Result<PrometheusHandle> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|it| it.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), SIZES))
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(io::Error::other)
}
