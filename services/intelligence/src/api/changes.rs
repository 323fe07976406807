//! Changes and parked records, as the contract tells of them.

use contract::intelligence::{self as pb, record};
use identity::TrustId;
use rpc::{Ctx, Error, Fault, PAGES, Page, Reason, Result, Twin};

use super::{
    doors::{field, listed},
    fact,
};
use crate::{
    App,
    app::{NamedParked, Told},
    domain::{Change, ChangedRecord, Characteristic, Enrolment, Kind, Schools, hex},
};

const CHANGE_PAGES: (u32, u32) = (200, 1000);

impl App {
    pub(super) async fn list_parked_records(
        &self,
        ctx: &Ctx,
        request: pb::ListParkedRecordsRequest,
    ) -> Result<pb::ListParkedRecordsResponse> {
        let trust_id = field("/trustId", TrustId::parse(&request.trust_id))?;
        let state = match request.state {
            None => None,
            Some(it) => Some(listed("/state", it)?),
        };
        let urn = request.urn.as_deref();
        let (filters, token) = ((trust_id, urn, request.state), request.page_token.as_deref());
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let parked = self.parked(ctx, trust_id, (urn, state), &page).await?;
        let place = |it: &NamedParked| (it.parked.batch_id, it.parked.ordinal);
        let (parked, next_page_token) = page.cut(parked, place)?;
        let parked_records = parked.into_iter().map(Into::into).collect();
        Ok(pb::ListParkedRecordsResponse { parked_records, next_page_token })
    }

    pub(super) async fn list_changes(
        &self,
        ctx: &Ctx,
        request: pb::ListChangesRequest,
    ) -> Result<pb::ListChangesResponse> {
        let trust_id = field("/trustId", TrustId::parse(&request.trust_id))?;
        let kind = Kind::of_path(&request.kind).ok_or_else(|| {
            let known = Kind::TOLD.map(Kind::path);
            Error::field("/kind", Fault::invalid("has no list of changes").accepting(known))
        })?;
        let urn = request.urn.as_deref();
        let filters = (trust_id, kind, urn);
        let page = Page::parse(request.page_size, request.after.as_deref(), &filters, CHANGE_PAGES);
        let page = page.map_err(not_ours)?;
        let Told { changes, schools, next, more } =
            self.changes(ctx, trust_id, (kind, urn), &page).await?;
        let changes = changes.into_iter().map(|it| change(it, kind, &schools));
        let changes = changes.collect::<Result<_>>()?;
        Ok(pb::ListChangesResponse { changes, after: page.token(&next)?, more })
    }
}

/// What a page token is called here.
fn not_ours(mut error: Error) -> Error {
    if error.reason == Reason::PageTokenInvalid {
        error.problems.iter_mut().for_each(|it| "/after".clone_into(&mut it.pointer));
    }
    error
}

impl From<NamedParked> for pb::ParkedRecord {
    fn from(NamedParked { parked: it, urn }: NamedParked) -> Self {
        let waiting_for = it
            .waits
            .iter()
            .map(|wait| pb::Waiting { pointer: it.pointer(wait), pupil: hex(&wait.pupil) })
            .collect();
        Self {
            batch_id: it.batch_id.to_string(),
            feed_id: it.feed_id.to_string(),
            line: it.line,
            external_id: it.external_id,
            kind: it.kind.to_wire(),
            urn,
            date: it.date.to_string(),
            state: it.state.to_wire(),
            parked_at: Some(it.parked_at.into()),
            deadline: Some(it.deadline.into()),
            settled_at: it.settled_at.map(Into::into),
            waiting_for,
        }
    }
}

fn change(it: Change, kind: Kind, schools: &Schools) -> Result<pb::Change> {
    let school = it.school_id.and_then(|it| schools.get(it));
    let urn = school.map(|it| it.urn.clone()).unwrap_or_default();
    let (record, previous_urn) = match it.record {
        ChangedRecord::Enrolment { pupil, enrolment } => {
            (Some(record::Kind::Enrolment(enrolled(&urn, hex(&pupil), &enrolment))), None)
        }
        ChangedRecord::Register { date, session, marks } => {
            let mark = |(pupil, code)| pb::Mark { pupil: hex(&pupil), code, deleted: false };
            let register = pb::AttendanceRegister {
                urn: urn.clone(),
                date: date.to_string(),
                session: session.to_string(),
                marks: marks.into_iter().map(mark).collect(),
            };
            (Some(record::Kind::AttendanceRegister(register)), None)
        }
        ChangedRecord::Written(text) => (Some(written(kind, &urn, &text)?), None),
        ChangedRecord::Fact { person, content } => {
            (Some(fact::record(&urn, person.as_ref().map(hex), *content, false)), None)
        }
        ChangedRecord::Pupil { pupil, new_pupil } => {
            let (pupil, new_pupil) = (hex(&pupil), hex(&new_pupil));
            let change = pb::PupilKeyChange { pupil, new_pupil };
            (Some(record::Kind::PupilKeyChange(change)), None)
        }
        ChangedRecord::School { previous_urn, .. } => (None, Some(previous_urn)),
    };
    let record = record.map(|kind| pb::Record { external_id: String::new(), kind: Some(kind) });
    let recorded_at = it.recorded_at.map(Into::into);
    let (position, op) = (it.position, it.op.to_wire());
    Ok(pb::Change { position, recorded_at, op, urn, record, previous_urn })
}

pub(super) fn enrolled(urn: &str, pupil: String, it: &Enrolment) -> pb::Enrolment {
    pb::Enrolment {
        urn: urn.to_owned(),
        pupil,
        year_group: it.year_group.into(),
        starts_on: it.starts_on.to_string(),
        ends_on: it.ends_on.map(|it| it.to_string()),
        deleted: false,
        characteristics: it.characteristics.iter().map(characteristic).collect(),
    }
}

fn characteristic(it: &Characteristic) -> pb::Characteristic {
    pb::Characteristic {
        flag: it.flag.code().to_owned(),
        starts_on: it.starts_on.map(|it| it.to_string()),
        ends_on: it.ends_on.map(|it| it.to_string()),
    }
}

/// A record that was written down as JSON, with the URN its school has today.
fn written(kind: Kind, urn: &str, text: &str) -> Result<record::Kind> {
    if !matches!(kind, Kind::Enrolment | Kind::AttendanceRegister) {
        let (person, content) = serde_json::from_str(text).map_err(Error::internal)?;
        return Ok(fact::record(urn, person, content, true));
    }
    let read: pb::Record = serde_json::from_str(text).map_err(Error::internal)?;
    let strange = || Error::internal(format!("a change of {} is of another kind", kind.path()));
    let mut record = read.kind.ok_or_else(strange)?;
    match &mut record {
        record::Kind::Enrolment(it) => urn.clone_into(&mut it.urn),
        record::Kind::AttendanceRegister(it) => urn.clone_into(&mut it.urn),
        _ => return Err(strange()),
    }
    Ok(record)
}
