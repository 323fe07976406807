//! Tables as the Department for Education publishes them: which columns are which measure, and what stands where there
//! is no value. Data, not code, for columns come and go with the years.

use std::sync::LazyLock;

use calendar::AcademicYear;
use serde::{Deserialize, de::DeserializeOwned};

static LAYOUTS: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let mut layouts: Vec<Published> = table(include_str!("../../data/published_layouts.csv"));
    let columns: Vec<(String, PublishedColumn)> =
        owned(include_str!("../../data/published_columns.csv"));
    let codes: Vec<(String, PublishedCode)> = owned(include_str!("../../data/published_codes.csv"));
    for layout in &mut layouts {
        let of = |name: &str| name == layout.name;
        layout.columns = columns.iter().filter(|it| of(&it.0)).map(|it| it.1.clone()).collect();
        layout.codes = codes.iter().filter(|it| of(&it.0)).map(|it| it.1.clone()).collect();
    }
    layouts
});

/// One kind of table.
#[derive(Clone, Debug, Deserialize)]
pub struct Published {
    #[serde(rename = "layout")]
    pub name: String,
    pub title: String,
    /// Columns that every edition has, and no other table.
    told_by: String,
    /// The column with the school's URN.
    pub urn: String,
    /// The column that tells rows of schools from sums of them, and its values that mean a school.
    pub only_column: Option<String>,
    only_values: Option<String>,
    /// The column with the academic year; otherwise the push says it, or the names of columns.
    pub period_column: Option<String>,
    #[serde(skip)]
    pub columns: Vec<PublishedColumn>,
    #[serde(skip)]
    codes: Vec<PublishedCode>,
}

/// A column and the measure it holds.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedColumn {
    /// Its header; `{period}` in it stands for an academic year as `2021_22`.
    column: String,
    /// For a share: the column that counts the whole.
    pub of: Option<String>,
    pub measure: String,
    pub subject: Option<String>,
    pub group: Option<String>,
    pub unit: PublishedUnit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublishedUnit {
    Count,
    /// 0 to 100, with or without a percent sign.
    Percent,
    Points,
    /// A count of a part, where another column counts the whole.
    Share,
}

/// What stands where there is no value.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishedCode {
    #[serde(default)]
    pub code: Option<String>,
    /// Why there is no value: a name of the contract's list.
    pub absent: String,
    pub meaning: String,
}

/// A place in a row that holds a value of a measure.
#[derive(Clone, Debug)]
pub struct Cell {
    pub column: &'static PublishedColumn,
    pub place: usize,
    /// For a share: where the whole is.
    pub of: Option<usize>,
    /// The year that the header says.
    pub period: Option<AcademicYear>,
}

impl Published {
    pub fn all() -> &'static [Self] {
        &LAYOUTS
    }

    /// The table a header is of.
    pub fn told_by(header: &[String]) -> Option<&'static Self> {
        let has = |name: &str| header.iter().any(|it| named(name, it).is_some());
        LAYOUTS.iter().find(|it| it.told_by.split(' ').all(has))
    }

    /// The columns of the table that a header lacks and no edition does.
    pub fn missing(&self, header: &[String]) -> Vec<&str> {
        let has = |name: &str| header.iter().any(|it| named(name, it).is_some());
        self.told_by.split(' ').filter(|it| !has(it)).collect()
    }

    /// Whether a row with this value in the telling column is of a school.
    pub fn is_school(&self, value: &str) -> bool {
        self.only_values.as_ref().is_none_or(|it| it.split(' ').any(|it| it == value))
    }

    /// Where the header has columns with measures.
    pub fn cells(&'static self, header: &[String]) -> Vec<Cell> {
        let place = |name: &str| header.iter().position(|it| it.eq_ignore_ascii_case(name));
        let mut cells = Vec::new();
        for column in &self.columns {
            for (at, name) in header.iter().enumerate() {
                let Some(Named { period }) = named(&column.column, name) else { continue };
                let of = column.of.as_deref().and_then(place);
                if of.is_some() == (column.unit == PublishedUnit::Share) {
                    cells.push(Cell { column, place: at, of, period });
                }
            }
        }
        cells.sort_by_key(|it| it.place);
        cells
    }

    /// Why there is no value where this stands, if that is what it says.
    pub fn code(&self, text: &str) -> Option<&PublishedCode> {
        self.codes.iter().find(|it| it.code.as_deref().unwrap_or_default() == text)
    }

    /// The codes it uses, for people.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.codes.iter().filter_map(|it| it.code.as_deref())
    }
}

