//! Erasures, holds, rules, reads and exports as the contract tells of them.

use contract::intelligence::{self as pb, record};
use identity::SchoolId;
use rpc::{Ctx, Twin};

use super::processing;
use crate::{
    api::{changes::enrolled, fact},
    app::{Export, HeldAs, NamedErasure, NamedHold},
    domain::{RetentionRule, Subject, Went, hex},
    store::privacy::read::Entry,
};

impl From<Went> for pb::ErasedRows {
    fn from(Went { what, rows }: Went) -> Self {
        Self { what, rows }
    }
}

impl From<NamedErasure> for pb::Erasure {
    fn from(NamedErasure { erasure: it, authority, readers }: NamedErasure) -> Self {
        Self {
            erasure_id: it.erasure_id.to_string(),
            trust_id: it.trust_id.to_string(),
            subject: it.subject.to_wire(),
            erased_at: Some(it.erased_at.into()),
            erased_by: it.erased_by,
            authority,
            erased: it.erased.into_iter().map(Into::into).collect(),
            position: u64::try_from(it.position).unwrap_or_default(),
            scrubbed_at: it.scrubbed_at.map(Into::into),
            scrubbed_how: it.scrubbed_how.unwrap_or_default(),
            lifted_at: it.lifted_at.map(Into::into),
            readers,
            version: it.version,
        }
    }
}

impl From<NamedHold> for pb::LegalHold {
    fn from(NamedHold { hold: it, reason, lifted_reason }: NamedHold) -> Self {
        Self {
            hold_id: it.hold_id.to_string(),
            trust_id: it.trust_id.to_string(),
            kinds: it.kinds.into_iter().map(Twin::to_wire).collect(),
            of_person: it.of_person,
            reason,
            given_at: Some(it.given_at.into()),
            given_by: it.given_by,
            lifted_at: it.lifted_at.map(Into::into),
            lifted_by: it.lifted_by.unwrap_or_default(),
            lifted_reason,
            version: it.version,
        }
    }
}

pub(super) fn rule(ctx: &Ctx, it: &RetentionRule) -> pb::RetentionRule {
    pb::RetentionRule {
        what: it.of.what.clone(),
        months: it.months(),
        default_months: it.of.default,
        least_months: it.of.least,
        most_months: it.of.most,
        reason: it.of.reason.clone(),
        kept_from: it.kept_from(ctx.today()).map(|it| it.to_string()),
        version: it.version,
    }
}

impl From<Entry> for pb::ReadEntry {
    fn from(it: Entry) -> Self {
        Self {
            read_id: it.read_id.to_string(),
            read_at: Some(it.read_at.into()),
            client_id: it.client_id,
            purpose: it.purpose,
            rpc: it.rpc,
            kinds: it.kinds.into_iter().map(Twin::to_wire).collect(),
            rows: it.rows,
            request_id: it.request_id.to_string(),
        }
    }
}

pub(super) fn export(ctx: &Ctx, subject: Subject, it: Export) -> pb::SubjectExport {
    let pseudonym = hex(&it.hash);
    let urn = |id: SchoolId| it.schools.get(id).map(|it| it.urn.clone()).unwrap_or_default();
    let held = it.records.into_iter().map(|(school_id, it)| held(urn(school_id), &pseudonym, it));
    let records: Vec<pb::HeldRecord> = held.collect();
    let results = it.results.into_iter().map(|(batch_id, it)| pb::HeldResult {
        batch_id: batch_id.to_string(),
        result: Some(it.into()),
    });
    let results: Vec<pb::HeldResult> = results.collect();
    let kinds: Vec<&str> = subject.kinds().map(crate::domain::Kind::field).collect();
    let of_them = |it: &&pb::ProcessedField| {
        let name = it.message.rsplit('.').next().unwrap_or_default();
        let is_kind = kinds.iter().any(|kind| kind.eq_ignore_ascii_case(name));
        is_kind || ["Record", "RecordResult", "Mark", "Characteristic"].contains(&name)
    };
    pb::SubjectExport {
        subject: subject.to_wire(),
        exported_at: Some(ctx.now.into()),
        records,
        results,
        fields: processing::fields().iter().filter(of_them).cloned().collect(),
        readers: it.readers,
        pseudonym,
    }
}

fn held(urn: String, pseudonym: &str, it: HeldAs) -> pb::HeldRecord {
    let person = pseudonym.to_owned();
    let (kind, waiting) = match it {
        HeldAs::Enrolment(it) => (record::Kind::Enrolment(enrolled(&urn, person, &it)), false),
        HeldAs::Mark { date, session, code, waiting } => {
            let register = pb::AttendanceRegister {
                urn: urn.clone(),
                date: date.to_string(),
                session: session.to_string(),
                marks: vec![pb::Mark { pupil: person, code, deleted: false }],
            };
            (record::Kind::AttendanceRegister(register), waiting)
        }
        HeldAs::Fact { content, waiting } => {
            (fact::record(&urn, Some(person), *content, false), waiting)
        }
    };
    let record = Some(pb::Record { external_id: String::new(), kind: Some(kind) });
    pb::HeldRecord { urn, record, waiting }
}
