//! What the measures say of a unit of a school.

use contract::registry;
use serde_json::{Value, json};
use testkit::{Database, problem};
use uuid::Uuid;

use crate::world::{FRIDAY, SECOND_URN, URN, World, enrolments, whole};

testkit::both!(
    a_year_group_and_a_key_stage_are_measured_by_their_years,
    a_department_is_measured_by_results_in_its_subject,
    what_is_no_part_of_the_school_is_refused,
);

/// Tells of a unit of the first school as the registry does; gives its id.
async fn unit(
    world: &World,
    kind: registry::UnitKind,
    name: &str,
    year_group: Option<u32>,
) -> String {
    let unit_id = rpc::new_id().to_string();
    let message = registry::UnitCreated {
        unit_id: unit_id.clone(),
        school_id: world.school_id.to_string(),
        kind: kind.into(),
        name: name.to_owned(),
        year_group,
    };
    world.tell(world.trust_id, None, message).await;
    unit_id
}

fn query(unit: &str, more: &str) -> String {
    format!("unit={unit}&periodKind=PERIOD_KIND_DAY&from={FRIDAY}&to={FRIDAY}{more}")
}

/// Year group and counts of each line.
async fn attendance(world: &World, unit: &str) -> Vec<(Value, Value, Value)> {
    let told = world.observations(&query(unit, "&measure=attendance")).await;
    assert!(told.iter().all(|it| it["urn"] == URN), "{told:?}");
    let line =
        |it: &Value| (it["yearGroup"].clone(), it["numerator"].clone(), it["denominator"].clone());
    told.iter().map(line).collect()
}

async fn a_year_group_and_a_key_stage_are_measured_by_their_years(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=10, 2);
    records.extend(enrolments(URN, 11..=30, 3));
    records.extend(enrolments(URN, 31..=45, 4));
    records.push(whole(URN, FRIDAY.parse().unwrap(), "AM", 45, 13));
    world.push(json!(records)).await;
    let of = |year, present, all| (json!(year), json!(present), json!(all));

    let year = unit(&world, registry::UnitKind::YearGroup, "Year 3", Some(3)).await;
    assert_eq!(attendance(&world, &year).await, [of(3, 17, 20)]);
    let stage = unit(&world, registry::UnitKind::KeyStage, "Key Stage 2", None).await;
    assert_eq!(attendance(&world, &stage).await, [of(3, 17, 20), of(4, 15, 15)]);
    let stage = unit(&world, registry::UnitKind::KeyStage, "KS1", None).await;
    assert_eq!(attendance(&world, &stage).await, [of(2, 0, 10)]);

    // Pages of one lead to the same end.
    let stage = unit(&world, registry::UnitKind::KeyStage, "KS2", None).await;
    let path = format!("observations?pageSize=1&{}", query(&stage, "&measure=attendance"));
    let first = world.get(&path).await.body;
    let next = first["nextPageToken"].as_str().unwrap();
    let second = world.get(&format!("{path}&pageToken={next}")).await.body;
    assert_eq!(second["observations"][0]["yearGroup"], 4, "{second}");
    assert!(second.get("nextPageToken").is_none(), "{second}");
}

async fn a_department_is_measured_by_results_in_its_subject(database: Database) {
    let world = World::new(&database).await;
    let department = unit(&world, registry::UnitKind::Department, "Maths department", None).await;
    let found = world.observations(&query(&department, "")).await;
    assert!(found.iter().all(|it| it["subject"] == "maths"), "no attendance: {found:?}");
    let other =
        world.get(&format!("observations?{}", query(&department, "&subject=english"))).await;
    assert_eq!(other.status, 400, "{other:?}");
    assert_eq!(other.body["errors"][0]["pointer"], "/subject");
}

async fn what_is_no_part_of_the_school_is_refused(database: Database) {
    let world = World::new(&database).await;
    let team = unit(&world, registry::UnitKind::Team, "Pastoral team", None).await;
    let year = unit(&world, registry::UnitKind::YearGroup, "Year 3", Some(3)).await;
    let nowhere = Uuid::nil().to_string();
    for (unit, more, status, pointer) in [
        (&team, String::new(), 400, Some("/unit")),
        (&year, "&byGroup=true".to_owned(), 400, Some("/unit")),
        (&year, format!("&urn={SECOND_URN}"), 400, Some("/urn")),
        (&"x".to_owned(), String::new(), 400, Some("/unit")),
        (&nowhere, String::new(), 404, None),
    ] {
        let answer = world.get(&format!("observations?{}", query(unit, &more))).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(!problem(&answer).is_empty());
        let pointer = pointer.map_or(Value::Null, Into::into);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{answer:?}");
    }
    let elsewhere = testkit::Caller::of(world.other_trust_id);
    let path = format!("/v1/trusts/{}/observations?{}", world.other_trust_id, query(&year, ""));
    assert_eq!(elsewhere.get(&world.rest, &path).await.status, 404, "another trust's unit");
}
