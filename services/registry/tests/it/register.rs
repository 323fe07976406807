use axum::{body::Bytes, http::StatusCode};
use contract::registry as v1;
use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{IMPORTS, World, establishments, links, text};

const ESTABLISHMENTS: &[u8] = include_bytes!("../data/edubasealldata.csv");
const EXPORT: &[u8] = include_bytes!("../data/export.csv");
const LINKS: &[u8] = include_bytes!("../data/links_edubasealldata.csv");
const GROUPS: &[u8] = include_bytes!("../data/allgroupsdata.csv");
const MEMBERSHIPS: &[u8] = include_bytes!("../data/alllinksdata.csv");

testkit::both!(
    imported_as_published_and_again,
    the_same_over_grpc,
    any_order_of_files_ends_the_same,
    rows_set_aside_and_files_refused,
    an_import_is_retried_like_any_request,
    searched_by_name_authority_group_and_distance,
    memberships_say_what_the_export_does_not,
);

fn counts(report: &Value) -> [u64; 5] {
    ["rows", "added", "changed", "unchanged", "quarantined"]
        .map(|it| report[it].as_u64().unwrap_or(0))
}

async fn imported_as_published_and_again(database: Database) {
    let world = World::open(&database).await;
    for (file, kind, expected) in [
        (ESTABLISHMENTS, "ESTABLISHMENTS", [48, 48, 0, 0, 0]),
        (LINKS, "LINKS", [52, 52, 0, 0, 0]),
        (GROUPS, "GROUPS", [26, 26, 0, 0, 0]),
        (MEMBERSHIPS, "MEMBERSHIPS", [50, 21, 0, 0, 0]),
    ] {
        let report = world.import(file).await;
        assert_eq!(report["file"], format!("REGISTER_FILE_{kind}"));
        assert_eq!(counts(&report), expected, "{kind}");
        let [rows, added, ..] = expected;
        let again = world.import(file).await;
        assert_eq!(counts(&again), [rows, 0, 0, added, 0], "{kind}");
        assert_eq!(again["sha256"], report["sha256"]);
        let path = format!("{IMPORTS}/{}", text(&report, "importId"));
        assert_eq!(world.get(&path).await, report);
    }
    assert_eq!(world.events().await, 8, "one for each import, none for rows");
    // The export speaks of the same schools in other columns: what it leaves out stays.
    let report = world.import(EXPORT).await;
    assert!(report["unknownColumns"].as_array().unwrap().contains(&json!("HeadTitle (name)")));
    assert!(report["closed"].as_u64().unwrap() > 10);
    let school = world.get("/v1/establishments/147671").await;
    assert_eq!(school["trustGroupUid"], "3039");
    assert_eq!(school["trustName"], "ENGAGE, ENRICH, EXCEL ACADEMIES");
    assert_eq!(school["predecessors"][0]["urn"], "124999");
    assert_eq!(school["predecessors"][0]["type"], "Predecessor");
    let old = world.get("/v1/establishments/124999").await;
    assert_eq!(old["status"], "ESTABLISHMENT_STATUS_CLOSED");
    assert_eq!(old["successors"][0]["urn"], "147671");
}

async fn the_same_over_grpc(database: Database) {
    let world = World::open(&database).await;
    let mut grpc = world.grpc(&world.platform);
    let pieces: Vec<_> = ESTABLISHMENTS
        .chunks(1000)
        .map(|it| v1::ImportEstablishmentsRequest { chunk: it.to_vec() })
        .collect();
    let request = world.platform.ask(tokio_stream::iter(pieces));
    let report = grpc.import_establishments(request).await.unwrap().into_inner();
    assert_eq!((report.rows, report.added), (48, 48));
    let request = v1::GetEstablishmentImportRequest { import_id: report.import_id.clone() };
    let read = grpc.get_establishment_import(request).await.unwrap().into_inner();
    assert_eq!(read, report);
    let over_rest = world.import(ESTABLISHMENTS).await;
    assert_eq!(over_rest["sha256"], report.sha256);
    assert_eq!(over_rest["unchanged"], 48);
    let request = v1::GetEstablishmentRequest { urn: "147671".to_owned() };
    let read = grpc.get_establishment(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), world.get("/v1/establishments/147671").await);
    let request = v1::ListEstablishmentsRequest { page_size: Some(5), ..Default::default() };
    let read = grpc.list_establishments(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), world.get("/v1/establishments?pageSize=5").await);
    let huge = v1::ImportEstablishmentsRequest { chunk: vec![b'a'; (1 << 20) + 1] };
    let request = world.platform.ask(tokio_stream::iter([huge]));
    let status = grpc.import_establishments(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
}

