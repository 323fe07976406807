use chrono::NaiveDate;
use rpc::Reason;

use super::*;
use crate::domain::establishment::{EducationPhase, EstablishmentStatus};

const ESTABLISHMENTS: &[u8] = include_bytes!("../../tests/data/edubasealldata.csv");
const EXPORT: &[u8] = include_bytes!("../../tests/data/export.csv");
const LINKS: &[u8] = include_bytes!("../../tests/data/links_edubasealldata.csv");
const GROUPS: &[u8] = include_bytes!("../../tests/data/allgroupsdata.csv");
const MEMBERSHIPS: &[u8] = include_bytes!("../../tests/data/alllinksdata.csv");

const HEADER: &str = "URN,EstablishmentName,EstablishmentStatus (name),PhaseOfEducation (name),\
                      TypeOfEstablishment (name),OpenDate,LA (code),EstablishmentNumber\r\n";

fn establishments(bytes: &[u8]) -> Vec<Establishment> {
    match read(bytes).unwrap().content {
        Content::Establishments(rows, _) => rows,
        other => panic!("{:?}", other.file()),
    }
}

#[test]
fn each_file_is_known_by_its_header_and_read_whole() {
    #[track_caller]
    fn check(bytes: &[u8], kind: RegisterFile, rows: u32, ignored: u32) -> File {
        let file = read(bytes).unwrap();
        assert_eq!(file.quarantine, []);
        assert_eq!((file.content.file(), file.rows, file.ignored), (kind, rows, ignored));
        file
    }
    let file = check(ESTABLISHMENTS, RegisterFile::Establishments, 48, 0);
    assert!(file.unknown_columns.contains(&"OfstedRating (name)".to_owned()));
    assert!(!file.unknown_columns.contains(&"URN".to_owned()));
    check(EXPORT, RegisterFile::Establishments, 49, 0);
    check(LINKS, RegisterFile::Links, 52, 0);
    check(GROUPS, RegisterFile::Groups, 26, 0);
    check(MEMBERSHIPS, RegisterFile::Memberships, 50, 29);
}

#[test]
fn a_row_of_the_register_is_read_as_it_means() {
    let rows = establishments(ESTABLISHMENTS);
    let school = rows.iter().find(|it| it.urn.as_str() == "147671").unwrap();
    assert_eq!(school.name, "Byfleet Primary School");
    assert_eq!(school.status, EstablishmentStatus::Open);
    assert_eq!(school.phase, EducationPhase::Primary);
    assert_eq!(school.kind, "Academy converter");
    assert_eq!(school.laestab.as_ref().map(identity::Laestab::as_str), Some("9362271"));
    assert_eq!(school.trust_group_uid.as_ref().map(identity::GroupUid::as_str), Some("3039"));
    assert_eq!(school.opened_on, NaiveDate::from_ymd_opt(2020, 5, 1));
    assert!(school.easting.is_some() && school.northing.is_some());
    assert_eq!(school.ukprn, None, "the file has no such column");
    // Windows-1252.
    assert!(rows.iter().any(|it| it.name.contains('é') || it.name.contains('à')), "{rows:?}");
}

#[test]
fn the_export_has_names_only_and_ragged_rows() {
    let rows = establishments(EXPORT);
    let closed = rows.iter().find(|it| it.urn.as_str() == "124999").unwrap();
    assert_eq!(closed.status, EstablishmentStatus::Closed);
    assert!(closed.closed_on.is_some());
    assert!(!closed.trust_stated, "names are not group UIDs");
    assert!(rows.iter().any(|it| it.ukprn.is_some()));
}

#[test]
fn what_a_file_has_no_column_for_stays_as_it_was() {
    let (old, stated) = match read(EXPORT).unwrap().content {
        Content::Establishments(rows, stated) => (rows, stated),
        other => panic!("{:?}", other.file()),
    };
    let mut full = establishments(ESTABLISHMENTS);
    let group = full.iter_mut().find(|it| it.trust_group_uid.is_some()).unwrap();
    let mut new = Establishment { urn: group.urn.clone(), ..old[0].clone() };
    stated.complete(&mut new, group);
    assert_eq!(new.trust_group_uid, group.trust_group_uid);
    assert!(new.trust_stated);
    assert_eq!(new.name, old[0].name);
    assert_eq!(new.ukprn, old[0].ukprn);
}

#[test]
fn memberships_are_those_of_academy_trusts() {
    let Content::Memberships(rows) = read(MEMBERSHIPS).unwrap().content else { panic!() };
    let one = rows.iter().find(|it| it.urn.as_str() == "148883").unwrap();
    assert_eq!(one.group_uid.as_str(), "15864");
    assert_eq!(one.joined_on, NaiveDate::from_ymd_opt(2022, 3, 1));
}

