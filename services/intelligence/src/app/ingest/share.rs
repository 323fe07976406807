//! A group of pushes in shares that touch nothing in common: while the database reads for one and stores what another
//! changed, a third is decided on.

use std::collections::HashMap;

use identity::TrustId;

/// Records and marks that are worth a share of their own: below, its statements cost more than the waiting.
const WORTH: usize = 6_000;

/// Parts pushes, of which trust and weight are told in order, by their numbers. All of a trust are in one share, in
/// their order.
pub(super) fn shares(pushes: impl Iterator<Item = (TrustId, usize)>) -> Vec<Vec<usize>> {
    let mut trusts = Vec::<(Vec<usize>, usize)>::new();
    let mut place = HashMap::new();
    for (number, (trust_id, weight)) in pushes.enumerate() {
        let place = *place.entry(trust_id).or_insert(trusts.len());
        match trusts.get_mut(place) {
            Some((numbers, sum)) => {
                numbers.push(number);
                *sum += weight;
            }
            None => trusts.push((vec![number], weight)),
        }
    }
    let mut shares = Vec::new();
    let (mut share, mut sum) = (Vec::new(), 0);
    for (numbers, weight) in trusts {
        share.extend(numbers);
        sum += weight;
        if sum >= WORTH {
            shares.push(std::mem::take(&mut share));
            sum = 0;
        }
    }
    match shares.last_mut() {
        Some(last) if sum < WORTH / 2 => last.append(&mut share),
        _ if share.is_empty() => {}
        _ => shares.push(share),
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(pushes: &[(u128, usize)], expected: &[&[usize]]) {
        let pushes = pushes.iter().map(|it| (TrustId(Uuid::from_u128(it.0)), it.1));
        assert_eq!(shares(pushes), expected);
    }

    #[test]
    fn a_share_is_worth_its_statements() {
        check(&[], &[]);
        check(&[(1, 1)], &[&[0]]);
        check(&[(1, 400), (2, 400), (1, 400)], &[&[0, 2, 1]]);
        check(&[(1, 6000), (2, 6000)], &[&[0], &[1]]);
        check(&[(1, 4000), (2, 6000), (1, 2000)], &[&[0, 2], &[1]]);
        check(&[(1, 6000), (2, 3200)], &[&[0], &[1]]);
        check(&[(1, 6000), (2, 2800)], &[&[0, 1]]);
    }

    proptest! {
        #[test]
        fn every_push_is_in_one_share_and_a_trust_is_not_parted(
            pushes in prop::collection::vec((0..6_u128, 0..5_000_usize), 0..40),
        ) {
            let trust = |it: usize| pushes[it].0;
            let shares = shares(pushes.iter().map(|it| (TrustId(Uuid::from_u128(it.0)), it.1)));
            let mut all: Vec<usize> = shares.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..pushes.len()).collect::<Vec<_>>());
            for (number, share) in shares.iter().enumerate() {
                for (other, elsewhere) in shares.iter().enumerate() {
                    let alike = share.iter().any(|it| elsewhere.iter().any(|that| trust(*it) == trust(*that)));
                    prop_assert_eq!(alike, number == other);
                }
                let of_trust = |id| share.iter().copied().filter(move |it| trust(*it) == id);
                prop_assert!(share.iter().all(|it| of_trust(trust(*it)).is_sorted()));
            }
        }
    }
}
