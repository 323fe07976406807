//! Values as GIAS and the spreadsheets it passes through write them.

use chrono::NaiveDate;
use identity::{CompaniesHouseNumber, GroupUid, Ukprn, Urn};
use rpc::Fault;

/// What GIAS writes for a date it does not have.
const NO_DATE: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();

/// A whole number that a spreadsheet may have turned into a float: `7525820.0`.
fn unfloated(text: &str) -> &str {
    text.strip_suffix(".0").unwrap_or(text)
}

/// A date in any of the three forms, or none for the sentinel.
pub(super) fn date(text: &str) -> Result<Option<NaiveDate>, Fault> {
    let text = text.split([' ', 'T']).next().unwrap_or(text);
    let date = ["%d-%m-%Y", "%d/%m/%Y", "%Y-%m-%d"]
        .iter()
        .filter(|_| text.len() == 10)
        .find_map(|it| NaiveDate::parse_from_str(text, it).ok())
        .ok_or_else(|| Fault::invalid("is not a date: DD-MM-YYYY, DD/MM/YYYY or YYYY-MM-DD"))?;
    Ok((date > NO_DATE).then_some(date))
}

pub(super) fn whole_number(text: &str) -> Result<i32, Fault> {
    let number = unfloated(text).parse().ok().filter(|it: &i32| *it >= 0);
    number.ok_or_else(|| Fault::invalid("is not a whole number"))
}

pub(super) fn urn(text: &str) -> Result<Urn, Fault> {
    Urn::parse(unfloated(text))
}

pub(super) fn ukprn(text: &str) -> Result<Ukprn, Fault> {
    Ukprn::parse(unfloated(text))
}

pub(super) fn group_uid(text: &str) -> Result<GroupUid, Fault> {
    GroupUid::parse(unfloated(text))
}

/// Spreadsheets also drop its leading zeros.
pub(super) fn companies_house_number(text: &str) -> Result<CompaniesHouseNumber, Fault> {
    let text = unfloated(text);
    let digits = text.bytes().all(|it| it.is_ascii_digit());
    let padded = if digits { format!("{text:0>8}") } else { text.to_ascii_uppercase() };
    CompaniesHouseNumber::parse(&padded)
}

/// A code of so many digits, which a spreadsheet may have shorn of leading zeros.
pub(super) fn code(text: &str, digits: usize) -> Result<String, Fault> {
    let text = unfloated(text);
    if text.len() <= digits && text.bytes().all(|it| it.is_ascii_digit()) {
        Ok(format!("{text:0>digits$}"))
    } else {
        Err(Fault::invalid(format!("is not a code of {digits} digits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_three_forms_and_the_sentinel() {
        #[track_caller]
        fn check(text: &str, expected: Result<Option<&str>, ()>) {
            let found = date(text).map(|it| it.map(|it| it.to_string())).map_err(drop);
            assert_eq!(
                found.as_ref().map(|it| it.as_deref()),
                expected.as_ref().map(|it| *it),
                "{text}"
            );
        }
        check("19-04-2013", Ok(Some("2013-04-19")));
        check("19/04/2013", Ok(Some("2013-04-19")));
        check("2013-04-19", Ok(Some("2013-04-19")));
        check("2013-04-19 00:00:00", Ok(Some("2013-04-19")));
        check("1900-01-01", Ok(None));
        check("01/01/1900", Ok(None));
        check("30-02-2013", Err(()));
        check("1-2-2013", Err(()));
        check("2013", Err(()));
    }

    #[test]
    fn numbers_that_passed_through_a_spreadsheet() {
        assert_eq!(companies_house_number("7525820.0").unwrap().as_str(), "07525820");
        assert_eq!(companies_house_number("sc123456").unwrap().as_str(), "SC123456");
        assert!(companies_house_number("Not recorded").is_err());
        assert_eq!(ukprn("10060695.0").unwrap().as_str(), "10060695");
        assert_eq!(whole_number("276").unwrap(), 276);
        assert_eq!(whole_number("276.0").unwrap(), 276);
        assert!(whole_number("-1").is_err());
        assert!(whole_number("27.5").is_err());
        assert_eq!(code("2", 4).unwrap(), "0002");
        assert!(code("20145", 4).is_err());
    }
}
