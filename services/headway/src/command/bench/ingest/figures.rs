//! What came of a run, beside what it should be.

use std::time::Duration;

use anyhow::Result;
use chrono::NaiveDate;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Used, bare::Bare, england::Truth, morning::Times, setting::Took};
use crate::command::{bench::milliseconds_at, rest::Rest, say};

/// Goals: how many times as fast as the bare copy, and for all of England's 22,000 schools the seconds, the resident
/// memory in KiB and the 99th percentile of acknowledgement in milliseconds.
const RATIO: f64 = 2.0;
const SECONDS: f64 = 180.0;
const MEMORY_KIB: u64 = 1 << 20;
const P99: f64 = 1000.0;
const ENGLAND: usize = 22_000;

pub(super) struct Figures {
    pub(super) schools: usize,
    pub(super) trusts: usize,
    pub(super) marks: u64,
    pub(super) date: NaiveDate,
    pub(super) callers: u32,
    /// That applied the enrolments.
    pub(super) processes: u32,
    /// Of all the registers' JSON.
    pub(super) bytes: usize,
    pub(super) database: String,
    pub(super) setting: Took,
    pub(super) setting_peak_kib: u64,
    pub(super) times: Times,
    pub(super) used: Used,
    pub(super) groups: Groups,
    pub(super) peak_kib: u64,
    pub(super) truth: Truth,
    pub(super) bare: Bare,
}

impl Figures {
    fn marks_per_second(&self) -> f64 {
        rate(self.marks, self.times.followed)
    }

    /// How many times as fast as the bare copy.
    fn ratio(&self) -> f64 {
        self.marks_per_second() / rate(self.bare.rows, self.bare.took)
    }

    fn within(&self, permille: usize) -> f64 {
        milliseconds_at(&self.times.each, permille)
    }

    /// Each goal, what was reached, and whether that will do.
    fn goals(&self) -> Vec<(&'static str, String, bool)> {
        let (ratio, p99) = (self.ratio(), self.within(990));
        let mut goals = vec![
            ("at least 2.0 × the bare copy", format!("{ratio:.2} ×"), ratio >= RATIO),
            ("p99 at most 1 s", format!("{p99:.0} ms"), p99 <= P99),
        ];
        if self.schools >= ENGLAND {
            let (seconds, mib) = (self.times.followed.as_secs_f64(), self.peak_kib / 1024);
            goals.push(("at most 180 s", format!("{seconds:.1} s"), seconds <= SECONDS));
            goals.push(("at most 1 GiB", format!("{mib} MiB"), self.peak_kib <= MEMORY_KIB));
        }
        goals
    }

