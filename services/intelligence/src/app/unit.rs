//! Questions about a unit, as questions about its school.

use db::Tx;
use rpc::{Error, Fault, Result};

use super::observation::{Question, Split};
use crate::{
    domain::{MeasuredBy, Schools, Shown},
    store,
};

impl Question {
    /// The same question about the unit's school, confined to what the unit is measured by.
    pub(super) async fn of_school(&self, tx: &mut Tx, known: &Schools) -> Result<Self> {
        let Some(unit_id) = self.unit else { return Ok(self.clone()) };
        let nothing = || Error::not_found("unit", unit_id.0);
        let unit = store::unit::get(tx, self.trust_id, unit_id).await?.ok_or_else(nothing)?;
        let school = known.get(unit.school_id).ok_or_else(nothing)?;
        if let Some(number) = &self.number
            && known.find(number).ok().is_none_or(|it| it.school_id != unit.school_id)
        {
            let fault =
                Fault::invalid(format!("is not the unit's school, which is {}", school.urn));
            return Err(Error::field("/urn", fault));
        }
        let here = Self { number: Some(school.urn.clone()), ..self.clone() };
        match unit.measured_by() {
            Some(MeasuredBy::YearGroups(years)) => match self.split {
                Split::Whole | Split::YearGroups => {
                    Ok(Self { split: Split::YearGroups, years: Some(years), ..here })
                }
                Split::Groups | Split::Group(_) => {
                    let detail = "is years of the school, which cannot be divided further: what is left would be too few";
                    Err(Error::field("/unit", Fault::invalid(detail)))
                }
            },
            Some(MeasuredBy::Subject(subject)) => match &self.subject {
                Some(asked) if *asked != subject => {
                    let fault = Fault::invalid(format!("is not the unit's, which is {subject}"));
                    Err(Error::field("/subject", fault))
                }
                _ => Ok(Self { subject: Some(subject), ..here }),
            },
            None => {
                let detail = format!("nothing tells which records are of {:?}", unit.name);
                let accepted =
                    ["year groups", "key stages", "subjects", "departments of a subject"];
                Err(Error::field("/unit", Fault::invalid(detail).accepting(accepted)))
            }
        }
    }

    /// Whether a line is of the years that are asked for.
    pub(super) fn holds(&self, line: &Shown) -> bool {
        let of = |years: &std::ops::RangeInclusive<i8>| {
            line.year_group.is_some_and(|it| years.contains(&it))
        };
        self.years.as_ref().is_none_or(of)
    }
}
