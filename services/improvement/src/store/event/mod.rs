//! The form a project's events take in the journal. Their free texts are kept beside it.

mod decode;
mod encode;

use serde::{Deserialize, Serialize};

pub(crate) use decode::decode;
pub(crate) use encode::{Head, draft};

#[derive(Serialize, Deserialize)]
struct DiagnosisText {
    finding: Option<String>,
    waiver: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct MilestoneText {
    description: String,
}

#[derive(Serialize, Deserialize)]
struct MoveText {
    rationale: String,
}
