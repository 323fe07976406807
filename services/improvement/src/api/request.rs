//! What is asked for, validated once. A command that exists is well formed.

use chrono::NaiveDate;
use contract::improvement as pb;
use identity::{SchoolNumber, TrustId};
use rpc::{Ctx, Fault, Fields, PAGES, Page, Reason, Result, Twin};

use super::parse::{due_date, each, line, number, optional_text, reference};
use crate::{
    app::{About, ListProjects, ListTransitions, Propose},
    domain::{
        Command, Diagnosis, Goal, GoalId, Ground, Held, HeldText, Impact, ImpactText, Level,
        LinkText, MeasureCode, Milestone, MilestoneId, NextStep, Participant, Plan, PlanText,
        ProjectId, ProposalText, Rating, SignalId, State, StocktakeId, Tier,
    },
};

pub(super) fn project_id(text: &str) -> Result<ProjectId> {
    let mut fields = Fields::new();
    let id = fields.take("/projectId", ProjectId::parse(text));
    fields.done(|| id)
}

pub(super) fn propose(request: pb::CreateProjectRequest) -> Result<Propose> {
    let mut fields = Fields::new();
    let trust_id = fields.take("/trustId", TrustId::parse(&request.trust_id));
    let signal_id = fields.optional("/signalId", request.signal_id.as_deref(), SignalId::parse);
    let school = fields.optional("/urn", request.urn.as_deref(), SchoolNumber::parse);
    if request.signal_id.is_none() && request.urn.is_none() {
        let fault = Fault::new(Reason::FieldRequired, "must be given where signalId is not");
        fields.refuse("/urn", fault);
    }
    let title = line(&mut fields, "/title", request.title);
    let rationale = fields.text("/rationale", request.rationale);
    fields.done(|| {
        let about = match (signal_id?, school?) {
            (Some(signal_id), school) => About::Signal(signal_id, school),
            (None, school) => About::School(school?),
        };
        let text = ProposalText { title: title?, rationale: rationale? };
        Some(Propose { trust_id: trust_id?, about, text })
    })
}

pub(super) fn list_projects(request: &pb::ListProjectsRequest) -> Result<ListProjects> {
    let mut fields = Fields::new();
    let trust_id = fields.take("/trustId", TrustId::parse(&request.trust_id));
    let school = fields.optional("/urn", request.urn.as_deref(), SchoolNumber::parse);
    let state = if request.state.is_some() {
        fields.listed::<State>("/state", request.state().into()).map(Some)
    } else {
        Some(None)
    };
    let (trust_id, school, state) = fields.done(|| Some((trust_id?, school?, state?)))?;
    let token = request.page_token.as_deref();
    let filters = (trust_id, &request.urn, state);
    let page = Page::parse(request.page_size, token, &filters, PAGES)?;
    Ok(ListProjects { trust_id, school, state, page })
}

pub(super) fn list_transitions(
    request: &pb::ListProjectTransitionsRequest,
) -> Result<ListTransitions> {
    let project_id = project_id(&request.project_id)?;
    let token = request.page_token.as_deref();
    let page = Page::parse(request.page_size, token, &project_id, PAGES)?;
    Ok(ListTransitions { project_id, page })
}

fn participant(fields: &mut Fields, at: &str, person: pb::Participant) -> Option<Participant> {
    let person_id = reference(fields, &format!("{at}/personId"), person.person_id);
    let role = line(fields, &format!("{at}/role"), person.role);
    Some(Participant { person_id: person_id?, role: role? })
}

pub(super) fn diagnosis(diagnosis: Option<pb::Diagnosis>) -> Result<Command> {
    let mut fields = Fields::new();
    let command = fields.required("/diagnosis", diagnosis).and_then(|it| {
        let basis = each(&mut fields, "/diagnosis/basis", it.basis, reference);
        let people = each(&mut fields, "/diagnosis/diagnosedBy", it.diagnosed_by, participant);
        if it.finding.is_some() && it.waiver.is_some() {
            let fault = Fault::invalid("only one of finding and waiver may be given");
            fields.refuse("/diagnosis/waiver", fault);
        }
        let finding = optional_text(&mut fields, "/diagnosis/finding", it.finding);
        let waiver = optional_text(&mut fields, "/diagnosis/waiver", it.waiver);
        let ground = match (finding?, waiver?) {
            (None, None) => Ground::Missing,
            (Some(finding), _) => Ground::Finding(Some(finding)),
            (None, Some(waiver)) => Ground::Waiver(Some(waiver)),
        };
        Some(Command::SetDiagnosis(Diagnosis { basis: basis?, ground, diagnosed_by: people? }))
    });
    fields.done(|| command)
}

pub(super) fn plan(plan: Option<pb::Plan>) -> Result<Command> {
    let mut fields = Fields::new();
    let command = fields.required("/plan", plan).and_then(|it| {
        let level = Level::of(it.level());
        let owner = match it.owner {
            None => Some(None),
            Some(owner) => participant(&mut fields, "/plan/owner", owner).map(Some),
        };
        let outputs = each(&mut fields, "/plan/outputs", it.outputs, Fields::text);
        let chain = each(&mut fields, "/plan/deliveryChain", it.delivery_chain, link);
        let capacity = Some(it.capacity).filter(|it| !it.is_empty());
        let capacity = optional_text(&mut fields, "/plan/capacity", capacity);
        let (tiers, links) = chain?.into_iter().unzip();
        let text = PlanText { outputs: outputs?, links, capacity: capacity? };
        Some(Command::SetPlan(Plan { owner: owner?, level, tiers, text: Some(text) }))
    });
    fields.done(|| command)
}