/// A header that is a column, with the year it says where the column's name leaves that open.
struct Named {
    period: Option<AcademicYear>,
}

fn named(name: &str, header: &str) -> Option<Named> {
    let Some((before, after)) = name.split_once("{period}") else {
        return name.eq_ignore_ascii_case(header).then_some(Named { period: None });
    };
    let period = academic_year(header.strip_prefix(before)?.strip_suffix(after)?)?;
    Some(Named { period: Some(period) })
}

/// An academic year as files write it: `2018/19`, `2018-19`, `2018_19`, `2018/2019`, `201819`.
pub fn academic_year(text: &str) -> Option<AcademicYear> {
    let digits: String = text.trim().chars().filter(|it| !"/-_ ".contains(*it)).collect();
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let (first, second) = digits.split_at_checked(4)?;
    let short = match second.len() {
        2 => second,
        4 => second.split_at(2).1,
        _ => return None,
    };
    format!("{first}/{short}").parse().ok()
}

/// The rows of a table; a test sees to it that all of them can be read.
fn table<T: DeserializeOwned>(text: &str) -> Vec<T> {
    rows(text).deserialize().filter_map(Result::ok).collect()
}

/// Rows with the layout they belong to.
fn owned<T: DeserializeOwned>(text: &str) -> Vec<(String, T)> {
    let mut reader = rows(text);
    let header = reader.headers().cloned().unwrap_or_default();
    let row = |row: csv::StringRecord| {
        let layout = row.get(0).unwrap_or_default().to_owned();
        Some((layout, row.deserialize(Some(&header)).ok()?))
    };
    reader.records().filter_map(Result::ok).filter_map(row).collect()
}

fn rows(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_and_code_belongs_to_a_table() {
        let (columns, codes): (Vec<_>, Vec<_>) =
            LAYOUTS.iter().map(|it| (it.columns.len(), it.codes.len())).unzip();
        let told = (LAYOUTS.len(), columns.iter().sum(), codes.iter().sum());
        let lines = |text: &str| text.lines().filter(|it| !it.starts_with('#')).count() - 1;
        let written = (
            lines(include_str!("../../data/published_layouts.csv")),
            lines(include_str!("../../data/published_columns.csv")),
            lines(include_str!("../../data/published_codes.csv")),
        );
        assert_eq!(told, written);
        for layout in Published::all() {
            assert!(!layout.columns.is_empty() && layout.code("").is_some(), "{}", layout.name);
            for column in &layout.columns {
                assert_eq!(
                    column.of.is_some(),
                    column.unit == PublishedUnit::Share,
                    "{}",
                    column.column
                );
            }
        }
    }

    #[test]
    fn a_table_is_told_by_its_header() {
        #[track_caller]
        fn check(header: &str, expected: Option<&str>) {
            let header: Vec<_> = header.split(',').map(str::to_owned).collect();
            assert_eq!(Published::told_by(&header).map(|it| it.name.as_str()), expected);
        }
        check("RECTYPE,ALPHAIND,LEA,ESTAB,URN,READPROG", Some("ks2"));
        check("RECTYPE,LEA,ESTAB,URN,P8MEA,ATT8SCR", Some("ks4"));
        check("urn,name,pa_pct_2021_22,abs_pct_2021_22", Some("absence"));
        check("external_id,urn,pupil", None);
    }

    #[test]
    fn a_year_is_written_in_several_ways() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(academic_year(text).map(|it| it.to_string()).as_deref(), expected, "{text}");
        }
        for text in ["2018/19", "2018-19", "2018_19", "2018/2019", "201819", " 2018/19 "] {
            check(text, Some("2018/19"));
        }
        for text in ["2018", "2018/20", "", "18/19", "é", "20181", "2018/19/20"] {
            check(text, None);
        }
    }
}
