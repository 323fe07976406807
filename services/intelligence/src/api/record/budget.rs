use contract::intelligence as pb;
use rpc::{Fault, Problem};

use super::reader::Reader;
use crate::domain::{Body, BudgetLine, Content, Fact, Kind};

/// The largest amount of a line, in pence either way: ten billion pounds, so that no sum of them overflows.
const AMOUNT: i64 = 1_000_000_000_000;
/// The longest financial period, in days.
const DAYS: i64 = 550;

pub(super) fn read(it: pb::BudgetLine) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::BudgetLine.field());
    reader.school(&it.urn);
    let starts_on = reader.date("startsOn", &it.starts_on);
    let ends_on = reader.ends_on(starts_on, Some(&it.ends_on)).and_then(|it| it.0);
    if starts_on.zip(ends_on).is_some_and(|(first, last)| (last - first).num_days() > DAYS) {
        reader.refuse("endsOn", Fault::invalid("is more than 18 months after startsOn"));
    }
    let code = reader.code("code", "budget_codes", &it.code, starts_on);
    let kind = reader.code("kind", "budget_kinds", &it.kind, starts_on);
    if !(-AMOUNT..=AMOUNT).contains(&it.amount_pence) && !it.deleted {
        let detail = "must be at most a million million pence, either way";
        reader.refuse("amountPence", Fault::invalid(detail));
    }
    let (deleted, amount) = (it.deleted, it.amount_pence);
    reader.done(it.urn, || {
        let (code, kind, starts_on, ends_on) = (code?, kind?, starts_on?, ends_on?);
        let key = BudgetLine::key(&code, &kind, starts_on, ends_on);
        let line = BudgetLine { code, kind, starts_on, ends_on, amount };
        let content = (!deleted).then_some(Content::BudgetLine(line));
        Some(Fact { kind: Kind::BudgetLine, person: None, on: starts_on, key, content })
    })
}