#[test]
fn groups_have_their_numbers_back() {
    let Content::Groups(rows) = read(GROUPS).unwrap().content else { panic!() };
    let trust = rows.iter().find(|it| it.group_uid.as_str() == "15864").unwrap();
    let company = trust.companies_house_number.as_ref().unwrap();
    assert_eq!(company.as_str(), "09785186");
    assert!(rows.iter().all(|it| it.opened_on != NaiveDate::from_ymd_opt(1900, 1, 1)));
}

#[test]
fn any_encoding_and_line_end_reads_the_same() {
    let text = format!("{HEADER}100000,Pré,Open,Primary,Academy,01-09-2020,936,2014\r\n");
    let expected = establishments(text.as_bytes());
    assert_eq!(expected[0].name, "Pré");
    let marked = format!("\u{feff}{text}");
    assert_eq!(establishments(marked.as_bytes()), expected);
    assert_eq!(establishments(text.replace("\r\n", "\n").as_bytes()), expected);
    let windows = encoding_rs::WINDOWS_1252.encode(&text).0.into_owned();
    assert!(std::str::from_utf8(&windows).is_err());
    assert_eq!(establishments(&windows), expected);
    let codes = "URN,EstablishmentName,EstablishmentStatus (code),EstablishmentStatus (name),\
                 PhaseOfEducation (code),PhaseOfEducation (name),TypeOfEstablishment (name),OpenDate,\
                 EstablishmentNumber,LA (code)\n\
                 100000,Pré,1,Open,2,Primary,Academy,2020-09-01,2014,936\n";
    assert_eq!(establishments(codes.as_bytes()), expected);
}

#[test]
fn a_row_that_cannot_be_read_is_set_aside_with_its_line_and_reason() {
    #[track_caller]
    fn check(row: &str, column: Option<&str>, problem: &str) {
        let text = format!("{HEADER}{row}\r\n100009,Good,Open,Primary,Academy,,,\r\n");
        let file = read(text.as_bytes()).unwrap();
        assert_eq!(file.rows, 2);
        let [found] = file.quarantine.as_slice() else { panic!("{:?}", file.quarantine) };
        assert_eq!((found.line, found.column.as_deref()), (2, column));
        assert!(found.problem.contains(problem), "{found:?}");
    }
    check("1000,A,Open,Primary,Academy,,,", Some("URN"), "6 digits");
    check(",A,Open,Primary,Academy,,,", Some("URN"), "blank");
    check("100000,,Open,Primary,Academy,,,", Some("EstablishmentName"), "blank");
    check("100000,A,Shut,Primary,Academy,,,", Some("EstablishmentStatus (name)"), "\"Shut\"");
    check("100000,A,Open,Primary,Academy,31-02-2020,,", Some("OpenDate"), "date");
    check("100000,A,Open,Primary,Academy", None, "has 5 fields, the header has 8");
    check("100000,A,Open,Primary,Academy,,,,,", None, "has 10 fields");
}

#[test]
fn a_childrens_centre_is_no_school() {
    let file = read(format!("{HEADER}20003,A,Open,,Children's centre,,,\r\n").as_bytes()).unwrap();
    assert_eq!((file.rows, file.ignored, file.quarantine.len()), (1, 1, 0));
}

#[test]
fn a_row_said_twice_counts_once() {
    let row = "100000,A,Open,Primary,Academy,,,\r\n";
    let file = read(format!("{HEADER}{row}{row}").as_bytes()).unwrap();
    assert_eq!(file.quarantine.len(), 1);
    assert_eq!(file.quarantine[0].line, 3);
    assert_eq!(file.quarantine[0].urn.as_deref(), Some("100000"));
    assert!(file.quarantine[0].problem.ends_with("line 2"));
}

#[test]
fn what_is_no_file_of_the_register_is_refused_saying_why() {
    #[track_caller]
    fn check(bytes: &[u8], reason: Reason, said: &str) {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.reason, reason, "{error}");
        assert!(error.detail.contains(said), "{error}");
    }
    check(b"", Reason::FileMalformed, "line 1: the file is empty");
    check(b"PK\x03\x04rest", Reason::FileMalformed, "ZIP");
    check(b"<html><body>Sign in</body></html>", Reason::FileMalformed, "line 1: no columns");
    check(b"URN,EstablishmentName\n100000,A\x00\n", Reason::FileMalformed, "line 2: a zero byte");
    check(
        b"URN,EstablishmentName,PhaseOfEducation (name)\n",
        Reason::ColumnMissing,
        "EstablishmentStatus (code) or EstablishmentStatus (name), TypeOfEstablishment (name)",
    );
    check(
        b"URN,LinkURN\n",
        Reason::ColumnMissing,
        "a file of links must have the columns LinkType",
    );
    check(b"URN,Group UID\n", Reason::ColumnMissing, "Group Name, Group Type");
    check(b"Group UID,Group Name\n", Reason::ColumnMissing, "Group Type, Group Status");
    let open = format!("{HEADER}100000,\"A,Open\r\n{}", "100001,B,Open\r\n".repeat(2000));
    check(open.as_bytes(), Reason::FileMalformed, "line 2: a quotation mark");
}
