use identity::{SchoolId, TrustId};
use serde::{Deserialize, Serialize};

identity::id! {
    /// A part of a school with a journey of its own.
    UnitId
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum UnitKind {
    YearGroup,
    KeyStage,
    Subject,
    Department,
    Team,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Unit {
    pub unit_id: UnitId,
    pub school_id: SchoolId,
    pub trust_id: TrustId,
    pub kind: UnitKind,
    pub name: String,
    /// National curriculum year, 0 for reception.
    pub year_group: Option<i32>,
    pub version: i32,
}

/// The years of the national curriculum and sixth form.
pub(crate) const YEAR_GROUPS: std::ops::RangeInclusive<i32> = 0..=14;

impl Unit {
    /// Whether both stand for the same part of the school.
    pub fn same_part(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.name.to_lowercase() == other.name.to_lowercase()
                || (self.year_group.is_some() && self.year_group == other.year_group))
    }

    /// The core subject it teaches, by the names schools use.
    pub fn core_subject(&self) -> Option<CoreSubject> {
        if !matches!(self.kind, UnitKind::Subject | UnitKind::Department) {
            return None;
        }
        let name = self.name.trim().to_lowercase();
        let name = ["department", "faculty", "team"]
            .iter()
            .find_map(|it| name.strip_suffix(it))
            .unwrap_or(&name);
        match name.trim() {
            "english"
            | "english language"
            | "english literature"
            | "english language and literature" => Some(CoreSubject::English),
            "maths" | "mathematics" => Some(CoreSubject::Maths),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreSubject {
    English,
    Maths,
}
