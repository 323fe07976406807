use identity::{Laestab, Urn};
use rpc::Result;

use super::{
    table::{Column, Fault, Row, Table},
    value,
};
use crate::domain::establishment::{EducationPhase, Establishment, EstablishmentStatus};

/// The columns we read. Of the twins `(code)` and `(name)` the code is preferred, for it never changes its spelling.
pub(super) struct Columns {
    urn: Column,
    name: Column,
    status_code: Column,
    status_name: Column,
    phase_code: Column,
    phase_name: Column,
    kind: Column,
    la_code: Column,
    la_name: Column,
    number: Column,
    ukprn: Column,
    trust_code: Column,
    trust_name: Column,
    opened: Column,
    closed: Column,
    lowest_age: Column,
    highest_age: Column,
    capacity: Column,
    pupils: Column,
    easting: Column,
    northing: Column,
    postcode: Column,
    region: Column,
}

/// Which of the columns that may be absent a file has.
#[expect(clippy::struct_excessive_bools, reason = "one per column")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stated {
    la_code: bool,
    la_name: bool,
    laestab: bool,
    ukprn: bool,
    trust_code: bool,
    trust_name: bool,
    opened: bool,
    closed: bool,
    ages: [bool; 2],
    capacity: bool,
    pupils: bool,
    place: [bool; 2],
    postcode: bool,
    region: bool,
}

impl Columns {
    pub(super) fn of(table: &mut Table<'_>) -> Result<Self> {
        table.require(
            "a file of establishments",
            &[
                &["URN"],
                &["EstablishmentName"],
                &["EstablishmentStatus (code)", "EstablishmentStatus (name)"],
                &["PhaseOfEducation (code)", "PhaseOfEducation (name)"],
                &["TypeOfEstablishment (name)"],
            ],
        )?;
        Ok(Self {
            urn: table.column("URN"),
            name: table.column("EstablishmentName"),
            status_code: table.column("EstablishmentStatus (code)"),
            status_name: table.column("EstablishmentStatus (name)"),
            phase_code: table.column("PhaseOfEducation (code)"),
            phase_name: table.column("PhaseOfEducation (name)"),
            kind: table.column("TypeOfEstablishment (name)"),
            la_code: table.column("LA (code)"),
            la_name: table.column("LA (name)"),
            number: table.column("EstablishmentNumber"),
            ukprn: table.column("UKPRN"),
            trust_code: table.column("Trusts (code)"),
            trust_name: table.column("Trusts (name)"),
            opened: table.column("OpenDate"),
            closed: table.column("CloseDate"),
            lowest_age: table.column("StatutoryLowAge"),
            highest_age: table.column("StatutoryHighAge"),
            capacity: table.column("SchoolCapacity"),
            pupils: table.column("NumberOfPupils"),
            easting: table.column("Easting"),
            northing: table.column("Northing"),
            postcode: table.column("Postcode"),
            region: table.column("GOR (name)"),
        })
    }

