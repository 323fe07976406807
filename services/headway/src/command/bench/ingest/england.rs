//! England's schools on one morning, drawn from a seed: how many pupils each has, of which trust it is, and what is
//! entered for each pupil. The same numbers give the same morning.

use std::{fmt::Write, ops::Range, path::Path};

use anyhow::Result;
use calendar::{AcademicYear, Week};
use chrono::{Datelike, NaiveDate, Weekday};
use hyper::body::Bytes;

use super::sizes::{self, Sort};
use crate::demo::Seed;

/// Draws everything; any other number is as good.
const SEED: u64 = 2_026;
/// The first school's URN; each has the next.
const FIRST_URN: usize = 100_000;
const FIRST_GROUP_UID: usize = 10_000;
/// The fewest schools of a trust, the most beyond them, and how many those are on average: 22,000 schools make about
/// 1,200 trusts.
const FEWEST: usize = 3;
const MOST: u32 = 97;
const MORE: f64 = 15.3;
/// Establishment numbers of one local authority.
const NUMBERS: usize = 7_000;

pub(super) const SESSION: &str = "AM";

/// What a code counts as, so that the truth is known without asking Headway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Attended,
    Absent,
    Not,
}

/// Codes of a morning and how many of 10,000 marks have each: about as DfE's daily attendance data have them for
/// 2024/25, 93.6 % of possible sessions attended.
const CODES: [(&str, u32, Counts); 19] = [
    ("/", 9080, Counts::Attended),
    ("L", 190, Counts::Attended),
    ("B", 45, Counts::Attended),
    ("V", 25, Counts::Attended),
    ("P", 5, Counts::Attended),
    ("W", 5, Counts::Attended),
    ("I", 330, Counts::Absent),
    ("M", 60, Counts::Absent),
    ("C", 25, Counts::Absent),
    ("E", 12, Counts::Absent),
    ("C2", 10, Counts::Absent),
    ("R", 4, Counts::Absent),
    ("T", 4, Counts::Absent),
    ("O", 95, Counts::Absent),
    ("G", 55, Counts::Absent),
    ("N", 35, Counts::Absent),
    ("U", 14, Counts::Absent),
    ("X", 4, Counts::Not),
    ("D", 2, Counts::Not),
];

pub(super) struct School {
    pub(super) urn: usize,
    pub(super) roll: u32,
    sort: Sort,
    /// Pupils of the schools before it.
    before: u64,
}

/// Sessions attended, of those possible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) attended: u64,
    pub(super) possible: u64,
}

pub(super) struct England {
    pub(super) schools: Vec<School>,
    /// Which of the schools each trust has.
    pub(super) trusts: Vec<Range<usize>>,
    pub(super) date: NaiveDate,
    seed: Seed,
}

impl England {
    /// That many schools on the last school day up to today. Their sizes are those of a GIAS file, else as they are
    /// distributed in England; together they have their share of 9 million pupils.
    pub(super) fn draw(schools: usize, gias: Option<&Path>, today: NaiveDate) -> Result<Self> {
        let seed = Seed::new(SEED);
        let sizes = match gias {
            Some(file) => sizes::of_file(file, schools)?,
            None => sizes::drawn(seed.of(1), schools),
        };
        let mut before = 0;
        let schools = sizes.into_iter().enumerate().map(|(index, (sort, roll))| {
            let school = School { urn: FIRST_URN + index, roll, sort, before };
            before += u64::from(roll);
            school
        });
        let schools: Vec<_> = schools.collect();
        let weekend = matches!(today.weekday(), Weekday::Sat | Weekday::Sun);
        let friday = Week::of(today).ends_on() - chrono::Days::new(2);
        let trusts = trusts(seed.of(2), schools.len());
        Ok(Self { schools, trusts, date: if weekend { friday } else { today }, seed: seed.of(3) })
    }

    /// When a school's register comes, the least first: schools do not wait for each other.
    pub(super) fn turn(&self, school: &School) -> u32 {
        self.seed.named("turn").of(school.urn as u64).below(u32::MAX)
    }

    pub(super) fn pupils(&self) -> u64 {
        self.schools.iter().map(|it| u64::from(it.roll)).sum()
    }

