//! Results of the line items that the mapping speaks of. What teachers mark from week to week is passed over.

use std::{borrow::Cow, collections::HashMap};

use rpc::Result;

use super::{File, Pieces, join::People};
use crate::{
    api::format::bundle::Bundle,
    domain::{LineItem, OneRosterMapping},
};

pub(super) fn read(
    bundle: &mut Bundle,
    mapping: &OneRosterMapping,
    people: &People,
    pieces: &mut Pieces,
) -> Result<()> {
    let Some(results) = bundle.file("results.csv")? else { return Ok(()) };
    let items = items(bundle, mapping)?;
    let (mut rows, mut skipped) = (Vec::new(), 0);
    let needed = ["sourcedId", "lineItemSourcedId", "studentSourcedId", "score", "scoreDate"];
    let optional = ["status", "classSourcedId"];
    File::read(
        "results.csv",
        &results,
        needed,
        optional,
        |[id, item, student, score, date], [status, class]| {
            let Some((it, of)) = items.get(item) else {
                skipped += 1;
                return Ok(());
            };
            let class = if class.is_empty() { of } else { class };
            let school = people.classes.get(class).cloned().unwrap_or_default();
            let deleted = if status.eq_ignore_ascii_case("tobedeleted") { "true" } else { "" };
            let texts = [
                id,
                &school,
                student,
                &it.scale,
                &it.subject,
                &it.assessment_point,
                date,
                score,
                deleted,
            ];
            rows.push(texts.map(|it| Cow::<str>::Owned(it.to_owned())));
            Ok(())
        },
    )?;
    pieces.skipped_rows += skipped;
    let header = [
        "external_id",
        "urn",
        "pupil",
        "scale",
        "subject",
        "assessment_point",
        "taken_on",
        "result",
        "deleted",
    ];
    pieces.add(header, rows.into_iter())
}

/// The line items that are assessments, and the class of each.
fn items<'m>(
    bundle: &mut Bundle,
    mapping: &'m OneRosterMapping,
) -> Result<HashMap<String, (&'m LineItem, String)>> {
    let mut items = HashMap::new();
    let Some(bytes) = bundle.file("lineItems.csv")? else { return Ok(items) };
    File::read(
        "lineItems.csv",
        &bytes,
        ["sourcedId", "title", "classSourcedId"],
        [],
        |[id, title, class], []| {
            let found =
                mapping.line_items.iter().find(|it| it.line_item == id || it.line_item == title);
            if let Some(found) = found {
                items.insert(id.to_owned(), (found, class.to_owned()));
            }
            Ok(())
        },
    )?;
    Ok(items)
}
