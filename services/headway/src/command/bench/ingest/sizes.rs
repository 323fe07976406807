//! How large England's schools are.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::demo::Seed;

/// What the sizes are brought to: 9.0 million pupils of 22,000 schools.
const PUPILS: f64 = 9_000_000.0;
const SCHOOLS: f64 = 22_000.0;
/// Fewer pupils would not be shown.
const SMALLEST: u32 = 10;

/// What ages a school teaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Primary,
    Secondary,
    /// Special schools, alternative provision.
    Special,
}

/// A share of the schools, from the smallest, and the roll of the largest among them.
type Quantiles = [(f64, f64)];

/// GIAS, July 2022: open state-funded schools that taught pupils.
const PRIMARY: &Quantiles = &[
    (0.0, 10.0),
    (0.05, 67.0),
    (0.1, 93.0),
    (0.2, 144.0),
    (0.3, 190.0),
    (0.4, 210.0),
    (0.5, 235.0),
    (0.6, 290.0),
    (0.7, 356.0),
    (0.8, 416.0),
    (0.9, 468.0),
    (0.95, 599.0),
    (0.99, 756.0),
    (1.0, 1658.0),
];
const SECONDARY: &Quantiles = &[
    (0.0, 69.0),
    (0.05, 367.0),
    (0.1, 512.0),
    (0.2, 665.0),
    (0.3, 798.0),
    (0.4, 906.0),
    (0.5, 1012.0),
    (0.6, 1112.0),
    (0.7, 1224.0),
    (0.8, 1374.0),
    (0.9, 1557.0),
    (0.95, 1738.0),
    (0.99, 2087.0),
    (1.0, 2804.0),
];
/// Rounded; GIAS's extract leaves these out.
const SPECIAL: &Quantiles = &[(0.0, 10.0), (0.3, 40.0), (0.5, 110.0), (0.9, 240.0), (1.0, 420.0)];

impl Sort {
    /// Shares of England's state-funded schools: 16,783 primary, 3,444 secondary, 1,747 others (DfE, *Schools, pupils
    /// and their characteristics*, January 2023).
    fn drawn(share: f64) -> Self {
        match share {
            it if it < 0.764 => Self::Primary,
            it if it < 0.921 => Self::Secondary,
            _ => Self::Special,
        }
    }

    fn of_phase(name: &[u8]) -> Self {
        match name {
            b"Primary" | b"Middle deemed primary" => Self::Primary,
            b"Not applicable" => Self::Special,
            _ => Self::Secondary,
        }
    }

    /// Statutory lowest and highest age.
    pub(super) fn ages(self) -> (u32, u32) {
        match self {
            Self::Primary => (4, 11),
            Self::Secondary => (11, 16),
            Self::Special => (5, 16),
        }
    }

    /// First and last national curriculum year taught.
    pub(super) fn year_groups(self) -> (u32, u32) {
        match self {
            Self::Primary => (0, 6),
            Self::Secondary => (7, 11),
            Self::Special => (1, 11),
        }
    }

    /// Its type, and its phase by number, as GIAS has them.
    pub(super) fn named(self) -> (&'static str, u8) {
        match self {
            Self::Primary => ("Academy converter", 2),
            Self::Secondary => ("Academy converter", 4),
            Self::Special => ("Academy special converter", 0),
        }
    }
}

/// Drawn from England's distribution.
pub(super) fn drawn(seed: Seed, schools: usize) -> Vec<(Sort, u32)> {
    let sizes = (0..schools).map(|index| {
        let seed = seed.of(index as u64);
        let sort = Sort::drawn(seed.of(1).share());
        let quantiles = match sort {
            Sort::Primary => PRIMARY,
            Sort::Secondary => SECONDARY,
            Sort::Special => SPECIAL,
        };
        (sort, at(quantiles, seed.of(2).share()))
    });
    scaled(sizes.collect())
}

/// Those of the open schools of a GIAS file; taken evenly from the file, or again from its start.
pub(super) fn of_file(file: &Path, schools: usize) -> Result<Vec<(Sort, u32)>> {
    let name = || file.display().to_string();
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(file).with_context(name)?;
    let headers = reader.byte_headers().with_context(name)?.clone();
    let column = |wanted: &str| {
        let place = headers.iter().position(|it| it == wanted.as_bytes());
        place.with_context(|| format!("{} has no column {wanted}", name()))
    };
    let (phase, pupils) = (column("PhaseOfEducation (name)")?, column("NumberOfPupils")?);
    let mut found = Vec::new();
    for row in reader.byte_records() {
        let row = row.with_context(name)?;
        let roll = row.get(pupils).and_then(|it| std::str::from_utf8(it).ok()?.parse::<f64>().ok());
        if let Some(roll) = roll.filter(|it| *it > 0.0) {
            found.push((Sort::of_phase(row.get(phase).unwrap_or_default()), roll));
        }
    }
    ensure!(!found.is_empty(), "{} tells no numbers of pupils", name());
    let step = if schools < found.len() { found.len() / schools.max(1) } else { 1 };
    Ok(scaled(found.iter().step_by(step).cycle().take(schools).copied().collect()))
}

fn at(quantiles: &Quantiles, share: f64) -> f64 {
    let pairs = quantiles.iter().zip(quantiles.iter().skip(1));
    let mut around = pairs.filter(|(_, (end, _))| share <= *end);
    around.next().map_or(0.0, |((start, low), (end, high))| {
        low + (high - low) * (share - start) / (end - start)
    })
}

/// Brings the sizes to England's mean. Each is rounded so that the sum of those so far is right.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "rolls are positive and small"
)]
fn scaled(sizes: Vec<(Sort, f64)>) -> Vec<(Sort, u32)> {
    let floor = f64::from(SMALLEST);
    let wanted = PUPILS / SCHOOLS * sizes.len() as f64;
    let spare = wanted - floor * sizes.len() as f64;
    let above: f64 = sizes.iter().map(|it| (it.1 - floor).max(0.0)).sum();
    let factor = spare / above.max(1.0);
    let (mut exact, mut given) = (0.0, 0.0);
    sizes
        .into_iter()
        .map(|(sort, size)| {
            exact += floor + (size - floor).max(0.0) * factor;
            let roll = (exact - given).round();
            given += roll;
            (sort, roll as u32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_lie_between_the_quantiles() {
        #[track_caller]
        fn check(share: f64, expected: f64) {
            assert!((at(PRIMARY, share) - expected).abs() < 1e-9, "{}", at(PRIMARY, share));
        }
        check(0.0, 10.0);
        check(0.5, 235.0);
        check(0.55, 262.5);
        check(1.0, 1658.0);
    }

    #[test]
    fn a_file_gives_its_sizes_in_proportion() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gias.csv");
        let rows = "URN,PhaseOfEducation (name),NumberOfPupils\n1,Primary,210\n2,Secondary,1000\n3,Primary,\n";
        std::fs::write(&file, rows).unwrap();
        let sizes = of_file(&file, 4).unwrap();
        assert_eq!(sizes.iter().map(|it| it.1).sum::<u32>(), 1636);
        let sorts: Vec<_> = sizes.iter().map(|it| it.0).collect();
        assert_eq!(sorts, [Sort::Primary, Sort::Secondary, Sort::Primary, Sort::Secondary]);
        assert_eq!((sizes[0].1, sizes[1].1), (144, 674));
        assert!(of_file(&folder.path().join("none.csv"), 4).is_err());
    }
}
