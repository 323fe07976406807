use super::{csv, options, told};
use crate::domain::{CsvMapping, DateFormat, Kind, MappedColumn, Reading, Source};

#[track_caller]
fn check(body: &str, expected: &[(u32, Result<Kind, &str>)]) {
    let read = csv(&options(&[]), body).unwrap();
    let found = told(&read);
    let found: Vec<_> = found
        .iter()
        .map(|(line, body)| (*line, body.as_ref().copied().map_err(|it| it[0].0.as_str())))
        .collect();
    assert_eq!(found, expected, "{body}");
}

#[track_caller]
fn refused(body: impl AsRef<[u8]>, expected: &str) {
    let detail = csv(&options(&[]), body).unwrap_err();
    assert!(detail.contains(expected), "{detail}");
}

#[test]
fn every_kind_is_told_by_its_columns() {
    use Kind as K;
    for (body, kind) in [
        ("pupil\np1\n", K::Pupil),
        (
            "External ID;URN;Pupil;Year-Group;starts on;ends_on\ne;100001;p1;3;2025-09-01;\n",
            K::Enrolment,
        ),
        ("urn\tdate\tsession\tpupil\tcode\n100001\t2025-11-21\tAM\tp1\t/\n", K::AttendanceRegister),
        (
            "urn,pupil,scale,subject,assessment_point,taken_on,result\n100001,p1,ks2_scaled_score,maths,ks2,2026-05-12,104\n",
            K::AssessmentResult,
        ),
        (
            "urn,pupil,scale,subject,assessment_point,taken_on,absent\n100001,p1,ks2_scaled_score,maths,ks2,2026-05-12,not applicable\n",
            K::AssessmentResult,
        ),
        (
            "urn,pupil,category,starts_on,session,sessions,reasons\n100001,p1,SUSP,2025-11-03,AM,3,PP; DB\n",
            K::Suspension,
        ),
        (
            "urn,incident,on,pupil,category,points\n100001,i1,2025-11-03,p1,physical_assault_pupil,-3\n",
            K::BehaviourIncident,
        ),
        (
            "urn,person,role,fte,starts_on\n100001,s1,classroom_teacher,0.6,2020-09-01\n",
            K::StaffMember,
        ),
        (
            "urn,person,starts_on,working_days,reason\n100001,s1,2025-11-03,2.5,SIC\n",
            K::StaffAbsence,
        ),
        ("urn,on,covered_by,lessons\n100001,2025-11-03,supply_teacher,12\n", K::Cover),
        (
            "urn,code,kind,starts_on,ends_on,amount_pence\n100001,I01,actual,2025-09-01,2026-08-31,123456700\n",
            K::BudgetLine,
        ),
        (
            "urn,measure,starts_on,ends_on,source,value\n100001,reading_age,2025-09-01,2026-08-31,survey,9.5\n",
            K::Observation,
        ),
        (
            "urn,measure,starts_on,ends_on,source,numerator,denominator\n100001,x,2025-09-01,2026-08-31,hr,1,2\n",
            K::Observation,
        ),
    ] {
        check(body, &[(2, Ok(kind))]);
    }
}

#[test]
fn what_is_wrong_is_told_with_its_column() {
    let head = "external_id,urn,pupil,year_group,starts_on,ends_on,deleted\n";
    let body = format!(
        "{head}a,100001,p1,three,2025-09-01,,\n\nb,100001,p2\n\"c\n\",100001,p3,3,2025-09-01,,maybe\n\
         d,100001,p4,3.0,2025-09-01,,\ne,,p5,,,,\nf,100001,p6,,2025-09-01,,yes\n"
    );
    let read = csv(&options(&[]), body).unwrap();
    let found = told(&read);
    let wrong = |index: usize| found[index].1.as_ref().unwrap_err().clone();
    assert_eq!(found.iter().map(|it| it.0).collect::<Vec<_>>(), [2, 4, 5, 7, 8, 9]);
    assert_eq!(wrong(0)[0].0, "/enrolment/yearGroup");
    assert_eq!(wrong(0)[0].1, "must be a whole number, not \"three\" (column 4, \"year_group\")");
    assert_eq!(wrong(1)[0].1, "has 3 values where the header has 7");
    assert_eq!(wrong(2)[0].0, "/enrolment/deleted");
    assert_eq!(found[3].1, Ok(Kind::Enrolment));
    assert_eq!(wrong(4)[0].0, "/enrolment/yearGroup");
    assert_eq!(found[5].1, Ok(Kind::Enrolment), "a deletion names only what it deletes");
    check("pupil,deleted\nx\0y,\nz,,,\n", &[(2, Err("")), (3, Ok(Kind::Pupil))]);
}

#[test]
fn a_whole_file_is_refused_with_a_place() {
    refused("", "there is no header");
    refused(",,\n1,2,3\n", "there is no header");
    refused("external_id,urn,date,pupil,code\n", "line 1: the header lacks session");
    refused("pupil,colour\n", "column 2, \"colour\"");
    refused("pupil,Pupil\n", "comes twice");
    refused(b"\xff\xfep\0u\0p\0i\0l\0", "UTF-16");
    refused(vec!["c"; 10_000].join(","), "has 10000 columns; 1000 are the most");
}

fn mapping() -> CsvMapping {
    let column = |field: &str, source| MappedColumn {
        field: field.to_owned(),
        source,
        values: if field == "session" {
            [("Morning", "AM"), ("Afternoon", "PM")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .into()
        } else {
            [].into()
        },
    };
    let header = |text: &str| Source::Header(text.to_owned());
    CsvMapping {
        kind: Kind::AttendanceRegister,
        columns: vec![
            column("urn", Source::Constant("100001".to_owned())),
            column("date", header("Mark Date")),
            column("session", header("Session Name")),
            column("pupil", header("UPN")),
            column("code", header("Mark")),
        ],
        date_formats: vec![DateFormat::parse("DD/MM/YYYY").unwrap()],
        ignore_unmapped: true,
    }
}

#[test]
fn a_mapping_reads_the_export_as_it_is() {
    let mut options = options(&[]);
    options.mapping = Some(Reading::Csv(mapping()));
    let body = b"Mark Date;UPN;Forename;session-name;Mark\r\n20/11/2025;A1;Zo\xeb;Morning;/\r\n\
        2025-11-20;A2;;Afternoon;\\\r\n20/11/2025 00:00;A3;;Evening;/\r\n";
    let read = csv(&options, body).unwrap();
    let found = told(&read);
    assert_eq!(found[0], (2, Ok(Kind::AttendanceRegister)));
    let wrong = found[1].1.as_ref().unwrap_err();
    assert_eq!(wrong[0].0, "/attendanceRegister/date");
    assert!(wrong[0].1.ends_with("(column 1, \"Mark Date\")"), "{wrong:?}");
    let wrong = found[2].1.as_ref().unwrap_err();
    assert_eq!(wrong[0].0, "/attendanceRegister/session");
    assert!(wrong[0].1.ends_with("(column 4, \"Session Name\")"), "{wrong:?}");

    let lacking = csv(&options, "UPN,Mark\nA1,/\n").unwrap_err();
    assert_eq!(lacking, "line 1: the header lacks Mark Date, Session Name");
    options.mapping = Some(Reading::Csv(CsvMapping { ignore_unmapped: false, ..mapping() }));
    let stray = csv(&options, body).unwrap_err();
    assert!(stray.contains("column 3, \"Forename\", is not mapped"), "{stray}");
}
