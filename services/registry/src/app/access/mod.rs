//! Clients, grants and identity providers: who may do what, and the tokens that say so.

mod client;
mod directory;
mod grant;
mod provider;
mod token;

use db::Tx;
use identity::{SchoolId, SchoolNumber, TrustId};
use rpc::{Ctx, Fields, Reason, Result};

use super::school::{of_trust, said};

pub use client::{ADMINISTRATOR, Made, NewClient};
pub(crate) use client::{NewKeys, Shown};
pub(crate) use directory::Directory;
pub(crate) use grant::{GrantView, NewGrant};
pub(crate) use provider::{NewMapping, NewProvider, ProviderView};
pub(crate) use token::{Proof, Refused, Request};

/// Schools of a trust by the numbers the caller gave, each of which the caller's own grants must cover.
async fn schools(
    tx: &mut Tx,
    ctx: &Ctx,
    trust_id: TrustId,
    (fields, pointer): (&mut Fields, &str),
    numbers: &[SchoolNumber],
) -> Result<Vec<SchoolId>> {
    let mut found = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        match of_trust(tx, trust_id, number).await {
            Ok(school) => {
                ctx.school(school.school_id.0, school.urn().as_str())?;
                found.push(school.school_id);
            }
            Err(error) if error.reason == Reason::SchoolUnknown => {
                let detail = format!("no school {} in this trust", said(number));
                let fault = rpc::Fault::new(Reason::SchoolUnknown, detail);
                fields.refuse(&format!("{pointer}/{index}"), fault);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