    pub(super) fn print(&self) -> Result<()> {
        let Self { schools, trusts, marks, setting, used, groups, .. } = self;
        say(format_args!(
            "{schools} schools of {trusts} trusts, {marks} marks on {}, {} MB of JSON; {}",
            self.date,
            self.bytes / 1_000_000,
            self.database
        ))?;
        say(format_args!(
            "before: trusts {:.1} s, schools {:.1} s, feeds {:.1} s, enrolments {:.1} s by {} processes ({:.0} a second), {} MiB at most",
            setting.trusts,
            setting.schools,
            setting.feeds,
            setting.rolls,
            self.processes,
            rate(*marks, Duration::from_secs_f64(setting.rolls)),
            self.setting_peak_kib / 1024
        ))?;
        say(format_args!(
            "{} callers: all acknowledged in {:.2} s, measures right in {:.2} s: {:.0} marks and {:.0} registers a second",
            self.callers,
            self.times.acknowledged.as_secs_f64(),
            self.times.followed.as_secs_f64(),
            self.marks_per_second(),
            rate(*schools as u64, self.times.followed)
        ))?;
        say(format_args!(
            "acknowledged within p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
            self.within(500),
            self.within(990),
            self.within(1000)
        ))?;
        let postgres = used.postgres.map_or("not seen".to_owned(), |it| format!("{it:.1} s"));
        say(format_args!(
            "processor: Headway {:.1} s, PostgreSQL {postgres}, callers {:.1} s; Headway's memory {} MiB at most",
            used.headway,
            used.bench,
            self.peak_kib / 1024
        ))?;
        say(format_args!(
            "{} groups of {:.1} operations; {:.1} s writing, of which {:.1} s in commits",
            groups.groups,
            groups.operations / groups.groups.max(1.0),
            groups.seconds,
            groups.flush_seconds
        ))?;
        say(format_args!(
            "attendance of all schools {} of {} sessions, as generated",
            self.truth.attended, self.truth.possible
        ))?;
        say(format_args!(
            "bare copy: {} rows in {:.2} s: {:.0} a second",
            self.bare.rows,
            self.bare.took.as_secs_f64(),
            rate(self.bare.rows, self.bare.took)
        ))?;
        for (goal, reached, met) in self.goals() {
            say(format_args!("{} {goal}: {reached}", if met { "met   " } else { "MISSED" }))?;
        }
        Ok(())
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let goals: Vec<Value> = self
            .goals()
            .into_iter()
            .map(|(goal, reached, met)| json!({"goal": goal, "reached": reached, "met": met}))
            .collect();
        json!({
            "schools": self.schools,
            "trusts": self.trusts,
            "marks": self.marks,
            "date": self.date,
            "callers": self.callers,
            "processes": self.processes,
            "bytes": self.bytes,
            "database": self.database,
            "before": {
                "trustsSeconds": self.setting.trusts,
                "schoolsSeconds": self.setting.schools,
                "feedsSeconds": self.setting.feeds,
                "enrolmentsSeconds": self.setting.rolls,
                "peakKib": self.setting_peak_kib,
            },
            "acknowledgedSeconds": self.times.acknowledged.as_secs_f64(),
            "seconds": self.times.followed.as_secs_f64(),
            "marksPerSecond": self.marks_per_second(),
            "registersPerSecond": rate(self.schools as u64, self.times.followed),
            "acknowledgedMs": {
                "p50": self.within(500),
                "p99": self.within(990),
                "max": self.within(1000),
            },
            "processorSeconds": {
                "headway": self.used.headway,
                "postgres": self.used.postgres,
                "callers": self.used.bench,
            },
            "peakKib": self.peak_kib,
            "groups": self.groups.groups,
            "operationsPerGroup": self.groups.operations / self.groups.groups.max(1.0),
            "writingSeconds": self.groups.seconds,
            "committingSeconds": self.groups.flush_seconds,
            "attended": self.truth.attended,
            "possible": self.truth.possible,
            "bare": {
                "rows": self.bare.rows,
                "seconds": self.bare.took.as_secs_f64(),
                "rowsPerSecond": rate(self.bare.rows, self.bare.took),
            },
            "ratio": self.ratio(),
            "goals": goals,
        })
        .serialize(to)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// What the intelligence service's writer tells of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    groups: f64,
    operations: f64,
    seconds: f64,
    flush_seconds: f64,
}

impl Groups {
    pub(super) async fn read(operator: &mut Rest) -> Result<Self> {
        let text = operator.get_text("/metrics").await?;
        let text = String::from_utf8_lossy(&text);
        Ok(Self {
            groups: metric(&text, "headway_write_group_size_count"),
            operations: metric(&text, "headway_write_group_size_sum"),
            seconds: metric(&text, "headway_write_seconds_sum"),
            flush_seconds: metric(&text, "headway_write_flush_seconds_sum"),
        })
    }

    pub(super) fn since(self, before: &Self) -> Self {
        Self {
            groups: self.groups - before.groups,
            operations: self.operations - before.operations,
            seconds: self.seconds - before.seconds,
            flush_seconds: self.flush_seconds - before.flush_seconds,
        }
    }
}

/// A number of the intelligence service; 0 where there is none yet.
fn metric(text: &str, name: &str) -> f64 {
    let start = format!("{name}{{service=\"{}\"}}", intelligence::NAME);
    let line = text.lines().find_map(|it| it.strip_prefix(start.as_str()));
    line.and_then(|it| it.trim().parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_the_services_own() {
        let text = "# TYPE x histogram\nx_sum{service=\"registry\"} 3\nx_sum{service=\"intelligence\"} 1.5\n";
        assert!((metric(text, "x_sum") - 1.5).abs() < f64::EPSILON);
        assert!(metric(text, "y_sum").abs() < f64::EPSILON);
    }
}
