use std::io::{Cursor, Write};

use zip::{ZipWriter, write::SimpleFileOptions};

use super::{options, read};
use crate::{
    api::format::{Options, pieces},
    domain::{Body, Enrolment, GradeScheme, OneRosterMapping, Reading},
};

const SAMPLE: [(&str, &str); 7] = [
    ("manifest.csv", include_str!("../../../../tests/data/oneroster/manifest.csv")),
    ("orgs.csv", include_str!("../../../../tests/data/oneroster/orgs.csv")),
    ("users.csv", include_str!("../../../../tests/data/oneroster/users.csv")),
    ("classes.csv", include_str!("../../../../tests/data/oneroster/classes.csv")),
    ("enrollments.csv", include_str!("../../../../tests/data/oneroster/enrollments.csv")),
    ("academicSessions.csv", include_str!("../../../../tests/data/oneroster/academicSessions.csv")),
    ("demographics.csv", include_str!("../../../../tests/data/oneroster/demographics.csv")),
];

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn mapped(mapping: OneRosterMapping) -> Options {
    let mut options = options(&[]);
    let schools = [("255901001".to_owned(), "100001".to_owned())].into();
    options.mapping = Some(Reading::OneRoster(OneRosterMapping { schools, ..mapping }));
    options
}

/// Every body of a bundle, and how many rows were passed over.
#[track_caller]
fn bodies(options: &Options, files: &[(&str, &str)]) -> (Vec<Body<String>>, u32) {
    let pieces = pieces(options, &zip(files)).unwrap();
    let mut bodies = Vec::new();
    for part in pieces.parts {
        for record in read(options, &part).unwrap().records {
            bodies.push(record.body.unwrap_or_else(|it| panic!("{}: {it:?}", record.external_id)));
        }
    }
    (bodies, pieces.skipped_rows)
}

/// School, pupil, year group, first and last day, whether it is deleted.
type OnRoll<'a> = (&'a str, &'a str, i8, String, Option<String>, bool);

fn on_roll(bodies: &[Body<String>]) -> Vec<OnRoll<'_>> {
    let each = bodies.iter().filter_map(|it| match it {
        Body::Enrolment { urn, pupil, enrolment, deleted } => {
            let Enrolment { year_group, starts_on, ends_on, .. } = enrolment;
            let ends_on = ends_on.map(|it| it.to_string());
            Some((
                urn.as_str(),
                pupil.as_str(),
                *year_group,
                starts_on.to_string(),
                ends_on,
                *deleted,
            ))
        }
        _ => None,
    });
    each.collect()
}

#[test]
fn the_sample_bundle_becomes_pupils_on_roll() {
    let mapping =
        OneRosterMapping { grades: GradeScheme::UnitedStates, ..OneRosterMapping::default() };
    let (found, skipped) = bodies(&mapped(mapping), &SAMPLE);
    let pupils = found.iter().filter(|it| matches!(it, Body::Pupil { .. })).count();
    let roll = on_roll(&found);
    assert_eq!((pupils, roll.len(), skipped), (8, 8, 4), "four rows are of teachers");
    let end = Some("2021-05-28".to_owned());
    assert_eq!(roll[0], ("100001", "604863", 10, "2020-08-17".to_owned(), end, false));
    for name in ["Mary", "Archer", "@studentgps", "1997", "336"] {
        assert!(!format!("{found:?}").contains(name), "{name}");
    }
}

#[test]
fn staff_are_read_once_their_hours_are_told() {
    let mapping = OneRosterMapping { staff_fte_percent: Some(80), ..OneRosterMapping::default() };
    let (found, skipped) = bodies(&mapped(mapping), &SAMPLE);
    let staff = found.iter().filter(|it| matches!(it, Body::Fact { .. })).count();
    assert_eq!((staff, skipped), (2, 0));
}

const ORGS: (&str, &str) = ("orgs.csv", "sourcedId,name,type,identifier\ns,School,school,100001\n");
const MANIFEST: (&str, &str) =
    ("manifest.csv", "propertyName,value\noneroster.version,1.2\nfile.users,delta\n");

#[test]
fn deletions_and_years_are_told_from_a_delta() {
    let users = "sourcedId,status,role,grades\na,active,student,8\nb,tobedeleted,student,8\nc,active,student,8\nd,active,student,8\n";
    let enrollments = "sourcedId,status,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate,endDate\n\
        1,active,k,s,a,student,2025-09-03,\n2,active,k,s,a,student,2024-09-03,2025-07-20\n\
        3,active,k,s,b,student,2025-09-03,\n4,tobedeleted,k,s,c,student,2025-09-03,\n\
        5,tobedeleted,k,s,gone,student,2025-09-03,\n6,active,k,s,d,student,2025-10-01,2026-01-01\n\
        7,active,k,s,d,student,2025-09-05,2026-07-01\n8,tobedeleted,k,s,d,student,2025-09-01,\n\
        9,active,k,s,p,guardian,,\n";
    let files = [MANIFEST, ORGS, ("users.csv", users), ("enrollments.csv", enrollments)];
    let (found, skipped) = bodies(&options(&[]), &files);
    assert_eq!(skipped, 1);
    let forgotten: Vec<_> = found
        .iter()
        .filter_map(|it| match it {
            Body::Pupil { pupil, deleted: true } => Some(pupil.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(forgotten, ["b"]);
    let day = |it: &str| it.to_owned();
    assert_eq!(
        on_roll(&found),
        [
            ("100001", "a", 7, day("2024-09-03"), Some(day("2025-07-20")), false),
            ("100001", "a", 8, day("2025-09-03"), None, false),
            ("100001", "d", 8, day("2025-09-05"), Some(day("2026-07-01")), false),
            ("100001", "gone", 0, day("2025-09-03"), None, true),
        ],
        "of c the bundle says that it is still there"
    );
}

#[test]
fn what_is_no_bundle_is_refused_with_a_place() {
    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let error = pieces(&options(&[]), bytes).unwrap_err();
        assert!(error.detail.contains(expected), "{}", error.detail);
    }
    check(b"", "the archive cannot be unzipped");
    check(b"PK\x03\x04 and no more", "the archive cannot be unzipped");
    check(&zip(&[]), "the bundle has no manifest.csv");
    check(
        &zip(&[("manifest.csv", "propertyName,value\noneroster.version,2.0\n")]),
        "oneroster.version is 2.0",
    );
    check(&zip(&[MANIFEST]), "the bundle has no orgs.csv");
    check(
        &zip(&[MANIFEST, ORGS, ("users.csv", "id\n1\n")]),
        "users.csv: line 1: the header lacks sourcedId",
    );
    check(
        &zip(&[MANIFEST, ORGS, ("a/users.csv", "x"), ("b/Users.csv", "x")]),
        "users.csv is in the archive twice",
    );
    let bomb = "0".repeat(8 << 20);
    check(&zip(&[("manifest.csv", &bomb)]), "manifest.csv is more than 200 times as large");
    let many: Vec<_> = (0..65).map(|it| format!("{it}.csv")).collect();
    let many: Vec<_> = many.iter().map(|it| (it.as_str(), "")).collect();
    check(&zip(&many), "holds 65 files; 64 are the most");
    check(&zip(&SAMPLE), "say which school 255901001 is");
}
