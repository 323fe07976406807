//! What Linux tells of processes: their processor time and memory.

use std::fs;

use anyhow::{Context, Result};

/// Ticks of a second in `/proc`: a constant of Linux's interface.
const TICKS: f64 = 100.0;

/// A line of `/proc/…/stat`.
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that ended and were waited for.
    ended: u64,
}

impl Stat {
    fn of(process: &str) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may hold anything.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split(' ').collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

/// Processor seconds that a process has used.
pub(super) fn processor(process: &str) -> f64 {
    Stat::of(process).map_or(0.0, |it| seconds(it.own))
}

/// Processor seconds that a process and all of its children have used, those that ended included.
pub(super) fn processor_of_family(parent: u32) -> Option<f64> {
    let Stat { own, ended, .. } = Stat::of(&parent.to_string())?;
    let mut ticks = own + ended;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let name = entry.file_name();
        let child = name.to_str().filter(|it| it.bytes().all(|it| it.is_ascii_digit()));
        let child = child.and_then(Stat::of).filter(|it| it.parent == parent);
        ticks += child.map_or(0, |it| it.own + it.ended);
    }
    Some(seconds(ticks))
}

/// The process that started another.
pub(super) fn parent(process: i32) -> Option<u32> {
    Stat::of(&process.to_string()).map(|it| it.parent)
}

/// Lets a process's peak of memory begin anew.
pub(super) fn forget_peak(process: &str) -> Result<()> {
    let file = format!("/proc/{process}/clear_refs");
    fs::write(&file, "5").context(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_and_its_children_are_seen() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("9").spawn().unwrap();
        assert_eq!(parent(i32::try_from(child.id()).unwrap()), Some(own));
        // Other tests of this process go on meanwhile, so the lesser is read first.
        let before = processor("self");
        assert!(processor_of_family(own).unwrap() >= before);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(processor("no such process") < f64::EPSILON);
        assert_eq!(processor_of_family(u32::MAX), None);
    }
}
