//! The closed lists of the contract and of the domain, each the twin of the other.

use contract::improvement as pb;

use crate::domain::{Level, Likelihood, Rating, State, Tier, Verdict};

rpc::twins! {
    State = pb::ProjectState { Proposed, Diagnosed, Planned, Delivering, Embedding, Closed, Abandoned }
    Level = pb::ProjectLevel { Trust, Hub, School }
    Tier = pb::DeliveryTier { Trust, SchoolLeaders, MiddleLeaders, Classroom }
    Rating = pb::GoalRating { Met, OnTrack, AtRisk, OffTrack }
    Likelihood = pb::Likelihood { HighlyLikely, Likely, Unlikely, HighlyUnlikely }
    Verdict = pb::Verdict { Achieved, Partly, Not }
}
