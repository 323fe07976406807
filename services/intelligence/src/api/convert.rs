//! The contract's messages into what the service decides on, and back.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use contract::{common::ErrorReason, intelligence as pb};
use identity::{SchoolNumber, TrustId};
use rpc::{Error, Fault, Fields, Reason, Result, Twin};
use uuid::Uuid;

use crate::{
    app::{NamedFeed, Standing},
    domain::{
        AttendanceCode, Batch, Complaint, CreateFeed, Kind, RecordResult, Signal, SignalState,
        Transition,
    },
};

/// The longest name of a feed or a client, in characters.
const NAME: usize = 200;
/// Schools a feed may name.
const SCHOOLS: usize = 1000;

impl TryFrom<pb::CreateFeedRequest> for CreateFeed {
    type Error = Error;

    fn try_from(it: pb::CreateFeedRequest) -> Result<Self> {
        let mut fields = Fields::new();
        let trust_id = fields.take("/trustId", TrustId::parse(&it.trust_id));
        let mut kinds = BTreeSet::new();
        for (index, kind) in it.kinds.iter().enumerate() {
            kinds.extend(fields.listed::<Kind>(&format!("/kinds/{index}"), *kind));
        }
        if it.kinds.is_empty() {
            fields.required("/kinds", None::<()>);
        }
        if it.urns.len() > SCHOOLS {
            fields.refuse("/urns", Fault::invalid(format!("may name at most {SCHOOLS} schools")));
        }
        for (index, urn) in it.urns.iter().enumerate() {
            fields.take(&format!("/urns/{index}"), SchoolNumber::parse(urn));
        }
        let name = name(&mut fields, "/name", it.name);
        let client_id = self::name(&mut fields, "/clientId", it.client_id);
        let urns = it.urns;
        fields.done(|| {
            Some(Self { trust_id: trust_id?, name: name?, client_id: client_id?, kinds, urns })
        })
    }
}

fn name(fields: &mut Fields, pointer: &str, text: String) -> Option<String> {
    if text.chars().count() > NAME {
        fields.refuse(pointer, Fault::invalid(format!("must be at most {NAME} characters")));
        return None;
    }
    fields.text(pointer, text)
}

impl TryFrom<pb::CreateSignalTransitionRequest> for Transition {
    type Error = Error;

    fn try_from(it: pb::CreateSignalTransitionRequest) -> Result<Self> {
        let mut fields = Fields::new();
        let to = SignalState::of(it.to()).filter(|it| *it != SignalState::Raised);
        let to = fields.take(
            "/to",
            to.ok_or_else(|| Fault::invalid("must be acknowledged, actioned or dismissed")),
        );
        let project_id = fields.optional("/projectId", it.project_id.as_deref(), |text| {
            Uuid::try_parse(text).map_err(|_| Fault::new(Reason::FieldInvalid, "must be a UUID"))
        });
        let rationale = match it.rationale {
            None => Some(None),
            Some(text) => fields.text("/rationale", text).map(Some),
        };
        fields.done(|| Some(Self { to: to?, project_id: project_id?, rationale: rationale? }))
    }
}

impl From<NamedFeed> for pb::Feed {
    fn from(NamedFeed { feed: it, urns }: NamedFeed) -> Self {
        Self {
            feed_id: it.feed_id.to_string(),
            trust_id: it.trust_id.to_string(),
            name: it.name,
            client_id: it.client_id,
            kinds: it.kinds.into_iter().map(Twin::to_wire).collect(),
            urns,
            version: it.version,
            created_at: Some(it.created_at.into()),
        }
    }
}

impl From<Batch> for pb::Batch {
    fn from(it: Batch) -> Self {
        Self {
            applied_at: it.applied_at.map(Into::into),
            skipped_rows: it.skipped_rows,
            removed: it.totals.removed,
            problems: complaint(&it).into_iter().map(Into::into).collect(),
            batch_id: it.batch_id.to_string(),
            feed_id: it.feed_id.to_string(),
            trust_id: it.trust_id.to_string(),
            state: it.state.to_wire(),
            dry_run: it.dry_run,
            records: it.totals.records,
            accepted: it.totals.accepted,
            unchanged: it.totals.unchanged,
            corrected: it.totals.corrected,
            parked: it.totals.parked,
            rejected: it.totals.rejected,
            received_at: Some(it.received_at.into()),
        }
    }
}

/// What is wrong with a batch as a whole.
fn complaint(it: &Batch) -> Option<Complaint> {
    let snapshot = it.snapshot.as_ref()?;
    let (reason, detail) = match it.unconfirmed {
        Some(unconfirmed) => (Reason::RemovalUnconfirmed, unconfirmed.detail(snapshot.kind)),
        None if it.is_incomplete() => {
            let detail = "nothing was deleted, for some records were rejected and may have named \
                          what is there: mend them and push the snapshot again";
            (Reason::SnapshotIncomplete, detail.to_owned())
        }
        None => return None,
    };
    Some(Complaint { pointer: "/snapshot".to_owned(), reason: reason.into(), detail })
}

impl From<RecordResult> for pb::RecordResult {
    fn from(it: RecordResult) -> Self {
        Self {
            line: it.line,
            external_id: it.external_id,
            outcome: it.outcome.to_wire(),
            problems: it.problems.into_iter().map(Into::into).collect(),
            superseded_by_urn: it.superseded_by_urn,
            natural_key: it.natural_key,
        }
    }
}

impl From<Complaint> for pb::RecordProblem {
    fn from(it: Complaint) -> Self {
        let reason = ErrorReason::try_from(it.reason).unwrap_or_default().into();
        Self { pointer: it.pointer, reason, detail: it.detail }
    }
}

impl From<&AttendanceCode> for pb::AttendanceCode {
    fn from(it: &AttendanceCode) -> Self {
        Self {
            code: it.code.clone(),
            meaning: it.meaning.clone(),
            statistical_class: pb::StatisticalClass::from(it.class).into(),
            valid_from: it.valid_from.map(|it| it.to_string()),
            valid_to: it.valid_to.map(|it| it.to_string()),
        }
    }
}

impl From<Standing> for pb::Standing {
    fn from(it: Standing) -> Self {
        let limits = it.judgement.limits;
        Self {
            measure: it.latest.measure.definition().key.to_owned(),
            urn: it.latest.urn.clone(),
            latest: Some(it.latest.into()),
            direction: it.judgement.direction.to_wire(),
            centre: limits.map(|it| it.centre),
            lower_limit: limits.map(|it| it.lower),
            upper_limit: limits.map(|it| it.upper),
            recent: it.recent,
        }
    }
}

/// A signal as it looks on a day.
pub(super) fn signal(it: Signal, today: NaiveDate) -> pb::Signal {
    pb::Signal {
        overdue: it.overdue(today),
        signal_id: it.signal_id.to_string(),
        trust_id: it.trust_id.to_string(),
        school_id: it.school_id.to_string(),
        urn: it.urn,
        measure: it.measure.definition().key.to_owned(),
        rule: it.rule.to_wire(),
        direction: it.direction.to_wire(),
        week: it.week.to_string(),
        value: it.value,
        centre: it.centre,
        lower_limit: it.lower_limit,
        upper_limit: it.upper_limit,
        state: it.state.to_wire(),
        owner_role: it.owner_role,
        respond_by: it.respond_by.to_string(),
        project_id: it.project_id.map(|it| it.to_string()),
        rationale: it.rationale,
        version: it.version,
        raised_at: Some(it.raised_at.into()),
    }
}
