/// Which parts of a published whole to hide, by the number of people in each.
///
/// A part of 1 to `threshold - 1` people is hidden (primary suppression). What is hidden is the whole less what is
/// shown, so the smallest shown parts are hidden too until at least two are hidden and together they reach the
/// threshold (secondary suppression; Government Statistical Service, *Disclosure control for tables*). Parts without
/// anybody are neither hidden nor help to hide. Of parts alike the earlier is hidden first.
pub fn suppressed(people: &[u32], threshold: u32) -> Vec<bool> {
    let mut hidden: Vec<bool> = people.iter().map(|it| (1..threshold).contains(it)).collect();
    loop {
        let parts = || people.iter().copied().zip(hidden.iter().copied());
        let (count, sum) = parts()
            .filter(|(_, hidden)| *hidden)
            .fold((0_u32, 0_u64), |(count, sum), (people, _)| (count + 1, sum + u64::from(people)));
        if count == 0 || (count > 1 && sum >= u64::from(threshold)) {
            return hidden;
        }
        let next = parts()
            .enumerate()
            .filter(|(_, (people, hidden))| !hidden && *people > 0)
            .min_by_key(|(_, (people, _))| *people);
        let Some(slot) = next.and_then(|(index, _)| hidden.get_mut(index)) else { return hidden };
        *slot = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// threat: T-SMALL-NUMBERS
    #[test]
    fn small_parts_and_what_would_reveal_them_are_hidden() {
        #[track_caller]
        fn check(people: &[u32], expected: &[u8]) {
            let expected: Vec<bool> = expected.iter().map(|it| *it == 1).collect();
            assert_eq!(suppressed(people, 5), expected, "{people:?}");
        }
        check(&[], &[]);
        check(&[30, 31, 29], &[0, 0, 0]);
        check(&[5], &[0]);
        check(&[4], &[1]);
        check(&[0, 30], &[0, 0]);
        check(&[4, 30, 29], &[1, 0, 1]);
        check(&[4, 0, 30], &[1, 0, 1]);
        check(&[4, 1, 30], &[1, 1, 0]);
        check(&[2, 1, 30], &[1, 1, 1]);
        check(&[4, 30, 30], &[1, 1, 0]);
    }

    proptest! {
        /// threat: T-SMALL-NUMBERS
        #[test]
        fn nothing_small_can_be_had_by_subtraction(people in prop::collection::vec(0u32..40, 0..15)) {
            let hidden = suppressed(&people, 5);
            let parts: Vec<u32> =
                people.iter().zip(&hidden).filter(|(_, it)| **it).map(|(it, _)| *it).collect();
            for (count, hidden) in people.iter().zip(&hidden) {
                prop_assert!(*hidden || *count == 0 || *count >= 5);
            }
            let all_hidden = people.iter().zip(&hidden).all(|(it, hidden)| *hidden || *it == 0);
            prop_assert!(parts.is_empty() || all_hidden || (parts.len() > 1 && parts.iter().sum::<u32>() >= 5));
        }
    }
}
