use contract::intelligence::{
    self as pb,
    privacy_service_server::{PrivacyService, PrivacyServiceServer},
};
use identity::TrustId;
use rpc::{Ctx, Fault, Fields, PAGES, Page, Result};
use uuid::Uuid;

use super::{processing, show};
use crate::{
    App,
    api::{doors::field, record::pupil_id},
    app::{CreateErasure, CreateHold, NamedErasure, Person},
    domain::{ErasureId, HoldId, Kind, Subject},
    store::privacy::read::Filter,
};

rpc::doors! {
    impl PrivacyService as "headway.intelligence.v1.PrivacyService" for Privacy {
        CreateErasure => create_erasure(pb::CreateErasureRequest) -> pb::Erasure;
        GetErasure => get_erasure(pb::GetErasureRequest) -> pb::Erasure;
        ListErasures => list_erasures(pb::ListErasuresRequest) -> pb::ListErasuresResponse;
        GetErasureCertificate => get_erasure_certificate(pb::GetErasureCertificateRequest) -> pb::ErasureCertificate;
        LiftErasure => lift_erasure(pb::LiftErasureRequest) -> pb::Erasure;
        CreateLegalHold => create_legal_hold(pb::CreateLegalHoldRequest) -> pb::LegalHold;
        LiftLegalHold => lift_legal_hold(pb::LiftLegalHoldRequest) -> pb::LegalHold;
        ListLegalHolds => list_legal_holds(pb::ListLegalHoldsRequest) -> pb::ListLegalHoldsResponse;
        ListRetentionRules => list_retention_rules(pb::ListRetentionRulesRequest) -> pb::ListRetentionRulesResponse;
        SetRetention => set_retention(pb::SetRetentionRequest) -> pb::RetentionRule;
        ExportSubject => export_subject(pb::ExportSubjectRequest) -> pb::SubjectExport;
        ListReads => list_reads(pb::ListReadsRequest) -> pb::ListReadsResponse;
        GetPseudonyms => get_pseudonyms(pb::GetPseudonymsRequest) -> pb::Pseudonyms;
        GetProcessingRecord => get_processing_record(pb::GetProcessingRecordRequest) -> pb::ProcessingRecord;
    }
    also {}
}

/// The room behind these doors.
#[derive(Clone, Debug)]
pub struct Privacy(App);

impl App {
    pub fn privacy(&self) -> Privacy {
        Privacy(self.clone())
    }
}

impl Privacy {
    pub fn grpc(&self) -> PrivacyServiceServer<Self> {
        PrivacyServiceServer::new(self.clone())
    }

    async fn create_erasure(&self, ctx: &Ctx, it: pb::CreateErasureRequest) -> Result<pb::Erasure> {
        let mut fields = Fields::new();
        let person = person(&mut fields, (&it.trust_id, it.subject), it.vendor_id);
        let authority = fields.text("/authority", it.authority);
        let command =
            fields.done(|| Some(CreateErasure { person: person?, authority: authority? }))?;
        Ok(self.0.erase(ctx, command).await?.into())
    }

    async fn get_erasure(&self, ctx: &Ctx, it: pb::GetErasureRequest) -> Result<pb::Erasure> {
        let erasure_id = field("/erasureId", ErasureId::parse(&it.erasure_id))?;
        Ok(self.0.erasure(ctx, erasure_id).await?.into())
    }

    async fn list_erasures(
        &self,
        ctx: &Ctx,
        it: pb::ListErasuresRequest,
    ) -> Result<pb::ListErasuresResponse> {
        let trust_id = field("/trustId", TrustId::parse(&it.trust_id))?;
        let page = Page::parse(it.page_size, it.page_token.as_deref(), &trust_id, PAGES)?;
        let found = self.0.erasures(ctx, trust_id, &page).await?;
        let (found, next_page_token) =
            page.cut(found, |it: &NamedErasure| it.erasure.erasure_id)?;
        let erasures = found.into_iter().map(Into::into).collect();
        Ok(pb::ListErasuresResponse { erasures, next_page_token })
    }

    async fn get_erasure_certificate(
        &self,
        ctx: &Ctx,
        it: pb::GetErasureCertificateRequest,
    ) -> Result<pb::ErasureCertificate> {
        let erasure_id = field("/erasureId", ErasureId::parse(&it.erasure_id))?;
        let note = self.0.certificate(ctx, erasure_id).await?;
        Ok(pb::ErasureCertificate { erasure_id: erasure_id.to_string(), note })
    }

    async fn lift_erasure(&self, ctx: &Ctx, it: pb::LiftErasureRequest) -> Result<pb::Erasure> {
        let mut fields = Fields::new();
        let erasure_id = fields.take("/erasureId", ErasureId::parse(&it.erasure_id));
        let reason = fields.text("/reason", it.reason);
        let (erasure_id, reason) = fields.done(|| Some((erasure_id?, reason?)))?;
        Ok(self.0.lift_erasure(ctx, erasure_id, reason).await?.into())
    }

    async fn create_legal_hold(
        &self,
        ctx: &Ctx,
        it: pb::CreateLegalHoldRequest,
    ) -> Result<pb::LegalHold> {
        let mut fields = Fields::new();
        let trust_id = fields.take("/trustId", TrustId::parse(&it.trust_id));
        let kinds = kinds(&mut fields, &it.kinds);
        let is_of_one = it.subject != 0 || !it.vendor_id.is_empty();
        let person = is_of_one
            .then(|| person(&mut fields, (&it.trust_id, it.subject), it.vendor_id.clone()));
        let reason = fields.text("/reason", it.reason);
        let command = fields.done(|| {
            let person = match person {
                Some(it) => Some(it?),
                None => None,
            };
            Some(CreateHold { trust_id: trust_id?, kinds, person, reason: reason? })
        })?;
        Ok(self.0.give_hold(ctx, command).await?.into())
    }

