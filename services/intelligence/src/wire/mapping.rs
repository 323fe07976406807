//! Mappings as the contract and the journal hold them.

use std::collections::BTreeMap;

use contract::intelligence as pb;
use identity::SchoolNumber;
use rpc::{Fault, Fields, Reason, Twin};

use crate::domain::{
    CsvMapping, DateFormat, GradeScheme, LineItem, MappedColumn, OneRosterMapping, Source,
    YEAR_GROUPS,
};

/// The longest header, code or value of a mapping, in characters.
const TEXT: usize = 200;
const COLUMNS: usize = 100;
const DATE_FORMATS: usize = 10;
const VALUES: usize = 1000;
const GRADES: usize = 100;

impl CsvMapping {
    /// Reads what can be judged without knowing the kind's columns.
    pub(crate) fn read(fields: &mut Fields, at: &str, it: pb::CsvMapping) -> Option<Self> {
        let kind = fields.listed(&format!("{at}/kind"), it.kind);
        few(fields, &format!("{at}/columns"), it.columns.len(), COLUMNS);
        if it.columns.is_empty() {
            fields.required(&format!("{at}/columns"), None::<()>);
        }
        let columns: Option<_> = (0..)
            .zip(it.columns)
            .map(|(index, it)| column(fields, &format!("{at}/columns/{index}"), it))
            .collect();
        few(fields, &format!("{at}/dateFormats"), it.date_formats.len(), DATE_FORMATS);
        let formats = (0..).zip(&it.date_formats);
        let date_formats: Option<_> = formats
            .map(|(index, it)| {
                fields.take(&format!("{at}/dateFormats/{index}"), DateFormat::parse(it))
            })
            .collect();
        Some(Self {
            kind: kind?,
            columns: columns?,
            date_formats: date_formats?,
            ignore_unmapped: it.ignore_unmapped,
        })
    }
}

fn column(fields: &mut Fields, at: &str, it: pb::MappedColumn) -> Option<MappedColumn> {
    let field = short(fields, &format!("{at}/field"), it.field);
    let source = match (it.header, it.constant) {
        (Some(text), None) => {
            short(fields, &format!("{at}/header"), text.trim().to_owned()).map(Source::Header)
        }
        (None, Some(text)) => short(fields, &format!("{at}/constant"), text).map(Source::Constant),
        _ => {
            let fault = Fault::new(Reason::FieldRequired, "must say either a header or a constant");
            fields.refuse(at, fault);
            None
        }
    };
    let values =
        pairs(fields, &format!("{at}/values"), it.values, VALUES, |text| Ok(text.to_owned()));
    Some(MappedColumn { field: field?, source: source?, values: values? })
}

impl OneRosterMapping {
    pub(crate) fn read(fields: &mut Fields, at: &str, it: pb::OneRosterMapping) -> Option<Self> {
        let grades = match it.grades {
            0 => Some(GradeScheme::default()),
            given => fields.listed(&format!("{at}/grades"), given),
        };
        let schools = pairs(fields, &format!("{at}/schools"), it.schools, VALUES, |text| {
            SchoolNumber::parse(text).map(|_| text.to_owned())
        });
        let year_groups =
            pairs(fields, &format!("{at}/yearGroups"), it.year_groups, GRADES, |text| {
                let year = text.parse().ok().filter(|it| YEAR_GROUPS.contains(&i32::from(*it)));
                year.ok_or_else(|| {
                    Fault::invalid("must be -2 to 14: a national curriculum year, 0 for reception")
                })
            });
        let staff_fte_percent = match it.staff_fte_percent {
            None => Some(None),
            Some(given) => {
                let fte = u8::try_from(given).ok().filter(|it| (1..=150).contains(it));
                let fault = || Fault::invalid("must be 1 to 150: 100 is full time");
                fields.take(&format!("{at}/staffFtePercent"), fte.ok_or_else(fault)).map(Some)
            }
        };
        few(fields, &format!("{at}/lineItems"), it.line_items.len(), VALUES);
        let line_items: Option<_> = (0..)
            .zip(it.line_items)
            .map(|(index, it)| line_item(fields, &format!("{at}/lineItems/{index}"), it))
            .collect();
        Some(Self {
            schools: schools?,
            grades: grades?,
            year_groups: year_groups?,
            staff_fte_percent: staff_fte_percent?,
            line_items: line_items?,
        })
    }
}

