use chrono::NaiveDate;
use db::{Tenant, Tx};
use identity::{SchoolId, SchoolNumber, TrustId, Urn};
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Fault, Page, Reason, Result};
use serde::{Deserialize, Serialize};

use super::App;
use crate::{
    domain::{
        establishment::{EstablishmentStatus, Registered},
        register::{Change, Step},
        school::{Details, School},
        spread::{Spread, spread},
        trust::Trust,
    },
    store::{establishment, event, journey, link, school, trust, unit},
};

/// A school with the URNs it had before, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SchoolView {
    pub school: School,
    pub previous_urns: Vec<Urn>,
}

impl App {
    pub async fn add_school(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: SchoolNumber,
        joined_on: Option<NaiveDate>,
    ) -> Result<SchoolView> {
        ctx.within(trust_id.0)?;
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let trust = trust::get(tx, trust_id).await?;
                    let entry = establishment::by_number(tx, &number).await?;
                    let entry = entry.ok_or_else(|| unregistered("/urn", &number))?;
                    addable(tx, &trust, &entry).await?;
                    let urn = &entry.establishment.urn;
                    let back = school::by_number(tx, trust_id, &SchoolNumber::Urn(urn.clone()))
                        .await?
                        .filter(|it| it.urn() == urn);
                    let step = Step {
                        trust_id,
                        school_id: back.as_ref().map_or(SchoolId(ctx2.new_id()), |it| it.school_id),
                        version: back.as_ref().map_or(1, |it| it.version + 1),
                        effective_on: Some(joined_on.unwrap_or_else(|| ctx2.today())),
                        change: Change::Joined { details: Details::from(&entry.establishment) },
                    };
                    let draft = event::school_changed(ctx2.new_id(), &step)?;
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    let school = school::get(tx, step.school_id).await?;
                    view(tx, school).await
                })
            })
            .await
    }

    pub async fn school(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: &SchoolNumber,
        as_of: Option<AsOf>,
    ) -> Result<SchoolView> {
        ctx.within(trust_id.0)?;
        let (mut tx, school) = self.school_by(trust_id, number, as_of, &["school"]).await?;
        granted(ctx, &school)?;
        view(&mut tx, school).await
    }

    /// A school of a trust, and the tables to read on in: those of now, or what events of these kinds had made of them.
    async fn school_by(
        &self,
        trust_id: TrustId,
        number: &SchoolNumber,
        as_of: Option<AsOf>,
        kinds: &[&str],
    ) -> Result<(Tx, School)> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(trust_id.0)).await?;
        let Some(at) = as_of else {
            let school = of_trust(&mut tx, trust_id, number).await?;
            return Ok((tx, school));
        };
        let mut then = self.journal.as_of(trust_id.0, at, Of::Kinds(kinds)).await?;
        let mut school = school::by_number(&mut then, trust_id, number).await?;
        if school.is_none() {
            // A number it has had only since.
            let now = of_trust(&mut tx, trust_id, number).await?;
            school = school::find(&mut then, now.school_id).await?;
        }
        let school = school.ok_or_else(|| at.absent("school", said(number)))?;
        Ok((then, school))
    }

    pub async fn schools(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        page: Page<(String, SchoolId)>,
    ) -> Result<(Vec<SchoolView>, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        trust::get(&mut tx, trust_id).await?;
        let schools = school::list(&mut tx, trust_id, page.after.clone(), page.limit()).await?;
        let (schools, next) = page.cut(schools, |it| (it.details.name.clone(), it.school_id))?;
        let mut views = Vec::with_capacity(schools.len());
        for school in schools.into_iter().filter(|it| ctx.sees(it.school_id.0)) {
            views.push(view(&mut tx, school).await?);
        }
        Ok((views, next))
    }

    /// The school's URN and how its units are spread over the phases.
    pub async fn spread(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: &SchoolNumber,
        as_of: Option<AsOf>,
    ) -> Result<(Urn, Spread)> {
        ctx.within(trust_id.0)?;
        let kinds = &["school", "unit", "journey"];
        let (mut tx, school) = self.school_by(trust_id, number, as_of, kinds).await?;
        granted(ctx, &school)?;
        let units = unit::all(&mut tx, school.school_id).await?;
        let histories = journey::histories(&mut tx, school.school_id).await?;
        let journeys =
            journey::list(&mut tx, trust_id, (Some(school.school_id), None), None, i64::MAX)
                .await?;
        let settled = |unit_id| {
            let journey = journeys.iter().find(|it| it.unit_id == Some(unit_id))?;
            histories.get(&journey.journey_id)?.now().state.settled
        };
        let units: Vec<_> = units
            .into_iter()
            .map(|it| {
                let settled = settled(it.unit_id);
                (it, settled)
            })
            .collect();
        Ok((school.urn().clone(), spread(school.details.phase, &units)))
    }
}

