use std::collections::{BTreeSet, HashMap};

use calendar::{Term, Week};
use chrono::NaiveDate;
use db::Tx;
use identity::SchoolId;
use rpc::Result;

use super::book::merged;
use crate::{
    domain::{Period, PeriodKind, Roll, Tally},
    store::{self, Range},
};

/// Each pupil's sessions by school and first day of the period, of consecutive periods of a kind. Days and weeks are
/// counted from their registers, terms and years from the tallies and the registers not yet in them.
pub(super) async fn of_periods(
    tx: &mut Tx,
    schools: &[SchoolId],
    periods: &[Period],
) -> Result<HashMap<(SchoolId, NaiveDate), Tally>> {
    let (Some(first), Some(last)) = (periods.first(), periods.last()) else {
        return Ok(HashMap::new());
    };
    let (kind, from, to) = (first.kind, first.starts_on, last.ends_on);
    let asked_of = schools;
    let mut tallies = HashMap::<_, Tally>::new();
    let mut days = BTreeSet::new();
    if matches!(kind, PeriodKind::Day | PeriodKind::Week) {
        days.extend(schools.iter().map(|it| (*it, from, to)));
    } else {
        let asked: BTreeSet<_> = schools.iter().collect();
        let asked: Vec<_> =
            asked.into_iter().map(|it| Range { school_id: *it, from, to }).collect();
        for (school_id, term, folded) in store::tally::within(tx, &asked).await? {
            let last = Week::of(folded.to).ends_on().min(Term::of(term).ends_on());
            days.insert((school_id, folded.to, last));
            let period = (school_id, kind.of(term).starts_on);
            tallies.entry(period).or_default().merge(&folded.tally);
        }
    }
    let registers = store::register::within(tx, &merged(&days)).await?;
    let schools: BTreeSet<_> = registers.iter().map(|(slot, _)| slot.school_id).collect();
    let schools: Vec<_> = schools.into_iter().collect();
    let rolls: HashMap<SchoolId, Roll> =
        store::roll::of_schools(tx, &schools).await?.into_iter().collect();
    let mut standings = HashMap::new();
    for (slot, register) in registers {
        let Some(roll) = rolls.get(&slot.school_id) else { continue };
        let day = (slot.school_id, slot.date);
        let standings = standings.entry(day).or_insert_with(|| roll.on(slot.date));
        let period = (slot.school_id, kind.of(slot.date).starts_on);
        tallies.entry(period).or_default().add(&register, standings);
    }
    let left: BTreeSet<_> = asked_of.iter().map(|it| (*it, from, to)).collect();
    for (school_id, starts_on, tally) in
        store::privacy::remainder::within(tx, kind, &merged(&left)).await?
    {
        tallies.entry((school_id, starts_on)).or_default().merge(&tally);
    }
    Ok(tallies)
}
