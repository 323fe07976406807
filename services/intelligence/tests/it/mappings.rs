//! Files of other systems: mappings saved with the feed, bundles, tables as published.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use testkit::{Answer, Caller, Database, problem};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::world::{URN, World};

testkit::both!(
    a_mapping_is_saved_changed_and_read,
    wrong_mappings_are_refused_with_every_fault,
    a_push_is_read_by_its_mapping,
    a_bundle_puts_pupils_on_roll,
);

fn marks() -> Value {
    json!({"name": "sims-marks", "csv": {
        "kind": "RECORD_KIND_ATTENDANCE_REGISTER",
        "columns": [
            {"field": "urn", "constant": URN},
            {"field": "date", "header": "Mark Date"},
            {"field": "session", "header": "Session",
             "values": [{"theirs": "Morning", "ours": "AM"}]},
            {"field": "pupil", "header": "UPN"},
            {"field": "code", "header": "Mark"},
        ],
        "dateFormats": ["DD/MM/YYYY"],
        "ignoreUnmapped": true,
    }})
}

async fn save(world: &World, caller: &Caller, body: Value, version: Option<&str>) -> Answer {
    let path = format!("/v1/feeds/{}/mappings", world.feed_id);
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(version.map(|it| ("if-match", it)));
    caller.raw(&world.rest, "POST", &path, &headers, body.to_string()).await
}

async fn a_mapping_is_saved_changed_and_read(database: Database) {
    let world = World::new(&database).await;
    let vendor = world.vendor();
    let first = save(&world, &vendor, marks(), None).await;
    assert_eq!(
        (first.status.as_u16(), first.headers["etag"].to_str().unwrap()),
        (200, "\"1\""),
        "{first:?}"
    );
    let again = save(&world, &vendor, marks(), None).await;
    assert_eq!(again.body, first.body, "the same again is no change");

    let mut changed = marks();
    changed["csv"]["ignoreUnmapped"] = json!(false);
    assert_eq!(problem(&save(&world, &vendor, changed.clone(), None).await), "VERSION_MISSING");
    assert_eq!(
        problem(&save(&world, &vendor, changed.clone(), Some("\"7\"")).await),
        "VERSION_STALE"
    );
    let second = save(&world, &world.admin(), changed, Some("\"1\"")).await;
    assert_eq!((second.status.as_u16(), &second.body["version"]), (200, &json!(2)), "{second:?}");

    let path = format!("/v1/feeds/{}/mappings", world.feed_id);
    let read = vendor.get(&world.rest, &format!("{path}/sims-marks")).await;
    assert_eq!(read.body, second.body);
    let known_at = first.body["savedAt"].as_str().unwrap().replace('+', "%2B");
    let then = vendor.get(&world.rest, &format!("{path}/sims-marks?knownAt={known_at}")).await;
    assert_eq!(then.body["version"], 1, "{then:?}");
    let listed = vendor.get(&world.rest, &path).await;
    assert_eq!(listed.body["mappings"], json!([second.body]));

    let missing = vendor.get(&world.rest, &format!("{path}/other")).await;
    assert_eq!(problem(&missing), "NOT_FOUND");
    let stranger = Caller::of(world.other_trust_id).named("mis");
    assert_eq!(problem(&save(&world, &stranger, marks(), None).await), "NOT_FOUND");
}

async fn wrong_mappings_are_refused_with_every_fault(database: Database) {
    let world = World::new(&database).await;
    let wrong = json!({"name": "Not so", "csv": {
        "kind": "RECORD_KIND_ENROLMENT",
        "columns": [
            {"field": "pupil", "constant": "p1"},
            {"field": "colour", "header": "Colour"},
            {"field": "urn", "header": "School"},
            {"field": "urn", "header": "School 2"},
            {"field": "year_group"},
        ],
        "dateFormats": ["DD/MM"],
    }});
    let answer = save(&world, &world.vendor(), wrong, None).await;
    let pointers: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/name", "/csv/columns/4", "/csv/dateFormats/0"]);
    let mut wrong = marks();
    wrong["csv"]["columns"][3] = json!({"field": "pupil", "constant": "p1"});
    wrong["csv"]["columns"][4] = json!({"field": "colour", "header": "Mark"});
    let answer = save(&world, &world.vendor(), wrong, None).await;
    let pointers: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/csv/columns/3/constant", "/csv/columns/4/field", "/csv/columns"]);
}

async fn a_push_is_read_by_its_mapping(database: Database) {
    let world = World::new(&database).await;
    save(&world, &world.vendor(), marks(), None).await;
    let path = format!("{}?mapping=sims-marks", world.batches());
    let headers = [("content-type", "text/csv")];
    let body = "Mark Date;UPN;Forename;Session;Mark\n20/11/2025;p1;Ann;Morning;/\n31/11/2025;p2;Bob;Morning;/\n";
    let pushed = world.vendor().raw(&world.rest, "POST", &path, &headers, body).await;
    assert_eq!(pushed.status, 202, "{pushed:?}");
    assert_eq!((&pushed.body["parked"], &pushed.body["rejected"]), (&json!(1), &json!(1)));
    let results = world.results(&pushed.body).await;
    assert_eq!(
        (&results[1]["line"], &results[1]["problems"][0]["pointer"]),
        (&json!(3), &json!("/attendanceRegister/date"))
    );
    let detail = results[1]["problems"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("\"Mark Date\""), "{detail}");

    let path = format!("{}?mapping=other", world.batches());
    let unknown = world.vendor().raw(&world.rest, "POST", &path, &headers, body).await;
    assert_eq!(problem(&unknown), "NOT_FOUND");
}

async fn a_bundle_puts_pupils_on_roll(database: Database) {
    let world = World::new(&database).await;
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let lines = |line: fn(u32) -> String| (1..=6).map(line).collect::<Vec<_>>().concat();
    let users = lines(|it| format!("p{it},,student,7\n"));
    let enrollments = lines(|it| format!("e{it},,k,s,p{it},student,2025-09-01,\n"));
    for (name, text) in [
        ("manifest.csv", "propertyName,value\noneroster.version,1.1\n".to_owned()),
        ("orgs.csv", format!("sourcedId,identifier\ns,{URN}\n")),
        ("users.csv", format!("sourcedId,status,role,grades\n{users}")),
        (
            "enrollments.csv",
            format!(
                "sourcedId,status,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate,endDate\n{enrollments}\
             t,,k,s,teacher,teacher,,\n"
            ),
        ),
    ] {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(text.as_bytes()).unwrap();
    }
    let bundle = writer.finish().unwrap().into_inner();
    let headers = [("content-type", "application/zip"), ("prefer", "wait=30")];
    let pushed =
        world.vendor().raw(&world.rest, "POST", &world.batches(), &headers, bundle.clone()).await;
    assert_eq!(pushed.status, 202, "{pushed:?}");
    assert_eq!(pushed.body["skippedRows"], 1, "{pushed:?}");
    let broken = world
        .vendor()
        .raw(&world.rest, "POST", &world.batches(), &headers, bundle[..200].to_vec())
        .await;
    assert_eq!(problem(&broken), "FILE_MALFORMED");
}
