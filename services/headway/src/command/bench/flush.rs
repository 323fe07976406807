//! What the disk can do: how often a page can be written and flushed.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;

/// The page that both databases flush at the least.
const PAGE: usize = 8192;
const PAGES: u64 = 512;
const PROBE: Duration = Duration::from_millis(400);

/// Flushes a second of one page of an allocated file in that folder, one after the other.
pub(super) fn rate(folder: &Path) -> Result<f64> {
    let file = tempfile::tempfile_in(folder)?;
    let page = vec![7; PAGE];
    for number in 0..PAGES {
        write(&file, &page, number)?;
    }
    file.sync_all()?;
    let started = Instant::now();
    let mut flushes = 0_u32;
    while started.elapsed() < PROBE {
        write(&file, &page, u64::from(flushes) % PAGES)?;
        file.sync_data()?;
        flushes += 1;
    }
    Ok(f64::from(flushes) / started.elapsed().as_secs_f64())
}

fn write(file: &File, page: &[u8], number: u64) -> Result<()> {
    Ok(file.write_all_at(page, number * PAGE as u64)?)
}