fn line_item(fields: &mut Fields, at: &str, it: pb::OneRosterLineItem) -> Option<LineItem> {
    let line_item = short(fields, &format!("{at}/lineItem"), it.line_item);
    let scale = short(fields, &format!("{at}/scale"), it.scale);
    let subject = short(fields, &format!("{at}/subject"), it.subject);
    let assessment_point = short(fields, &format!("{at}/assessmentPoint"), it.assessment_point);
    Some(LineItem {
        line_item: line_item?,
        scale: scale?,
        subject: subject?,
        assessment_point: assessment_point?,
    })
}

/// Their values and ours, each of theirs once.
fn pairs<T>(
    fields: &mut Fields,
    at: &str,
    pairs: Vec<pb::MappedValue>,
    most: usize,
    parse: impl Fn(&str) -> Result<T, Fault>,
) -> Option<BTreeMap<String, T>> {
    few(fields, at, pairs.len(), most);
    let mut found = BTreeMap::new();
    let mut whole = true;
    for (index, it) in (0..).zip(pairs) {
        // Their code may be empty: what a blank means here.
        let theirs = fits(fields, &format!("{at}/{index}/theirs"), it.theirs.trim().to_owned());
        let ours = fits(fields, &format!("{at}/{index}/ours"), it.ours.trim().to_owned());
        let ours = ours.and_then(|text| fields.take(&format!("{at}/{index}/ours"), parse(&text)));
        let (Some(theirs), Some(ours)) = (theirs, ours) else {
            whole = false;
            continue;
        };
        if found.insert(theirs, ours).is_some() {
            fields.refuse(&format!("{at}/{index}/theirs"), Fault::invalid("is mapped already"));
        }
    }
    whole.then_some(found)
}

fn few(fields: &mut Fields, at: &str, given: usize, most: usize) {
    if given > most {
        fields.refuse(at, Fault::invalid(format!("may hold at most {most}")));
    }
}

fn short(fields: &mut Fields, at: &str, text: String) -> Option<String> {
    let text = fields.text(at, text)?;
    fits(fields, at, text)
}

fn fits(fields: &mut Fields, at: &str, text: String) -> Option<String> {
    if text.chars().count() > TEXT || text.contains('\0') {
        let fault = Fault::invalid(format!("must be at most {TEXT} characters, none of them NUL"));
        fields.refuse(at, fault);
        return None;
    }
    Some(text)
}

impl From<&CsvMapping> for pb::CsvMapping {
    fn from(it: &CsvMapping) -> Self {
        Self {
            kind: it.kind.to_wire(),
            columns: it.columns.iter().map(Into::into).collect(),
            date_formats: it.date_formats.iter().map(|it| it.as_str().to_owned()).collect(),
            ignore_unmapped: it.ignore_unmapped,
        }
    }
}

impl From<&MappedColumn> for pb::MappedColumn {
    fn from(it: &MappedColumn) -> Self {
        Self {
            field: it.field.clone(),
            header: match &it.source {
                Source::Header(text) => Some(text.clone()),
                Source::Constant(_) => None,
            },
            constant: match &it.source {
                Source::Header(_) => None,
                Source::Constant(text) => Some(text.clone()),
            },
            values: listed(&it.values),
        }
    }
}

impl From<&OneRosterMapping> for pb::OneRosterMapping {
    fn from(it: &OneRosterMapping) -> Self {
        Self {
            schools: listed(&it.schools),
            grades: it.grades.to_wire(),
            year_groups: listed(&it.year_groups),
            staff_fte_percent: it.staff_fte_percent.map(u32::from),
            line_items: it.line_items.iter().map(Into::into).collect(),
        }
    }
}

impl From<&LineItem> for pb::OneRosterLineItem {
    fn from(it: &LineItem) -> Self {
        let LineItem { line_item, scale, subject, assessment_point } = it.clone();
        Self { line_item, scale, subject, assessment_point }
    }
}

fn listed<T: ToString>(pairs: &BTreeMap<String, T>) -> Vec<pb::MappedValue> {
    let pairs = pairs.iter();
    pairs
        .map(|(theirs, ours)| pb::MappedValue { theirs: theirs.clone(), ours: ours.to_string() })
        .collect()
}
