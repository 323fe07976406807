use super::{csv, observations, options, told};
use crate::domain::{Absent, Stated, academic_year};

const KS2: &[u8] = include_bytes!("../../../../tests/data/published/ks2_2018-19.csv");
const KS2_2017: &[u8] = include_bytes!("../../../../tests/data/published/ks2_2016-17.csv");
const KS4: &[u8] = include_bytes!("../../../../tests/data/published/ks4_2018-19.csv");
const INFORMATION: &[u8] =
    include_bytes!("../../../../tests/data/published/ks4_information_2023-24.csv");
const YEARS: &[u8] = include_bytes!("../../../../tests/data/published/school_years_2015-19.csv");
const CENSUS: &[u8] = include_bytes!("../../../../tests/data/published/census_2022-23.csv");
const ABSENCE: &[u8] = include_bytes!("../../../../tests/data/published/absence_2021-24.csv");

const SUPPRESSED: Stated = Stated::Absent(Absent::Suppressed);
const UNAVAILABLE: Stated = Stated::Absent(Absent::NotAvailable);
const INAPPLICABLE: Stated = Stated::Absent(Absent::NotApplicable);

/// What a column of a school says, by the id that its record is given.
#[track_caller]
fn check(file: &[u8], period: Option<&str>, id: &str, expected: (Stated, Option<&str>)) {
    let urn = id.split(' ').next().unwrap();
    let mut options = options(&[urn]);
    options.period = period.map(|it| academic_year(it).unwrap());
    let read = csv(&options, file).unwrap();
    let found = observations(&read).into_iter().find(|it| it.0 == id);
    let found = found.unwrap_or_else(|| panic!("no {id}")).1;
    assert_eq!((found.stated, found.source_code.as_deref()), expected, "{id}");
}

#[test]
fn key_stage_2_is_read_with_every_code() {
    let year = Some("2018/19");
    check(KS2, year, "124937 2018/19 READPROG", (Stated::Value(1.4), None));
    check(KS2, year, "145383 2018/19 READPROG", (SUPPRESSED, Some("SUPP")));
    check(KS2, year, "146264 2018/19 PTRWM_EXP", (UNAVAILABLE, Some("NEW")));
    check(KS2, year, "146264 2018/19 TOTPUPS", (UNAVAILABLE, Some("NEW")));
    check(KS2_2017, Some("2016/17"), "125284 2016/17 TOTPUPS", (Stated::Value(83.0), None));
    check(KS2_2017, Some("2016/17"), "125284 2016/17 MATPROG", (UNAVAILABLE, None));
}

#[test]
fn key_stage_4_is_read_with_every_code() {
    let year = Some("2018/19");
    check(KS4, year, "139948 2018/19 TPUP", (Stated::Value(129.0), None));
    check(KS4, year, "125320 2018/19 P8MEA", (UNAVAILABLE, Some("NP")));
    check(KS4, year, "146527 2018/19 ATT8SCR", (UNAVAILABLE, Some("NEW")));
    check(KS4, year, "134902 2018/19 ATT8SCR_GIRLS", (SUPPRESSED, Some("SUPP")));
}

#[test]
fn the_newer_layout_says_its_year_and_codes_by_letters() {
    check(INFORMATION, None, "100544 2023/24 t_pupils", (Stated::Value(49.0), None));
    check(INFORMATION, None, "100544 2023/24 t_disadvantaged", (INAPPLICABLE, Some("z")));
    let share = Stated::Share { numerator: 86.0, denominator: 173.0 };
    check(INFORMATION, None, "137181 2023/24 t_disadvantaged", (share, None));
    check(INFORMATION, None, "137181 2023/24 diffn_p8mea", (Stated::Value(-0.71), None));
    let unreliable = Stated::Absent(Absent::LowReliability);
    check(INFORMATION, None, "143589 2023/24 diffn_p8mea", (unreliable, Some("u")));
}

#[test]
fn shares_are_counts_over_counts() {
    let year = Some("2022/23");
    let share = Stated::Share { numerator: 145.0, denominator: 271.0 };
    check(CENSUS, year, "100000 2022/23 NUMEAL", (share, None));
    check(CENSUS, year, "100001 2022/23 NUMEAL", (INAPPLICABLE, Some("NA")));
    check(CENSUS, year, "100000 2022/23 NOR", (Stated::Value(271.0), None));
}

#[test]
fn years_come_from_columns_and_headers() {
    check(YEARS, None, "100000 2015/16 maths_progress", (Stated::Value(3.0), None));
    check(YEARS, None, "100000 2016/17 progress_8", (UNAVAILABLE, None));
    check(ABSENCE, None, "100052 2022/23 pa_pct_2022_23", (Stated::Value(23.996_27), None));
    check(ABSENCE, None, "148520 2021/22 abs_pct_2021_22", (UNAVAILABLE, None));
    check(ABSENCE, None, "148520 2023/24 unauth_pct_2023_24", (Stated::Value(5.484_22), None));
}

#[test]
fn only_schools_of_the_feed_are_read_and_the_rest_counted() {
    #[track_caller]
    fn check(file: &[u8], period: Option<&str>, urns: &[&str], schools: usize, skipped: u32) {
        let mut options = options(urns);
        options.period = period.map(|it| academic_year(it).unwrap());
        let read = csv(&options, file).unwrap();
        let mut lines: Vec<_> = read.records.iter().map(|it| it.line).collect();
        lines.dedup();
        assert_eq!((lines.len(), read.skipped_rows), (schools, skipped));
        assert!(told(&read).iter().all(|it| it.1.is_ok()), "{:?}", told(&read));
    }
    check(KS2, Some("2018/19"), &["124937", "145383"], 2, 4);
    check(KS2, Some("2018/19"), &[], 0, 6);
    check(KS4, Some("2018/19"), &["139948", "125320", "134902", "146527"], 4, 2);
    check(CENSUS, Some("2022/23"), &["100000"], 1, 2);
    check(ABSENCE, None, &["100056"], 1, 2);
    check(INFORMATION, None, &["100544"], 1, 4);
}

#[test]
fn the_year_must_be_known_and_values_be_numbers_or_codes() {
    let mut options = options(&["124937"]);
    let detail = csv(&options, KS2).unwrap_err();
    assert!(detail.starts_with("/period: must be given"), "{detail}");
    options.period = academic_year("2018/19");
    let body = "RECTYPE,URN,READPROG,PTRWM_EXP\n1,124937,about 2,\"1,059%\"\n";
    let read = csv(&options, body).unwrap();
    let found = told(&read);
    let wrong = found[0].1.as_ref().unwrap_err();
    assert_eq!(wrong[0].0, "/observation/value");
    assert!(wrong[0].1.contains(
        "\"about 2\" is neither a number nor a code of this table (column 3, \"READPROG\")"
    ));
    assert!(found[1].1.is_ok());
}