fn link(fields: &mut Fields, at: &str, link: pb::DeliveryLink) -> Option<(Tier, LinkText)> {
    let tier = fields.listed(&format!("{at}/tier"), link.tier);
    let role = line(fields, &format!("{at}/role"), link.role);
    let action = fields.text(&format!("{at}/action"), link.action);
    Some((tier?, LinkText { role: role?, action: action? }))
}

pub(super) fn goal(ctx: &Ctx, request: &pb::CreateGoalRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let measure = fields.take("/measure", MeasureCode::parse(&request.measure));
    let baseline = fields.take("/baseline", number(request.baseline));
    let target = fields.take("/target", number(request.target));
    if baseline.is_some() && baseline == target {
        fields.refuse("/target", Fault::invalid("must differ from the baseline"));
    }
    let due_on = fields.take("/dueOn", due_date(&request.due_on, ctx.today()));
    fields.done(|| {
        Some(Command::SetGoal(Goal {
            goal_id: GoalId(ctx.new_id()),
            measure: measure?,
            baseline: baseline?,
            target: target?,
            due_on: due_on?,
            rating: None,
        }))
    })
}

pub(super) fn milestone(ctx: &Ctx, request: pb::CreateMilestoneRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let description = fields.text("/description", request.description);
    let due_on = fields.take("/dueOn", due_date(&request.due_on, ctx.today()));
    fields.done(|| {
        Some(Command::SetMilestone(Milestone {
            milestone_id: MilestoneId(ctx.new_id()),
            description: Some(description?),
            due_on: due_on?,
            reached_on: None,
        }))
    })
}

/// A date that has come; today when not said.
fn come(fields: &mut Fields, ctx: &Ctx, at: &str, text: Option<&str>) -> Option<NaiveDate> {
    let today = ctx.today();
    let date = fields.optional(at, text, |it| identity::past_date(it, today));
    date.map(|it| it.unwrap_or(today))
}

pub(super) fn reach(ctx: &Ctx, request: &pb::ReachMilestoneRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let milestone_id = fields.take("/milestoneId", MilestoneId::parse(&request.milestone_id));
    let reached_on = come(&mut fields, ctx, "/reachedOn", request.reached_on.as_deref());
    fields.done(|| {
        let (milestone_id, reached_on) = (milestone_id?, reached_on?);
        Some(Command::ReachMilestone { milestone_id, reached_on })
    })
}

pub(super) fn stocktake(ctx: &Ctx, request: &pb::CreateStocktakeRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let due_on = fields.take("/dueOn", due_date(&request.due_on, ctx.today()));
    fields.done(|| {
        let stocktake_id = StocktakeId(ctx.new_id());
        Some(Command::ScheduleStocktake { stocktake_id, due_on: due_on? })
    })
}

pub(super) fn hold(ctx: &Ctx, request: pb::HoldStocktakeRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let stocktake_id = fields.take("/stocktakeId", StocktakeId::parse(&request.stocktake_id));
    let held_on = come(&mut fields, ctx, "/heldOn", request.held_on.as_deref());
    let likelihood = fields.listed("/likelihood", request.likelihood);
    let reviews = each(&mut fields, "/reviews", request.reviews, review);
    let decisions = each(&mut fields, "/decisions", request.decisions, Fields::text);
    let next_steps = each(&mut fields, "/nextSteps", request.next_steps, next_step);
    fields.done(|| {
        let (ratings, reasons) = reviews?.into_iter().unzip();
        let text = HeldText { reasons, decisions: decisions?, next_steps: next_steps? };
        let (held_on, likelihood) = (held_on?, likelihood?);
        let held = Held { held_on, ratings, likelihood, text: Some(text) };
        Some(Command::HoldStocktake { stocktake_id: stocktake_id?, held })
    })
}

fn review(fields: &mut Fields, at: &str, it: pb::GoalReview) -> Option<((GoalId, Rating), String)> {
    let goal_id = fields.take(&format!("{at}/goalId"), GoalId::parse(&it.goal_id));
    let rating = fields.listed(&format!("{at}/rating"), it.rating);
    let reason = fields.text(&format!("{at}/reason"), it.reason.unwrap_or_default());
    Some(((goal_id?, rating?), reason?))
}

fn next_step(fields: &mut Fields, at: &str, step: pb::NextStep) -> Option<NextStep> {
    let action = fields.text(&format!("{at}/action"), step.action);
    let owner_role = line(fields, &format!("{at}/ownerRole"), step.owner_role);
    let due_on = fields.take(&format!("{at}/dueOn"), identity::date(&step.due_on));
    Some(NextStep { action: action?, owner_role: owner_role?, due_on: due_on? })
}

pub(super) fn impact(impact: Option<pb::Impact>) -> Result<Command> {
    let mut fields = Fields::new();
    let command = fields.required("/impact", impact).and_then(|it| {
        let verdict = fields.listed("/impact/verdict", it.verdict);
        let evaluation = optional_text(&mut fields, "/impact/evaluation", it.evaluation);
        let spread = optional_text(&mut fields, "/impact/worthSpreading", it.worth_spreading);
        let text = ImpactText { evaluation: evaluation?, worth_spreading: spread? };
        Some(Command::JudgeImpact(Impact { verdict: verdict?, text: Some(text) }))
    });
    fields.done(|| command)
}

pub(super) fn transition(request: pb::CreateProjectTransitionRequest) -> Result<Command> {
    let mut fields = Fields::new();
    let to = fields.listed("/to", request.to);
    let rationale = fields.text("/rationale", request.rationale);
    fields.done(|| Some(Command::Move { to: to?, rationale: rationale? }))
}
