use db::Tx;
use identity::{SchoolNumber, TrustId};
use rpc::{Ctx, Error, Fault, Reason, Result};

use super::{App, View, project::view};
use crate::{
    domain::{Event, ProjectId, ProposalText, Proposed, SignalId, SignalRef},
    store::{
        event::{self, Head},
        project,
        school::{self, Departure, School},
        signal::{self, Signal, SignalState},
    },
};

#[derive(Debug)]
pub(crate) struct Propose {
    pub(crate) trust_id: TrustId,
    pub(crate) about: About,
    pub(crate) text: ProposalText,
}

/// What a project is proposed for.
#[derive(Debug)]
pub(crate) enum About {
    School(SchoolNumber),
    /// A school named beside a signal must be the signal's.
    Signal(SignalId, Option<SchoolNumber>),
}

impl App {
    pub(crate) async fn propose(&self, ctx: &Ctx, command: Propose) -> Result<View> {
        ctx.within(command.trust_id.0)?;
        let (journal, context) = (self.journal.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let Propose { trust_id, about, text } = command;
                    let (school, signal) = subject(tx, trust_id, about).await?;
                    context.school(school.school_id.0, school.urn.as_str())?;
                    still_ours(&school)?;
                    let project_id = ProjectId(context.new_id());
                    let event_id = context.new_id();
                    let head = Head { event_id, trust_id, project_id, version: 1 };
                    let school_id = school.school_id;
                    let event = Event::Proposed(Proposed { school_id, signal, text: Some(text) });
                    let draft = event::draft(head, &event)?;
                    journal.record(tx, &context, vec![draft]).await?;
                    let (project, urn) = project::find(tx, project_id)
                        .await?
                        .ok_or_else(|| Error::internal("the project was not projected"))?;
                    Ok(view(&context, project, urn))
                })
            })
            .await
    }
}

async fn subject(
    tx: &mut Tx,
    trust_id: TrustId,
    about: About,
) -> Result<(School, Option<SignalRef>)> {
    let (signal_id, named) = match about {
        About::School(number) => return Ok((school(tx, trust_id, &number).await?, None)),
        About::Signal(signal_id, named) => (signal_id, named),
    };
    let signal = answerable(tx, trust_id, signal_id).await?;
    if let Some(number) = named {
        let named = school(tx, trust_id, &number).await?;
        if named.school_id != signal.school_id {
            let fault = Fault::invalid("is not the signal's school; it may be left out");
            return Err(Error::field("/urn", fault));
        }
    }
    let school = school::find(tx, signal.school_id)
        .await?
        .filter(|it| it.trust_id == trust_id)
        .ok_or_else(|| unknown_school("the signal's school"))?;
    Ok((school, Some(SignalRef { signal_id, measure: signal.measure })))
}

/// A signal of the trust that nobody has dismissed.
async fn answerable(tx: &mut Tx, trust_id: TrustId, signal_id: SignalId) -> Result<Signal> {
    let signal = signal::find(tx, signal_id)
        .await?
        .filter(|it| it.trust_id == trust_id)
        .ok_or_else(|| {
            let detail = format!(
                "no signal {signal_id} has reached projects yet; one raised moments ago may be on \
                 its way, so try again shortly"
            );
            Error::new(Reason::NotFound, detail)
        })?;
    if signal.state == SignalState::Dismissed {
        let detail = "the signal was dismissed; propose the project for the school instead";
        return Err(Error::new(Reason::TransitionNotAllowed, detail));
    }
    Ok(signal)
}

/// The trust's school of that number.
pub(super) async fn school(
    tx: &mut Tx,
    trust_id: TrustId,
    number: &SchoolNumber,
) -> Result<School> {
    let name = match number {
        SchoolNumber::Urn(it) => format!("a school with URN {it}"),
        SchoolNumber::Laestab(it) => format!("a school with LAESTAB {it}"),
        SchoolNumber::Ukprn(it) => format!("a school with UKPRN {it}"),
    };
    school::find_by_number(tx, trust_id, number).await?.ok_or_else(|| unknown_school(&name))
}

fn unknown_school(what: &str) -> Error {
    let detail = format!(
        "{what} is not known here in this trust; one that joined moments ago may be on its way"
    );
    Error::new(Reason::SchoolUnknown, detail)
}

/// Refuses a school that has closed or gone to another trust.
fn still_ours(school: &School) -> Result<()> {
    let urn = &school.urn;
    let detail = match (school.departure, &school.successor_urn) {
        (None, _) => return Ok(()),
        (Some(_), Some(successor)) => {
            format!("school {urn} merged into {successor}: propose the project for {successor}")
        }
        (Some(Departure::Moved), None) => format!("school {urn} has left the trust"),
        (Some(Departure::Closed | Departure::Merged), None) => format!("school {urn} has closed"),
    };
    Err(Error::new(Reason::SchoolClosed, detail))
}