    async fn lift_legal_hold(
        &self,
        ctx: &Ctx,
        it: pb::LiftLegalHoldRequest,
    ) -> Result<pb::LegalHold> {
        let mut fields = Fields::new();
        let hold_id = fields.take("/holdId", HoldId::parse(&it.hold_id));
        let reason = fields.text("/reason", it.reason);
        let (hold_id, reason) = fields.done(|| Some((hold_id?, reason?)))?;
        Ok(self.0.lift_hold(ctx, hold_id, reason).await?.into())
    }

    async fn list_legal_holds(
        &self,
        ctx: &Ctx,
        it: pb::ListLegalHoldsRequest,
    ) -> Result<pb::ListLegalHoldsResponse> {
        let trust_id = field("/trustId", TrustId::parse(&it.trust_id))?;
        let holds = self.0.holds(ctx, trust_id).await?.into_iter().map(Into::into).collect();
        Ok(pb::ListLegalHoldsResponse { holds })
    }

    async fn list_retention_rules(
        &self,
        ctx: &Ctx,
        it: pb::ListRetentionRulesRequest,
    ) -> Result<pb::ListRetentionRulesResponse> {
        let trust_id = field("/trustId", TrustId::parse(&it.trust_id))?;
        let rules = self.0.retention(ctx, trust_id).await?;
        let rules = rules.iter().map(|it| show::rule(ctx, it)).collect();
        Ok(pb::ListRetentionRulesResponse { rules })
    }

    async fn set_retention(
        &self,
        ctx: &Ctx,
        it: pb::SetRetentionRequest,
    ) -> Result<pb::RetentionRule> {
        let trust_id = field("/trustId", TrustId::parse(&it.trust_id))?;
        let version = rpc::expected_version(it.expected_version)?;
        let rule = self.0.set_retention(ctx, (trust_id, it.what), it.months, version).await?;
        Ok(show::rule(ctx, &rule))
    }

    async fn export_subject(
        &self,
        ctx: &Ctx,
        it: pb::ExportSubjectRequest,
    ) -> Result<pb::SubjectExport> {
        const RPC: &str = "headway.intelligence.v1.PrivacyService.ExportSubject";
        let mut fields = Fields::new();
        let person = person(&mut fields, (&it.trust_id, it.subject), it.vendor_id);
        let purpose = fields.text("/purpose", it.purpose);
        let (person, purpose) = fields.done(|| Some((person?, purpose?)))?;
        let found = self.0.export(ctx, &person, purpose, RPC).await?;
        Ok(show::export(ctx, person.subject, found))
    }

    async fn list_reads(
        &self,
        ctx: &Ctx,
        it: pb::ListReadsRequest,
    ) -> Result<pb::ListReadsResponse> {
        let mut fields = Fields::new();
        let instant = |it: pbjson_types::Timestamp| {
            it.try_into().map_err(|_| Fault::invalid("is not an instant"))
        };
        let trust_id = fields.take("/trustId", TrustId::parse(&it.trust_id));
        let from = it.from.and_then(|it| fields.take("/from", instant(it)));
        let to = it.to.and_then(|it| fields.take("/to", instant(it)));
        let trust_id = fields.done(|| trust_id)?;
        let filters = (trust_id, &it.client_id, from, to);
        let page = Page::<Uuid>::parse(it.page_size, it.page_token.as_deref(), &filters, PAGES)?;
        let filter = Filter { client_id: it.client_id.clone(), from, to };
        let reads = self.0.reads(ctx, trust_id, &filter, &page).await?;
        let (reads, next_page_token) = page.cut(reads, |it| it.read_id)?;
        let reads = reads.into_iter().map(Into::into).collect();
        Ok(pb::ListReadsResponse { reads, next_page_token })
    }

    async fn get_pseudonyms(
        &self,
        ctx: &Ctx,
        it: pb::GetPseudonymsRequest,
    ) -> Result<pb::Pseudonyms> {
        let trust_id = field("/trustId", TrustId::parse(&it.trust_id))?;
        let (now, newest_generation) = self.0.pseudonyms(ctx, trust_id).await?;
        Ok(pb::Pseudonyms {
            trust_id: trust_id.to_string(),
            generation: now.map_or(1, |it| it.generation),
            newest_generation,
            renewed_at: now.map(|it| it.renewed_at.into()),
        })
    }

    #[expect(clippy::unused_async, reason = "the doors await every RPC")]
    async fn get_processing_record(
        &self,
        _ctx: &Ctx,
        _: pb::GetProcessingRecordRequest,
    ) -> Result<pb::ProcessingRecord> {
        Ok(pb::ProcessingRecord { fields: processing::fields().to_vec() })
    }
}

fn person(fields: &mut Fields, (trust_id, subject): (&str, i32), id: String) -> Option<Person> {
    let trust_id = fields.take("/trustId", TrustId::parse(trust_id));
    let subject = fields.listed::<Subject>("/subject", subject);
    let vendor_id = fields.take("/vendorId", pupil_id(id));
    Some(Person { trust_id: trust_id?, subject: subject?, vendor_id: vendor_id? })
}

fn kinds(fields: &mut Fields, kinds: &[i32]) -> Vec<Kind> {
    let listed = |(index, it): (usize, &i32)| fields.listed(&format!("/kinds/{index}"), *it);
    kinds.iter().enumerate().filter_map(listed).collect()
}
