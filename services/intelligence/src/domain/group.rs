//! Groups of pupils by characteristic, each beside the rest of the school, and which of them must not be shown.

use std::{collections::BTreeMap, fmt};

use rpc::Fault;
use serde::{Deserialize, Serialize};

use crate::domain::{Flag, Flags, Summary, THRESHOLD, Tally};

/// What divides a school's pupils in two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Divide {
    Flag(Flag),
    /// Special educational needs: support without a plan, or a plan.
    Sen,
}

/// Pupils with a characteristic, or the others: `ehcp`, `not_ehcp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    divide: Divide,
    is_rest: bool,
}

/// A group's pupils, and whether they must not be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouped {
    pub summary: Summary,
    pub is_hidden: bool,
}

/// Characteristics of which one tells of another: their values are hidden together. Those with a plan are the pupils
/// with special needs less those with support; the disadvantaged are those with free meals now and a few others.
const FAMILIES: [&[&str]; 2] = [&["sen_support", "ehcp"], &["disadvantaged", "free_school_meals"]];

impl Divide {
    fn all() -> impl Iterator<Item = Self> {
        Flag::all().map(Self::Flag).chain([Self::Sen])
    }

    fn code(self) -> &'static str {
        match self {
            Self::Flag(flag) => flag.code(),
            Self::Sen => "sen",
        }
    }

    /// The characteristics by which pupils are told apart.
    fn flags(self) -> Flags {
        match self {
            Self::Flag(flag) => [flag].into_iter().collect(),
            Self::Sen => ["sen_support", "ehcp"].into_iter().filter_map(Flag::named).collect(),
        }
    }

    /// Those, and the characteristics that are hidden together with them.
    fn family(self) -> Flags {
        let families = FAMILIES.iter();
        let families =
            families.map(|it| it.iter().filter_map(|it| Flag::named(it)).collect::<Flags>());
        families.fold(self.flags(), |all, it| if all.meets(it) { all.union(it) } else { all })
    }
}

impl Group {
    /// Every group, each before the rest.
    pub fn all() -> impl Iterator<Item = Self> {
        Divide::all().flat_map(|divide| [false, true].map(|is_rest| Self { divide, is_rest }))
    }

    pub fn parse(text: &str) -> Result<Self, Fault> {
        let found = Self::all().find(|it| it.to_string() == text);
        found.ok_or_else(|| {
            let accepted: Vec<_> = Self::all().map(|it| it.to_string()).collect();
            let detail = format!("is not a group; there are {}", accepted.join(", "));
            Fault::invalid(detail).accepting(accepted)
        })
    }

    /// The characteristics by which these pupils are told apart, with those that are hidden together with them.
    pub fn family(self) -> Flags {
        self.divide.family()
    }

    pub fn includes(self, flags: Flags) -> bool {
        flags.meets(self.divide.flags()) != self.is_rest
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_rest { "not_" } else { "" }, self.divide.code())
    }
}

/// Every group that has pupils.
///
/// A family of characteristics divides the school into as many parts as there are combinations of them. Small parts are
/// hidden, with those that would give them away; a group is shown if it holds all that is hidden or nothing of it, for
/// then no sum or difference of what is shown, the whole school among it, tells of a hidden part alone.
pub fn groups(tally: &Tally) -> BTreeMap<Group, Grouped> {
    let mut parts = BTreeMap::<Flags, Vec<(Flags, bool)>>::new();
    let mut groups = BTreeMap::new();
    for group in Group::all() {
        let summary = tally.summary_where(|it| group.includes(it));
        if summary.pupils == 0 {
            continue;
        }
        let family = group.family();
        let parts = parts.entry(family).or_insert_with(|| divided(tally, family));
        let is_hidden = !is_alike(group, parts);
        groups.insert(group, Grouped { summary, is_hidden });
    }
    groups
}

/// Whether a group may be shown beside the others, of whose parts some are hidden.
pub fn is_alike(group: Group, parts: &[(Flags, bool)]) -> bool {
    let mut hidden = parts.iter().filter(|(_, is_hidden)| *is_hidden).map(|(it, _)| *it);
    let is_alike = hidden
        .next()
        .is_none_or(|first| hidden.all(|it| group.includes(it) == group.includes(first)));
    is_alike && !parts.iter().all(|(_, is_hidden)| *is_hidden)
}

/// The combinations of a family's characteristics that pupils have, and which of them must not be told of.
fn divided(tally: &Tally, family: Flags) -> Vec<(Flags, bool)> {
    let combinations = tally.combinations(family).into_iter();
    let pupils = |part| tally.summary_where(|it| it.intersection(family) == part).pupils;
    hidden(combinations.map(|part| (part, pupils(part))).collect())
}

/// Which parts must not be told of, by how many pupils each has.
pub fn hidden(parts: Vec<(Flags, u32)>) -> Vec<(Flags, bool)> {
    let pupils: Vec<u32> = parts.iter().map(|it| it.1).collect();
    let hidden = statistics::suppressed(&pupils, THRESHOLD);
    parts.into_iter().map(|(part, _)| part).zip(hidden).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Sessions, Standing};

    /// So many pupils with each set of characteristics.
    fn school(parts: &[(u32, &[&str])]) -> Tally {
        let mut tally = Tally::default();
        let mut index = 0;
        for (count, codes) in parts {
            let flags = codes.iter().map(|it| Flag::named(it).unwrap()).collect();
            for _ in 0..*count {
                let sessions = Sessions { possible: 2, ..Sessions::default() };
                tally.put(index, Standing { year_group: 3, flags }, sessions);
                index += 1;
            }
        }
        tally
    }

    #[track_caller]
    fn check(parts: &[(u32, &[&str])], asked: &[&str], shown: &[&str]) {
        let groups = groups(&school(parts));
        let known: Vec<_> = asked
            .iter()
            .filter(|it| groups.get(&Group::parse(it).unwrap()).is_some_and(|it| !it.is_hidden))
            .copied()
            .collect();
        assert_eq!(known, shown, "{parts:?}");
    }

    #[test]
    fn a_small_group_takes_the_rest_with_it() {
        let eal = ["eal", "not_eal"];
        check(&[(10, &["eal"]), (20, &[])], &eal, &eal);
        check(&[(4, &["eal"]), (20, &[])], &eal, &[]);
        check(&[(20, &["eal"]), (3, &[])], &eal, &[]);
        check(&[(20, &[])], &eal, &["not_eal"]);
        check(&[(4, &[])], &eal, &[]);
    }

    #[test]
    fn no_difference_tells_of_a_small_group() {
        let asked = ["sen_support", "not_sen_support", "ehcp", "not_ehcp", "sen", "not_sen"];
        let (support, plan): (&[&str], &[&str]) = (&["sen_support"], &["ehcp"]);
        check(&[(8, support), (6, plan), (60, &[])], &asked, &asked);
        // Two with a plan: hidden with those who have support, but their sum may be known.
        check(&[(8, support), (2, plan), (60, &[])], &asked, &["sen", "not_sen"]);
        check(&[(30, support), (2, plan), (20, &[])], &asked, &["sen_support", "not_sen_support"]);
        check(&[(2, support), (2, plan), (60, &[])], &asked, &[]);
    }

    #[test]
    fn groups_have_names_of_their_own() {
        let names: Vec<_> = Group::all().map(|it| it.to_string()).collect();
        assert_eq!(names.len(), 18);
        assert!(names.iter().all(|it| Group::parse(it).unwrap().to_string() == *it));
        assert!(
            Group::parse("boys").unwrap_err().detail.contains("disadvantaged, not_disadvantaged")
        );
    }
}