    pub(super) fn stated(&self) -> Stated {
        Stated {
            la_code: self.la_code.present(),
            la_name: self.la_name.present(),
            laestab: self.la_code.present() && self.number.present(),
            ukprn: self.ukprn.present(),
            trust_code: self.trust_code.present(),
            trust_name: self.trust_name.present(),
            opened: self.opened.present(),
            closed: self.closed.present(),
            ages: [self.lowest_age.present(), self.highest_age.present()],
            capacity: self.capacity.present(),
            pupils: self.pupils.present(),
            place: [self.easting.present(), self.northing.present()],
            postcode: self.postcode.present(),
            region: self.region.present(),
        }
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Option<Establishment>, Fault> {
        // Children's centres are in the register too, under numbers of their own of 5 digits.
        if row.text(self.kind).is_some_and(|it| it.starts_with("Children")) {
            return Ok(None);
        }
        let text = |column| row.text(column).map(std::borrow::Cow::into_owned);
        let la_code = row.parse(self.la_code, |it| value::code(it, 3))?;
        let number = row.parse(self.number, |it| value::code(it, 4))?;
        let laestab = la_code
            .as_ref()
            .zip(number)
            .and_then(|(la, number)| Laestab::parse(&format!("{la}{number}")).ok());
        Ok(Some(Establishment {
            urn: row.required(self.urn, value::urn)?,
            name: row.needed(self.name)?.into_owned(),
            status: match row.parse(self.status_code, status_of_code)? {
                Some(it) => it,
                None => row.required(self.status_name, status_of_name)?,
            },
            phase: match row.parse(self.phase_code, phase_of_code)? {
                Some(it) => it,
                None => row
                    .parse(self.phase_name, phase_of_name)?
                    .unwrap_or(EducationPhase::NotApplicable),
            },
            kind: row.needed(self.kind)?.into_owned(),
            la_code,
            la_name: text(self.la_name),
            laestab,
            ukprn: row.parse(self.ukprn, value::ukprn)?,
            trust_stated: self.trust_code.present(),
            trust_group_uid: row.parse(self.trust_code, value::group_uid)?,
            trust_name: text(self.trust_name),
            opened_on: row.parse(self.opened, value::date)?.flatten(),
            closed_on: row.parse(self.closed, value::date)?.flatten(),
            lowest_age: row.parse(self.lowest_age, value::whole_number)?,
            highest_age: row.parse(self.highest_age, value::whole_number)?,
            capacity: row.parse(self.capacity, value::whole_number)?,
            pupils: row.parse(self.pupils, value::whole_number)?,
            easting: row.parse(self.easting, value::whole_number)?,
            northing: row.parse(self.northing, value::whole_number)?,
            postcode: text(self.postcode),
            region: text(self.region),
        }))
    }
}

pub(super) fn key(establishment: &Establishment) -> Urn {
    establishment.urn.clone()
}

impl Stated {
    /// Takes from `old` what the file has no column for.
    pub(crate) fn complete(self, new: &mut Establishment, old: &Establishment) {
        let Self { ages: [lowest, highest], place: [easting, northing], .. } = self;
        keep(self.la_code, &mut new.la_code, &old.la_code);
        keep(self.la_name, &mut new.la_name, &old.la_name);
        keep(self.laestab, &mut new.laestab, &old.laestab);
        keep(self.ukprn, &mut new.ukprn, &old.ukprn);
        keep(self.trust_code, &mut new.trust_stated, &old.trust_stated);
        keep(self.trust_code, &mut new.trust_group_uid, &old.trust_group_uid);
        keep(self.trust_name, &mut new.trust_name, &old.trust_name);
        keep(self.opened, &mut new.opened_on, &old.opened_on);
        keep(self.closed, &mut new.closed_on, &old.closed_on);
        keep(lowest, &mut new.lowest_age, &old.lowest_age);
        keep(highest, &mut new.highest_age, &old.highest_age);
        keep(self.capacity, &mut new.capacity, &old.capacity);
        keep(self.pupils, &mut new.pupils, &old.pupils);
        keep(easting, &mut new.easting, &old.easting);
        keep(northing, &mut new.northing, &old.northing);
        keep(self.postcode, &mut new.postcode, &old.postcode);
        keep(self.region, &mut new.region, &old.region);
    }
}

fn keep<T: Clone>(stated: bool, new: &mut T, old: &T) {
    if !stated {
        new.clone_from(old);
    }
}

fn status_of_code(text: &str) -> Result<EstablishmentStatus, rpc::Fault> {
    use EstablishmentStatus as S;
    match text {
        "1" => Ok(S::Open),
        "2" => Ok(S::Closed),
        "3" => Ok(S::OpenProposedToClose),
        "4" => Ok(S::ProposedToOpen),
        _ => Err(rpc::Fault::invalid("is not a status: 1 to 4")),
    }
}

fn status_of_name(text: &str) -> Result<EstablishmentStatus, rpc::Fault> {
    use EstablishmentStatus as S;
    match text {
        "Open" => Ok(S::Open),
        "Closed" => Ok(S::Closed),
        "Open, but proposed to close" => Ok(S::OpenProposedToClose),
        "Proposed to open" => Ok(S::ProposedToOpen),
        _ => Err(rpc::Fault::invalid("is not a status of the register")),
    }
}

fn phase_of_code(text: &str) -> Result<EducationPhase, rpc::Fault> {
    use EducationPhase as P;
    match text {
        "0" => Ok(P::NotApplicable),
        "1" => Ok(P::Nursery),
        "2" => Ok(P::Primary),
        "3" => Ok(P::MiddleDeemedPrimary),
        "4" => Ok(P::Secondary),
        "5" => Ok(P::MiddleDeemedSecondary),
        "6" => Ok(P::SixteenPlus),
        "7" => Ok(P::AllThrough),
        _ => Err(rpc::Fault::invalid("is not a phase: 0 to 7")),
    }
}

fn phase_of_name(text: &str) -> Result<EducationPhase, rpc::Fault> {
    use EducationPhase as P;
    match text.to_ascii_lowercase().as_str() {
        "not applicable" => Ok(P::NotApplicable),
        "nursery" => Ok(P::Nursery),
        "primary" => Ok(P::Primary),
        "middle deemed primary" => Ok(P::MiddleDeemedPrimary),
        "secondary" => Ok(P::Secondary),
        "middle deemed secondary" => Ok(P::MiddleDeemedSecondary),
        "16 plus" => Ok(P::SixteenPlus),
        "all-through" | "all through" => Ok(P::AllThrough),
        _ => Err(rpc::Fault::invalid("is not a phase of the register")),
    }
}