    /// The register of establishments as GIAS publishes it, with the columns that are read.
    pub(super) fn establishments(&self) -> Result<String> {
        let mut csv = "URN,LA (code),EstablishmentNumber,EstablishmentName,TypeOfEstablishment (name),\
            EstablishmentStatus (code),OpenDate,PhaseOfEducation (code),StatutoryLowAge,StatutoryHighAge,\
            NumberOfPupils,Trusts (code),Trusts (name)\r\n"
            .to_owned();
        for (trust, schools) in self.trusts.iter().enumerate() {
            let (uid, name) = (group_uid(trust), trust_name(trust));
            for index in schools.clone() {
                let Some(School { urn, roll, sort, .. }) = self.schools.get(index) else {
                    continue;
                };
                let (la, number) = (200 + index / NUMBERS, 2_000 + index % NUMBERS);
                let (low, high) = sort.ages();
                let (kind, phase) = sort.named();
                write!(
                    csv,
                    "{urn},{la},{number},School {urn},{kind},1,01-09-2012,{phase},{low},{high},{roll},{uid},{name}\r\n"
                )?;
            }
        }
        Ok(csv)
    }

    /// The enrolments of a trust's pupils as pushes of so many records each, and how many there are in each push.
    pub(super) fn rolls(&self, trust: &Range<usize>, records: usize) -> Result<Vec<(Bytes, u32)>> {
        let starts_on = AcademicYear::of(self.date).starts_on();
        let mut pushes = Vec::new();
        let (mut body, mut count) = (String::new(), 0);
        for school in self.schools.get(trust.clone()).unwrap_or_default() {
            for pupil in 0..school.roll {
                body.push_str(if count == 0 { r#"{"records":["# } else { "," });
                let (number, year) = (school.pupil(pupil), school.year_group(pupil));
                write!(
                    body,
                    r#"{{"externalId":"e{number}","enrolment":{{"urn":"{}","pupil":"{number}","yearGroup":{year},"startsOn":"{starts_on}"}}}}"#,
                    school.urn
                )?;
                count += 1;
                if count as usize == records {
                    pushes.push((closed(&mut body), std::mem::take(&mut count)));
                }
            }
        }
        if count > 0 {
            pushes.push((closed(&mut body), count));
        }
        Ok(pushes)
    }

    /// A school's register as a vendor pushes it, one record with every mark, and what it amounts to.
    pub(super) fn register(&self, school: &School) -> Result<(Bytes, Truth)> {
        let (urn, date) = (school.urn, self.date);
        let mut body = String::with_capacity(160 + school.roll as usize * 33);
        write!(
            body,
            r#"{{"records":[{{"externalId":"am-{urn}","attendanceRegister":{{"urn":"{urn}","date":"{date}","session":"{SESSION}","marks":["#
        )?;
        let mut truth = Truth::default();
        for (index, (pupil, code, counts)) in self.marks(school).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(body, r#"{comma}{{"pupil":"{pupil}","code":"{code}"}}"#)?;
            truth.attended += u64::from(counts == Counts::Attended);
            truth.possible += u64::from(counts != Counts::Not);
        }
        body.push_str("]}}]}");
        Ok((body.into(), truth))
    }

    /// The same marks as rows of text, one for each, appended to `rows`.
    pub(super) fn rows(&self, school: &School, rows: &mut String) -> Result<()> {
        let (urn, date) = (school.urn, self.date);
        for (pupil, code, _) in self.marks(school) {
            writeln!(rows, "{urn}\t{date}\t{SESSION}\t{pupil}\t{code}")?;
        }
        Ok(())
    }

    fn marks(&self, school: &School) -> impl Iterator<Item = (String, &'static str, Counts)> {
        (0..school.roll).map(|pupil| {
            let mut chance = self.seed.of(school.before + u64::from(pupil)).below(10_000);
            let drawn = CODES.iter().find(|(_, share, _)| {
                let here = chance < *share;
                chance = chance.saturating_sub(*share);
                here
            });
            let (code, counts) = drawn.map_or(("/", Counts::Attended), |it| (it.0, it.2));
            (school.pupil(pupil), code, counts)
        })
    }
}

impl School {
    /// The vendor's id of a pupil.
    fn pupil(&self, index: u32) -> String {
        format!("P{:07}", self.before + u64::from(index))
    }

    fn year_group(&self, index: u32) -> u32 {
        let (first, last) = self.sort.year_groups();
        first + index * (last - first + 1) / self.roll.max(1)
    }
}

pub(super) fn group_uid(trust: usize) -> String {
    (FIRST_GROUP_UID + trust).to_string()
}

pub(super) fn trust_name(trust: usize) -> String {
    format!("Trust {trust:04}")
}

/// Shares the schools out: small trusts are many, large ones few.
fn trusts(seed: Seed, schools: usize) -> Vec<Range<usize>> {
    let mut trusts = Vec::new();
    let mut start = 0;
    while start < schools {
        let rest = 1.0 - seed.of(trusts.len() as u64).share();
        let more = (1..=MOST).take_while(|it| rest < (-f64::from(*it) / MORE).exp());
        let end = (start + FEWEST + more.count()).min(schools);
        trusts.push(start..end);
        start = end;
    }
    trusts
}

fn closed(body: &mut String) -> Bytes {
    body.push_str("]}");
    std::mem::take(body).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn england(schools: usize) -> England {
        England::draw(schools, None, "2026-11-22".parse().unwrap()).unwrap()
    }

    #[test]
    fn england_is_as_large_as_england() {
        let england = england(22_000);
        assert_eq!((england.schools.len(), england.pupils()), (22_000, 9_000_000));
        assert!((1_100..1_300).contains(&england.trusts.len()), "{}", england.trusts.len());
        assert!(england.schools.iter().all(|it| (10..4_000).contains(&it.roll)));
        // The Friday before that Sunday.
        assert_eq!(england.date.to_string(), "2026-11-20");
    }

    #[test]
    fn codes_are_shared_out_whole_and_all_are_statutory() {
        assert_eq!(CODES.iter().map(|it| it.1).sum::<u32>(), 10_000);
        let date = "2026-11-20".parse().unwrap();
        for (code, _, counts) in CODES {
            let sessions = intelligence::domain::Sessions::of(
                intelligence::domain::Code::on(code, date).unwrap().class(),
                1,
            );
            let expected = match (sessions.possible, sessions.absent) {
                (0, _) => Counts::Not,
                (_, 0) => Counts::Attended,
                _ => Counts::Absent,
            };
            assert_eq!(counts, expected, "{code}");
        }
    }

    #[test]
    fn a_register_is_json_and_its_rows_say_the_same() {
        let england = england(20);
        let school = &england.schools[3];
        let (body, truth) = england.register(school).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let marks = value["records"][0]["attendanceRegister"]["marks"].as_array().unwrap();
        let mut rows = String::new();
        england.rows(school, &mut rows).unwrap();
        assert_eq!((marks.len(), rows.lines().count()), (school.roll as usize, marks.len()));
        for (mark, row) in marks.iter().zip(rows.lines()) {
            let end =
                format!("{}\t{}", mark["pupil"].as_str().unwrap(), mark["code"].as_str().unwrap());
            assert!(row.ends_with(&end), "{row}");
        }
        assert!(truth.attended < truth.possible && truth.possible <= u64::from(school.roll));
        let share = truth.attended * 100 / truth.possible;
        assert!((85..=99).contains(&share), "{share}");
    }

    #[test]
    fn every_pupil_of_a_trust_is_enrolled_once() {
        let england = england(20);
        let trust = &england.trusts[0];
        let pushes = england.rolls(trust, 500).unwrap();
        let pupils: u32 = england.schools[trust.clone()].iter().map(|it| it.roll).sum();
        assert_eq!(pushes.iter().map(|it| it.1).sum::<u32>(), pupils);
        let mut seen = std::collections::HashSet::new();
        for (body, count) in pushes {
            let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let records = value["records"].as_array().unwrap();
            assert_eq!(records.len(), count as usize);
            assert!(count <= 500);
            for record in records {
                assert!(seen.insert(record["enrolment"]["pupil"].as_str().unwrap().to_owned()));
            }
        }
    }
}
