//! The closed lists of the contract and of the domain, each the twin of the other.

use contract::improvement as pb;

use crate::domain::{Level, Likelihood, Rating, State, Tier, Verdict};

/// One of a closed list.
pub(crate) trait Listed {
    /// Every name the contract has for it.
    fn names() -> Vec<&'static str>;
}

/// Pairs each variant of a domain list with the contract's of the same name; the contract's "unspecified" has no twin.
macro_rules! twins {
    ($($domain:ident = $contract:ident { $($variant:ident),+ $(,)? })+) => {
        $(
            impl From<$domain> for pb::$contract {
                fn from(value: $domain) -> Self {
                    match value {
                        $($domain::$variant => Self::$variant,)+
                    }
                }
            }

            impl $domain {
                pub(crate) fn from_contract(value: pb::$contract) -> Option<Self> {
                    match value {
                        pb::$contract::Unspecified => None,
                        $(pb::$contract::$variant => Some(Self::$variant),)+
                    }
                }

            }

            impl Listed for $domain {
                fn names() -> Vec<&'static str> {
                    vec![$(pb::$contract::$variant.as_str_name()),+]
                }
            }
        )+
    };
}

twins! {
    State = ProjectState {
        Proposed, Diagnosed, Planned, Delivering, Embedding, Closed, Abandoned,
    }
    Level = ProjectLevel { Trust, Hub, School }
    Tier = DeliveryTier { Trust, SchoolLeaders, MiddleLeaders, Classroom }
    Rating = GoalRating { Met, OnTrack, AtRisk, OffTrack }
    Likelihood = Likelihood { HighlyLikely, Likely, Unlikely, HighlyUnlikely }
    Verdict = Verdict { Achieved, Partly, Not }
}
