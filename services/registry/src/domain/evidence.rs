use serde::{Deserialize, Serialize};

/// The four kinds of source a judgement can rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    Data,
    ProfessionalJudgement,
    Voice,
    OutsideJudgement,
}

/// A pointer to what a judgement rests on; it holds no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub kind: EvidenceKind,
    /// An identifier or address that a reader can follow.
    pub reference: String,
}