/// Two schools close; one becomes an academy, the other joins a school that was there.
async fn any_order_of_files_ends_the_same(database: Database) {
    let world = World::open(&database).await;
    let register = |group: &str, first: u32, closed: bool| {
        let urn = |it: u32| first + it;
        let (status, date) = if closed { ("Closed", "|;31-08-2020") } else { ("Open", "") };
        let mut rows = vec![
            format!("{},A,{status},Primary,{group},,{date}", urn(1)),
            format!("{},B,{status},Primary,{group},,{date}", urn(2)),
            format!("{},C,Open,Primary,{group},,|01-09-2001;", urn(3)),
        ];
        if closed {
            rows.push(format!("{},A Academy,Open,Primary,{group},,|01-09-2020;", urn(4)));
        }
        establishments(&rows.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let ties = |first: u32| {
        let tie = |a, b, kind| format!("{},{},x,{kind},31-08-2020", first + a, first + b);
        let rows = [tie(1, 4, "Successor"), tie(3, 2, "Predecessor - merged")];
        links(&[rows[0].as_str(), rows[1].as_str()])
    };
    let mut told = Vec::new();
    for (group, first, links_first) in [("10", 200_000, true), ("11", 300_000, false)] {
        world.import(register(group, first, false)).await;
        let trust = world.post("/v1/trusts", json!({"name": group, "groupUid": group})).await;
        let mut files = vec![register(group, first, true), ties(first)];
        if links_first {
            files.reverse();
        }
        for file in files {
            world.import(file).await;
        }
        let schools = world.get(&format!("/v1/trusts/{}/schools", text(&trust, "trustId"))).await;
        let number = |it: &Value| it.as_str().map(|it| it.parse::<u32>().unwrap() - first);
        let list: Vec<_> = schools["schools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| {
                let merged = number(&it["mergedIntoUrn"]);
                let before: Vec<_> =
                    it["previousUrns"].as_array().into_iter().flatten().map(number).collect();
                json!([
                    it["name"],
                    number(&it["urn"]),
                    before,
                    it["leftOn"],
                    merged,
                    it["joinedOn"]
                ])
            })
            .collect();
        told.push(list);
    }
    assert_eq!(told[0], told[1]);
    let academy = json!(["A Academy", 4, [1], null, null]);
    assert_eq!(told[0][0].as_array().unwrap()[..5], academy.as_array().unwrap()[..]);
    let merged = json!(["B", 2, [], "2020-08-31", 3]);
    assert_eq!(told[0][1].as_array().unwrap()[..5], merged.as_array().unwrap()[..]);
    crate::schema::rebuilt(&world, &database).await;
}

async fn rows_set_aside_and_files_refused(database: Database) {
    let world = World::open(&database).await;
    let file = establishments(&["100001,A,Open,Primary,,,", "100002,B,Shut,Primary,,,"]);
    let report = world.import(file).await;
    assert_eq!(counts(&report), [2, 1, 0, 0, 1]);
    let row = &report["quarantine"][0];
    assert_eq!((&row["line"], &row["urn"]), (&json!(3), &json!("100002")));
    assert_eq!(row["column"], "EstablishmentStatus (name)");

    let refused = world.try_import(&[], "URN,EstablishmentName\n100000,A\n").await;
    assert_eq!((refused.status, problem(&refused)), (StatusCode::BAD_REQUEST, "COLUMN_MISSING"));
    assert!(refused.body["detail"].as_str().unwrap().contains("PhaseOfEducation (name)"));
    let refused = world.try_import(&[], "not a file").await;
    assert_eq!(problem(&refused), "FILE_MALFORMED");
    let headers = [("content-type", "application/json")];
    let refused =
        world.platform.raw(&world.rest, "POST", IMPORTS, &headers, Bytes::from("{}")).await;
    assert_eq!(problem(&refused), "MEDIA_TYPE_UNSUPPORTED");
    let answer = world.platform.get(&world.rest, &format!("{IMPORTS}/nothing")).await;
    assert_eq!(problem(&answer), "NOT_FOUND");
    let answer = world.platform.get(&world.rest, "/v1/establishments/100009").await;
    assert_eq!(problem(&answer), "NOT_FOUND");
}

async fn an_import_is_retried_like_any_request(database: Database) {
    let world = World::open(&database).await;
    let headers = [("idempotency-key", "nightly")];
    let first = world.try_import(&headers, ESTABLISHMENTS).await;
    let again = world.try_import(&headers, ESTABLISHMENTS).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.body, again.body);
    assert_eq!(world.events().await, 1);
    let reused = world.try_import(&headers, LINKS).await;
    assert_eq!(problem(&reused), "IDEMPOTENCY_KEY_REUSED");
}

