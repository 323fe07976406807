//! Requests as commands. Everything wrong with a request is told at once, each with its JSON Pointer.

use chrono::NaiveDate;
use contract::{common, registry as v1};
use identity::{CompaniesHouseNumber, GroupUid, SchoolNumber, TrustId, Ukprn};
use rpc::{Ctx, Error, Fault, Fields, Problem, Result};

use crate::{
    app::{NewJourney, NewRatings, NewTransition, NewTrust, NewUnit},
    domain::{
        evidence::Evidence,
        journey::{JourneyId, TransitionId, TransitionKind, missing},
        rubric::Rating,
        unit::{UnitId, UnitKind, YEAR_GROUPS},
    },
};

/// The longest name, in characters.
pub(super) const NAME_LIMIT: usize = 200;

/// The longest pointer to evidence, in characters.
const REFERENCE_LIMIT: usize = 500;

/// The most evidence one judgement may point to.
const EVIDENCE_LIMIT: usize = 100;

/// An id in a path: one that is no id names nothing.
pub(super) fn id<T>(
    what: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Result<T> {
    parse(text).map_err(|_| Error::not_found(what, text))
}

pub(super) fn trust_id(text: &str) -> Result<TrustId> {
    id("trust", text, TrustId::parse)
}

pub(super) fn journey_id(text: &str) -> Result<JourneyId> {
    id("journey", text, JourneyId::parse)
}

/// A school's number in a path.
pub(super) fn school_number(text: &str) -> Result<SchoolNumber> {
    SchoolNumber::parse(text).map_err(|fault| Error::field("/urn", fault))
}

/// One value of the request, parsed.
pub(super) fn field<T>(
    pointer: &str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, Fault>,
) -> Result<T> {
    parse(text).map_err(|fault| Error::field(pointer, fault))
}

pub(super) fn new_trust(request: v1::CreateTrustRequest) -> Result<NewTrust> {
    let mut fields = Fields::new();
    let name = name(&mut fields, "/name", request.name);
    let group_uid = fields.optional("/groupUid", request.group_uid.as_deref(), GroupUid::parse);
    let ukprn = fields.optional("/ukprn", request.ukprn.as_deref(), Ukprn::parse);
    let company = request.companies_house_number.as_deref();
    let company = fields.optional("/companiesHouseNumber", company, CompaniesHouseNumber::parse);
    fields.done(|| {
        Some(NewTrust {
            name: name?,
            group_uid: group_uid?,
            ukprn: ukprn?,
            companies_house_number: company?,
        })
    })
}

pub(super) fn new_school(
    ctx: &Ctx,
    request: &v1::AddSchoolRequest,
) -> Result<(SchoolNumber, Option<NaiveDate>)> {
    let mut fields = Fields::new();
    let number = fields.take("/urn", SchoolNumber::parse(&request.urn));
    let joined_on = past(&mut fields, ctx, "/joinedOn", request.joined_on.as_deref());
    fields.done(|| Some((number?, joined_on?)))
}

pub(super) fn new_unit(request: v1::CreateUnitRequest) -> Result<NewUnit> {
    let trust_id = trust_id(&request.trust_id)?;
    let mut fields = Fields::new();
    let school = fields.take("/urn", SchoolNumber::parse(&request.urn));
    let kind = fields.listed::<UnitKind>("/kind", request.kind);
    let name = name(&mut fields, "/name", request.name);
    let year_group = request.year_group.map(|it| i32::try_from(it).unwrap_or(i32::MAX));
    match (kind, year_group) {
        (Some(UnitKind::YearGroup), None) => {
            fields.required::<i32>("/yearGroup", None);
        }
        (Some(UnitKind::YearGroup), Some(year)) if !YEAR_GROUPS.contains(&year) => {
            let detail =
                format!("must be {} (reception) to {}", YEAR_GROUPS.start(), YEAR_GROUPS.end());
            fields.refuse("/yearGroup", Fault::invalid(detail));
        }
        (Some(UnitKind::YearGroup), _) | (_, None) => {}
        (_, Some(_)) => {
            fields.refuse("/yearGroup", Fault::invalid("belongs to a year group only"));
        }
    }
    fields
        .done(|| Some(NewUnit { trust_id, school: school?, kind: kind?, name: name?, year_group }))
}

pub(super) fn new_journey(ctx: &Ctx, request: v1::OpenJourneyRequest) -> Result<NewJourney> {
    let trust_id = trust_id(&request.trust_id)?;
    let mut fields = Fields::new();
    let school = fields.take("/urn", SchoolNumber::parse(&request.urn));
    let unit_id = fields.optional("/unitId", request.unit_id.as_deref(), UnitId::parse);
    let phase = fields.listed("/phase", request.phase);
    let rationale = fields.text("/rationale", request.rationale);
    let evidence = evidence(&mut fields, "/evidence", request.evidence);
    let ratings = ratings(&mut fields, request.ratings);
    let effective_on = past(&mut fields, ctx, "/effectiveOn", request.effective_on.as_deref());
    require(&mut fields, TransitionKind::Opened, evidence.as_deref(), ratings.as_deref());
    fields.done(|| {
        Some(NewJourney {
            trust_id,
            school: school?,
            unit_id: unit_id?,
            phase: phase?,
            rationale: rationale?,
            evidence: evidence?,
            ratings: ratings?,
            effective_on: effective_on?,
        })
    })
}

pub(super) fn new_transition(
    ctx: &Ctx,
    request: v1::CreateTransitionRequest,
) -> Result<NewTransition> {
    use TransitionKind as K;
    let journey_id = journey_id(&request.journey_id)?;
    let expected_version = rpc::expected_version(request.expected_version)?;
    let mut fields = Fields::new();
    let kind = fields.listed::<K>("/kind", request.kind);
    let to = match request.to {
        Some(it) => fields.listed("/to", it).map(Some),
        None => Some(None),
    };
    let corrects = fields.optional("/corrects", request.corrects.as_deref(), TransitionId::parse);
    match kind {
        Some(K::Opened) => {
            let detail = "a journey is opened by POST /v1/trusts/{trust_id}/journeys";
            fields.refuse("/kind", Fault::invalid(detail));
        }
        Some(K::Emerging | K::Entered | K::FellBack) if request.to.is_none() => {
            fields.required::<i32>("/to", None);
        }
        Some(K::EmergenceAbandoned | K::Corrected) if request.to.is_some() => {
            fields.refuse("/to", Fault::invalid("leads to no phase: leave it out"));
        }
        _ => {}
    }
    match (kind, &request.corrects) {
        (Some(K::Corrected), None) => {
            fields.required::<String>("/corrects", None);
        }
        (Some(K::Corrected), _) | (_, None) => {}
        (_, Some(_)) => fields.refuse("/corrects", Fault::invalid("belongs to a correction only")),
    }
    let rationale = fields.text("/rationale", request.rationale);
    let evidence = evidence(&mut fields, "/evidence", request.evidence);
    let ratings = ratings(&mut fields, request.ratings);
    if kind == Some(K::Corrected) && ratings.as_ref().is_some_and(|it| !it.is_empty()) {
        fields.refuse("/ratings", Fault::invalid("a correction rates nothing: leave them out"));
    }
    let effective_on = past(&mut fields, ctx, "/effectiveOn", request.effective_on.as_deref());
    if let Some(kind) = kind.filter(|it| *it != K::Opened) {
        require(&mut fields, kind, evidence.as_deref(), ratings.as_deref());
    }
    fields.done(|| {
        Some(NewTransition {
            journey_id,
            expected_version,
            kind: kind?,
            to: to?,
            corrects: corrects?,
            rationale: rationale?,
            evidence: evidence?,
            ratings: ratings?,
            effective_on: effective_on?,
        })
    })
}

pub(super) fn new_ratings(ctx: &Ctx, request: v1::CreateRatingsRequest) -> Result<NewRatings> {
    let journey_id = journey_id(&request.journey_id)?;
    let expected_version = rpc::expected_version(request.expected_version)?;
    let mut fields = Fields::new();
    if request.ratings.is_empty() {
        fields.required::<Rating>("/ratings", None);
    }
    let ratings = ratings(&mut fields, request.ratings);
    let rationale = fields.text("/rationale", request.rationale);
    let effective_on = past(&mut fields, ctx, "/effectiveOn", request.effective_on.as_deref());
    fields.done(|| {
        Some(NewRatings {
            journey_id,
            expected_version,
            ratings: ratings?,
            rationale: rationale?,
            effective_on: effective_on?,
        })
    })
}

fn require(
    fields: &mut Fields,
    kind: TransitionKind,
    evidence: Option<&[Evidence]>,
    ratings: Option<&[Rating]>,
) {
    let (Some(evidence), Some(ratings)) = (evidence, ratings) else { return };
    for Problem { pointer, fault } in missing(kind, evidence, ratings) {
        fields.refuse(&pointer, fault);
    }
}

fn ratings(fields: &mut Fields, ratings: Vec<v1::Rating>) -> Option<Vec<Rating>> {
    let mut parsed: Vec<Rating> = Vec::with_capacity(ratings.len());
    let mut whole = true;
    for (index, it) in ratings.into_iter().enumerate() {
        let at = format!("/ratings/{index}");
        let domain = fields.listed(&format!("{at}/domain"), it.domain);
        let phase = fields.listed(&format!("{at}/phase"), it.phase);
        let evidence = evidence(fields, &format!("{at}/evidence"), it.evidence);
        let (Some(domain), Some(phase), Some(evidence)) = (domain, phase, evidence) else {
            whole = false;
            continue;
        };
        if parsed.iter().any(|it| it.domain == domain) {
            fields.refuse(&format!("{at}/domain"), Fault::invalid("is rated twice"));
            whole = false;
        }
        parsed.push(Rating { domain, phase, evidence });
    }
    whole.then_some(parsed)
}

fn evidence(
    fields: &mut Fields,
    pointer: &str,
    evidence: Vec<common::Evidence>,
) -> Option<Vec<Evidence>> {
    if evidence.len() > EVIDENCE_LIMIT {
        let detail = format!("must be at most {EVIDENCE_LIMIT}");
        fields.refuse(pointer, Fault::invalid(detail));
        return None;
    }
    let parsed: Vec<Option<Evidence>> = evidence
        .into_iter()
        .enumerate()
        .map(|(index, it)| {
            let kind = fields.listed(&format!("{pointer}/{index}/kind"), it.kind);
            let at = format!("{pointer}/{index}/reference");
            let reference = short(fields, &at, it.reference, REFERENCE_LIMIT);
            Some(Evidence { kind: kind?, reference: reference? })
        })
        .collect();
    parsed.into_iter().collect()
}

pub(super) fn name(fields: &mut Fields, pointer: &str, text: String) -> Option<String> {
    short(fields, pointer, text, NAME_LIMIT).map(|it| it.trim().to_owned())
}

pub(super) fn short(
    fields: &mut Fields,
    pointer: &str,
    text: String,
    limit: usize,
) -> Option<String> {
    let text = fields.text(pointer, text)?;
    if text.chars().count() > limit {
        fields.refuse(pointer, Fault::invalid(format!("must be at most {limit} characters")));
        return None;
    }
    Some(text)
}

#[expect(clippy::option_option, reason = "absent and wrong are different answers")]
fn past(
    fields: &mut Fields,
    ctx: &Ctx,
    pointer: &str,
    text: Option<&str>,
) -> Option<Option<NaiveDate>> {
    fields.optional(pointer, text, |it| identity::past_date(it, ctx.today()))
}
