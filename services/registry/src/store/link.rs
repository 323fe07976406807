use db::{Tx, on};
use identity::Urn;
use rpc::Result;

use crate::domain::establishment::Link;

/// Every tie of an establishment, from either side.
pub(crate) async fn of(tx: &mut Tx, urn: &Urn) -> Result<Vec<Link>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(
        "SELECT * FROM establishment_link WHERE urn = $1 OR link_urn = $1 ORDER BY urn, link_urn, type"
    )
    .bind(urn)
    .fetch_all(c)
    .await
    })?)
}

/// What followed an establishment, whichever side recorded it.
pub(crate) async fn successors(tx: &mut Tx, urn: &Urn) -> Result<Vec<Urn>> {
    let mut successors: Vec<Urn> = of(tx, urn)
        .await?
        .into_iter()
        .filter_map(|it| {
            if it.urn == *urn && it.to_successor() {
                Some(it.link_urn)
            } else if it.link_urn == *urn && it.to_predecessor() {
                Some(it.urn)
            } else {
                None
            }
        })
        .collect();
    successors.sort();
    successors.dedup();
    Ok(successors)
}