/// A school of a trust, by any of its numbers.
pub(super) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    number: &SchoolNumber,
) -> Result<School> {
    if let Some(school) = school::by_number(tx, trust_id, number).await? {
        return Ok(school);
    }
    trust::get(tx, trust_id).await?;
    let detail = format!("no school {} in this trust", said(number));
    Err(Error::new(Reason::SchoolUnknown, detail))
}

/// Refuses a school that no grant of the caller's covers.
pub(super) fn granted(ctx: &Ctx, school: &School) -> Result<()> {
    ctx.school(school.school_id.0, school.urn().as_str())
}

/// A school that is here, in which something may begin.
pub(super) fn still_here(school: &School) -> Result<()> {
    let Some(left_on) = school.left_on else { return Ok(()) };
    let urn = school.urn();
    let detail = match &school.merged_into_urn {
        Some(into) => format!("the school {urn} merged into {into} on {left_on}"),
        None if school.details.status == EstablishmentStatus::Closed => {
            format!("the school {urn} closed on {left_on}")
        }
        None => format!("the school {urn} left this trust on {left_on}"),
    };
    Err(Error::new(Reason::SchoolClosed, detail))
}

/// Whether an establishment may join a trust by hand.
async fn addable(tx: &mut Tx, trust: &Trust, entry: &Registered) -> Result<()> {
    let urn = &entry.establishment.urn;
    match entry.establishment.status {
        EstablishmentStatus::Open | EstablishmentStatus::OpenProposedToClose => {}
        EstablishmentStatus::ProposedToOpen => {
            let detail = format!("the school {urn} is not open yet");
            return Err(Error::new(Reason::TransitionNotAllowed, detail));
        }
        EstablishmentStatus::Closed => {
            let successors = link::successors(tx, urn).await?;
            let successors: Vec<_> = successors.iter().map(Urn::as_str).collect();
            let detail = if successors.is_empty() {
                format!("the school {urn} has closed; the register names no successor")
            } else {
                format!("the school {urn} has closed; its successor is {}", successors.join(", "))
            };
            return Err(Error::new(Reason::SchoolClosed, detail));
        }
    }
    if school::here(tx, urn).await?.is_some() {
        return Err(school::elsewhere(urn));
    }
    let (own, registered) = (&trust.group_uid, &entry.group_uid);
    if own.is_some() && registered.is_some() && own != registered {
        let name = entry.group_name.as_deref().unwrap_or("another trust");
        let detail = format!("the register says that the school {urn} belongs to {name}");
        return Err(Error::new(Reason::AlreadyExists, detail));
    }
    Ok(())
}

pub(super) fn unregistered(pointer: &str, number: &SchoolNumber) -> Error {
    let detail = format!("the register has no establishment {}", said(number));
    Error::field(pointer, Fault::invalid(detail))
}

pub(super) fn said(number: &SchoolNumber) -> String {
    match number {
        SchoolNumber::Urn(it) => it.to_string(),
        SchoolNumber::Laestab(it) => it.to_string(),
        SchoolNumber::Ukprn(it) => it.to_string(),
    }
}

async fn view(tx: &mut Tx, school: School) -> Result<SchoolView> {
    let previous_urns = school::previous_urns(tx, school.school_id).await?;
    Ok(SchoolView { school, previous_urns })
}