async fn searched_by_name_authority_group_and_distance(database: Database) {
    let world = World::open(&database).await;
    world
        .import(establishments(&[
            "100001,St Élan's 50% School,Open,Primary,10,1000,1000",
            "100002,Élan Academy,Open,Primary,11,1000,1400",
            "100003,Oak_Tree,Open,Primary,10,4000,5000",
            "100004,Oak Tree,Open,Secondary,,1000,700",
            "100005,No Place,Open,Primary,10,,",
        ]))
        .await;
    let found = async |query: &str| -> Vec<String> {
        let list = world.get(&format!("/v1/establishments?{query}")).await;
        let list = list["establishments"].as_array().cloned().unwrap_or_default();
        list.iter().map(|it| text(it, "urn")).collect()
    };
    assert_eq!(found("name=%C3%89LAN").await, ["100001", "100002"], "any case");
    assert_eq!(found("name=50%25").await, ["100001"]);
    assert_eq!(found("name=k_t").await, ["100003"], "no wildcard");
    assert_eq!(found("groupUid=10").await, ["100005", "100003", "100001"]);
    assert_eq!(found("la=936&name=oak").await, ["100004", "100003"]);
    assert_eq!(found("la=937").await, [""; 0]);
    assert_eq!(found("near=100001").await, ["100004", "100002", "100003"], "nearest first");
    assert_eq!(found("near=100001&groupUid=10").await, ["100003"]);
    for list in ["near=100001&", ""] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let query = format!("/v1/establishments?{list}pageSize=2{token}");
            let page = world.get(&query).await;
            let items = page["establishments"].as_array().cloned().unwrap_or_default();
            seen.extend(items.iter().map(|it| text(it, "urn")));
            let Some(next) = page["nextPageToken"].as_str() else { break };
            token = format!("&pageToken={next}");
        }
        assert_eq!(seen, found(list).await);
    }
    for (query, pointer) in [
        ("near=999999", "/near"),
        ("near=100005", "/near"),
        ("la=1", "/la"),
        ("name=%00", "/name"),
        ("pageSize=501", "/pageSize"),
    ] {
        let path = format!("/v1/establishments?{query}");
        let answer = world.platform.get(&world.rest, &path).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
}

async fn memberships_say_what_the_export_does_not(database: Database) {
    let world = World::open(&database).await;
    // The export has no group UIDs; only the memberships say who belongs where.
    world.import(EXPORT).await;
    world.import(GROUPS).await;
    let body = json!({"name": "The Kite Academy Trust", "groupUid": "15864"});
    let trust = world.post("/v1/trusts", body).await;
    let schools = format!("/v1/trusts/{}/schools", text(&trust, "trustId"));
    assert_eq!(world.get(&schools).await, json!({"schools": []}));
    let report = world.import(MEMBERSHIPS).await;
    let changes = report["schoolChanges"].as_array().unwrap();
    assert!(changes.iter().all(|it| it["change"] == "joined"), "{changes:?}");
    assert_eq!(changes.len(), 10);
    let school = world.get(&format!("{schools}/148883")).await;
    assert_eq!(school["joinedOn"], "2022-03-01");
    let establishment = world.get("/v1/establishments/148883").await;
    assert_eq!(establishment["trustName"], "THE KITE ACADEMY TRUST");
    // The establishments' own file agrees: it brings details, and changes no membership.
    let report = world.import(ESTABLISHMENTS).await;
    let changes = report["schoolChanges"].as_array().cloned().unwrap_or_default();
    assert!(changes.iter().all(|it| it["change"] == "updated"), "{changes:?}");
}
