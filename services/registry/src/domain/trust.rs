use chrono::{DateTime, Utc};
use identity::{CompaniesHouseNumber, GroupUid, TrustId, Ukprn};
use serde::{Deserialize, Serialize};

/// A multi-academy trust: the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Trust {
    pub trust_id: TrustId,
    pub name: String,
    pub group_uid: Option<GroupUid>,
    pub ukprn: Option<Ukprn>,
    pub companies_house_number: Option<CompaniesHouseNumber>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
}
