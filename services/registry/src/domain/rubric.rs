//! The rubric: eleven domains, each judged against what every phase looks like, and the phase the ratings suggest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use super::rubric_text::descriptor;
use super::{evidence::Evidence, phase::Phase};

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum RubricDomain {
    Leadership,
    Governance,
    ExternalSupport,
    Staffing,
    Attendance,
    Finance,
    Outcomes,
    Teaching,
    ProfessionalDevelopment,
    Behaviour,
    SystemContribution,
}

impl RubricDomain {
    pub const ALL: [Self; 11] = [
        Self::Leadership,
        Self::Governance,
        Self::ExternalSupport,
        Self::Staffing,
        Self::Attendance,
        Self::Finance,
        Self::Outcomes,
        Self::Teaching,
        Self::ProfessionalDevelopment,
        Self::Behaviour,
        Self::SystemContribution,
    ];

    /// No phase is suggested that these have not reached.
    pub const DECISIVE: [Self; 3] = [Self::Leadership, Self::Governance, Self::Behaviour];

    pub fn name(self) -> &'static str {
        match self {
            Self::Leadership => "leadership",
            Self::Governance => "governance",
            Self::ExternalSupport => "external support",
            Self::Staffing => "staffing",
            Self::Attendance => "attendance",
            Self::Finance => "finance",
            Self::Outcomes => "outcomes",
            Self::Teaching => "teaching",
            Self::ProfessionalDevelopment => "professional development",
            Self::Behaviour => "behaviour",
            Self::SystemContribution => "contribution to the system",
        }
    }
}

/// The phase whose descriptor fits a domain, and what that rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    pub domain: RubricDomain,
    pub phase: Phase,
    pub evidence: Vec<Evidence>,
}

/// The latest rating of each domain.
pub(crate) type Ratings = BTreeMap<RubricDomain, Phase>;

/// What the ratings suggest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    pub phase: Phase,
    pub rated: u32,
    /// Of those rated, how many are at the suggested phase or beyond.
    pub supporting: u32,
}

/// The highest phase at or beyond which 70 % of the rated domains are, and every decisive one.
///
/// A domain not rated has reached nothing, so there is no suggestion before the decisive ones are rated.
pub(crate) fn suggest(ratings: &Ratings) -> Option<Suggestion> {
    let rated = count(ratings, Phase::Stabilise);
    Phase::ALL.into_iter().rev().find_map(|phase| {
        let supporting = count(ratings, phase);
        let decisive = RubricDomain::DECISIVE
            .iter()
            .all(|it| ratings.get(it).is_some_and(|reached| *reached >= phase));
        (decisive && supporting * 10 >= rated * 7).then_some(Suggestion {
            phase,
            rated,
            supporting,
        })
    })
}

fn count(ratings: &Ratings, phase: Phase) -> u32 {
    ratings.values().map(|it| u32::from(*it >= phase)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    use Phase::{Improve, Repair, Stabilise, Sustain};

    #[track_caller]
    fn check(decisive: [Option<Phase>; 3], others: &[Phase], expected: Option<(Phase, u32, u32)>) {
        let ratings = RubricDomain::DECISIVE
            .into_iter()
            .zip(decisive)
            .filter_map(|(domain, phase)| Some((domain, phase?)))
            .chain(
                RubricDomain::ALL
                    .into_iter()
                    .filter(|it| !RubricDomain::DECISIVE.contains(it))
                    .zip(others.iter().copied()),
            )
            .collect();
        let found = suggest(&ratings).map(|it| (it.phase, it.rated, it.supporting));
        assert_eq!(found, expected);
    }

    #[test]
    fn seven_in_ten_and_the_decisive_three() {
        let all = |it| [Some(it); 3];
        check([None; 3], &[], None);
        check([None; 3], &[Sustain; 8], None);
        check([Some(Sustain), Some(Sustain), None], &[Sustain; 8], None);
        check(all(Sustain), &[], Some((Sustain, 3, 3)));
        check(all(Sustain), &[Sustain; 8], Some((Sustain, 11, 11)));
        check([Some(Sustain), Some(Repair), Some(Sustain)], &[Sustain; 8], Some((Repair, 11, 11)));
        // Exactly 70 %: 7 of 10.
        let seven = [Improve, Improve, Improve, Improve, Repair, Repair, Repair];
        check(all(Improve), &seven, Some((Improve, 10, 7)));
        // 7 of 11 is 63 %.
        let eight = [Improve, Improve, Improve, Improve, Repair, Repair, Repair, Stabilise];
        check(all(Improve), &eight, Some((Repair, 11, 10)));
        check(all(Stabilise), &[Sustain; 8], Some((Stabilise, 11, 11)));
    }

    #[test]
    fn every_domain_is_described_in_every_phase_and_no_two_alike() {
        let texts: std::collections::BTreeSet<_> = RubricDomain::ALL
            .into_iter()
            .flat_map(|domain| Phase::ALL.map(|phase| descriptor(domain, phase)))
            .collect();
        assert_eq!(texts.len(), 44);
        assert!(texts.iter().all(|it| it.len() > 40 && it.ends_with('.')));
    }
}
