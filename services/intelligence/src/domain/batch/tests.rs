use uuid::Uuid;

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn totals(outcomes: &[Outcome]) -> Totals {
    let result = |outcome: &Outcome| RecordResult::new(1, String::new(), *outcome);
    Totals::of(&outcomes.iter().map(result).collect::<Vec<_>>())
}

fn batch(state: BatchState, totals: Totals) -> Batch {
    Batch {
        batch_id: BatchId(Uuid::nil()),
        feed_id: FeedId(Uuid::nil()),
        trust_id: TrustId(Uuid::nil()),
        state,
        dry_run: false,
        snapshot: None,
        totals,
        skipped_rows: 0,
        unconfirmed: None,
        received_at: now(),
        applied_at: None,
        version: 1,
    }
}

#[test]
fn results_are_kept_for_ninety_days() {
    let batch = |days: i64| {
        let at = (now() - TimeDelta::days(days)).timestamp_millis().unsigned_abs();
        BatchId(uuid::Builder::from_unix_timestamp_millis(at, &[7; 10]).into_uuid())
    };
    assert!(batch(89) >= BatchId::oldest_kept(now()));
    assert!(batch(91) < BatchId::oldest_kept(now()));
}

#[test]
fn a_batch_is_what_its_records_came_to() {
    #[track_caller]
    fn check(outcomes: &[Outcome], dry_run: bool, expected: BatchState) {
        let it = totals(outcomes);
        let sum = it.accepted + it.unchanged + it.corrected + it.parked + it.rejected;
        assert_eq!((it.records + it.removed) as usize, outcomes.len());
        assert_eq!(sum, it.records);
        assert_eq!(BatchState::of(&it, dry_run), expected);
    }
    use Outcome::{Accepted, Corrected, Parked, Rejected, Removed, Unchanged};
    check(&[Accepted, Unchanged, Corrected, Parked], false, BatchState::Applied);
    check(&[Accepted, Rejected], false, BatchState::PartlyApplied);
    check(&[Accepted, Removed, Removed], false, BatchState::Applied);
    check(&[Rejected, Rejected], false, BatchState::Rejected);
    check(&[Rejected, Rejected], true, BatchState::Validated);
}

#[test]
fn a_batch_moves_forward_only() {
    use BatchState::{Applied, PartlyApplied, Received, Rejected, Validated, Validating};
    #[track_caller]
    fn check(from: BatchState, to: &[BatchState]) {
        let all = [Received, Validating, Applied, PartlyApplied, Rejected, Validated];
        let allowed: Vec<_> = all.into_iter().filter(|it| from.may_become(*it)).collect();
        assert_eq!(allowed, to, "{from:?}");
    }
    check(Received, &[Validating, Applied, PartlyApplied, Rejected, Validated]);
    check(Validating, &[Applied, PartlyApplied, Rejected, Validated]);
    check(Applied, &[PartlyApplied, Rejected]);
    check(PartlyApplied, &[PartlyApplied, Rejected]);
    check(Rejected, &[]);
    check(Validated, &[]);
}

#[test]
fn each_step_is_taken_once() {
    use Outcome::{Accepted, Parked, Rejected};
    let received = batch(BatchState::Received, Totals::default());
    let validating = received.taken_up().unwrap();
    assert_eq!((validating.state, validating.version), (BatchState::Validating, 2));
    assert_eq!(validating.taken_up(), None);
    let done = validating.done(totals(&[Accepted, Parked]), now()).unwrap();
    assert_eq!((done.state, done.version, done.applied_at), (BatchState::Applied, 3, Some(now())));
    assert_eq!(done.done(Totals::default(), now()), None);
    assert_eq!(done.taken_up(), None);

    assert_eq!(done.expired(0), None);
    assert_eq!(done.expired(2), None, "only one waits");
    let expired = done.expired(1).unwrap();
    assert_eq!(expired.totals, totals(&[Accepted, Rejected]));
    assert_eq!(expired.state, BatchState::PartlyApplied);
    let all = received.done(totals(&[Parked]), now()).unwrap().expired(1).unwrap();
    assert_eq!((all.state, all.version), (BatchState::Rejected, 3));

    let dry = Batch { dry_run: true, ..received.clone() };
    let dry = dry.done(totals(&[Parked]), now()).unwrap();
    assert_eq!(dry.state, BatchState::Validated);
    assert_eq!(dry.expired(1), None);

    let unconfirmed = Some(Unconfirmed { removed: 5, in_scope: 10 });
    let stopped = Batch { unconfirmed, ..received }.done(totals(&[Accepted]), now()).unwrap();
    assert_eq!(stopped.state, BatchState::PartlyApplied);
}
