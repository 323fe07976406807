//! Who read what, how long it is kept, what is told to whom it is about, and pseudonyms made anew.

use chrono::{Days, Months};
use intelligence::App;
use rpc::{Reach, Scope};
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::{
    facts::suspension,
    world::{FRIDAY, SECOND_URN, URN, World, days_ago, enrolment, enrolments, register, today},
};

testkit::both!(
    reads_of_individuals_are_recorded,
    the_read_log_is_only_added_to,
    what_is_old_goes_and_counts_on,
    a_hold_keeps_what_is_old,
    a_person_is_told_everything,
    pseudonyms_are_made_anew,
);

const CHANGES: &str = "headway.intelligence.v1.IntelligenceService.ListChanges";

async fn reads(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("read-log{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["reads"].as_array().cloned().unwrap_or_default()
}

/// threat: T-UNSEEN-READ
async fn reads_of_individuals_are_recorded(database: Database) {
    let world = World::new(&database).await;
    let cover = json!({"externalId": "c", "cover": {"urn": URN, "on": FRIDAY, "coveredBy": "own_teacher", "lessons": 30}});
    let batch = world
        .push(json!([
            enrolment(URN, "p1", 3),
            enrolment(URN, "p2", 3),
            register(URN, FRIDAY, "AM", &[("p1", "/"), ("p2", "I"), ("p9", "/")]),
            cover,
        ]))
        .await;
    assert_eq!(batch["accepted"], 3, "{batch}");
    for path in [
        "observations?measure=attendance&periodKind=PERIOD_KIND_WEEK",
        "changes/cover",
        "standings",
    ] {
        assert_eq!(world.get(path).await.status, 200);
    }
    assert_eq!(reads(&world, "").await, Vec::<Value>::new(), "none of these is about individuals");
    let changes = world.get("changes/attendance-registers").await;
    let after = changes.body["after"].as_str().unwrap();
    world.get(&format!("changes/attendance-registers?after={after}")).await;
    world.vendor().get(&world.rest, &format!("/v1/trusts/{}/parked-records", world.trust_id)).await;
    world.results(&batch).await;
    let logged = reads(&world, "").await;
    let told: Vec<_> = logged
        .iter()
        .map(|it| {
            (
                it["clientId"].as_str().unwrap(),
                it["rows"].as_str().unwrap(),
                it["kinds"][0].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("mis", "4", "RECORD_KIND_PUPIL"),
        ("mis", "1", "RECORD_KIND_ATTENDANCE_REGISTER"),
        ("admin", "3", "RECORD_KIND_ATTENDANCE_REGISTER"),
    ];
    assert_eq!(told, expected, "newest first, and no row is no read");
    assert_eq!(
        (&logged[2]["rpc"], &logged[2]["purpose"]),
        (&json!(CHANGES), &json!("operation of the platform"))
    );
    assert_eq!(reads(&world, "?clientId=admin").await.len(), 1);
    assert_eq!(reads(&world, "?pageSize=1").await, logged[..1]);
    assert_eq!(
        reads(&world, &format!("?from={}T00:00:00Z", today() + Days::new(1))).await.len(),
        0
    );
    // A grant without rows about individuals is not enough, and its purpose is what is written otherwise.
    let granted = |named| {
        let allowance = rpc::Allowance {
            scopes: [Scope::RecordsRead.into()].into(),
            schools: None,
            kinds: None,
            named,
            purpose: "Attendance dashboard".to_owned(),
        };
        let mut caller = Caller::new("board", Reach::Trust(world.trust_id), [Scope::RecordsRead]);
        caller.0.permit = std::sync::Arc::new(rpc::Permit::Granted(vec![allowance]));
        caller
    };
    let path = format!("/v1/trusts/{}/changes/attendance-registers", world.trust_id);
    assert_eq!(problem(&granted(false).get(&world.rest, &path).await), "GRANT_MISSING");
    assert_eq!(granted(true).get(&world.rest, &path).await.status, 200);
    assert_eq!(reads(&world, "").await[0]["purpose"], "Attendance dashboard");
    is_its_own(&world).await;
}

/// Another trust is not told of these reads.
async fn is_its_own(world: &World) {
    let foreign = Caller::of(world.other_trust_id);
    let path = format!("/v1/trusts/{}/read-log", world.trust_id);
    assert_eq!(problem(&foreign.get(&world.rest, &path).await), "NOT_FOUND");
}

/// threat: T-UNSEEN-READ
async fn the_read_log_is_only_added_to(database: Database) {
    let world = World::new(&database).await;
    world.push(json!([enrolment(URN, "p1", 3)])).await;
    world.get("changes/enrolments").await;
    let refused = |it: Result<(), sqlx::Error>| it.unwrap_err().to_string().contains("append-only");
    // On PostgreSQL the owner is shown nothing without a tenant.
    let tenant = match database {
        Database::Sqlite(_) => "SELECT 1",
        Database::Postgres { .. } => "SET headway.tenant = 'platform'",
    };
    for statement in ["UPDATE read_log SET purpose = 'x'", "DELETE FROM read_log"] {
        let tried = database.as_owner(intelligence::NAME, &[tenant, statement]).await;
        assert!(refused(tried), "{statement}");
    }
    // What is older than the rule goes by itself.
    world.app.keep_at(rpc::now() + Months::new(83)).await.unwrap();
    assert_eq!(reads(&world, "").await.len(), 1);
}

/// Pupils and facts of long ago, and of today.
async fn long_ago(world: &World) -> chrono::NaiveDate {
    let old = days_ago(7 * 52 * 3 + 70);
    let old = old - Days::new(u64::from(chrono::Datelike::weekday(&old).num_days_from_monday()));
    let left = |pupil: String| {
        json!({"externalId": "e", "enrolment": {"urn": URN, "pupil": pupil, "yearGroup": 6,
            "startsOn": old - Days::new(30), "endsOn": old + Days::new(30)}})
    };
    let mut records: Vec<_> = (1..=12).map(|it| left(format!("old{it}"))).collect();
    records.extend(enrolments(URN, 1..=12, 6));
    for (prefix, on) in [("old", old), ("p", days_ago(14))] {
        let names: Vec<_> = (1..=12).map(|it| format!("{prefix}{it}")).collect();
        let marks: Vec<_> = names
            .iter()
            .map(|it| (it.as_str(), if it.ends_with('1') { "I" } else { "/" }))
            .collect();
        records.push(register(URN, &on.to_string(), "AM", &marks));
        let mut fact = suspension(&format!("{prefix}2"));
        fact["startsOn"] = json!(on);
        records.push(json!({"externalId": "s", "suspension": fact}));
    }
    let batch = world.push(json!(records)).await;
    assert_eq!(batch["accepted"], 28, "{:?}", world.results(&batch).await);
    old
}

async fn figures(world: &World, from: chrono::NaiveDate) -> Vec<Value> {
    let mut all = Vec::new();
    for kind in ["WEEK", "TERM", "ACADEMIC_YEAR"] {
        for split in ["", "&byYearGroup=true"] {
            let query = format!(
                "urn={URN}&periodKind=PERIOD_KIND_{kind}&from={}&to={}{split}",
                from - Days::new(290),
                today()
            );
            all.extend(world.observations(&query).await);
        }
    }
    all
}

async fn rows(world: &World, table: &'static str) -> i64 {
    let mut tx = world.app.journal().db().read().await.unwrap();
    let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    db::on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn set(world: &World, what: &str, body: Value) -> testkit::Answer {
    let path = format!("/v1/trusts/{}/retention/{what}", world.trust_id);
    world.admin().send(&world.rest, "PUT", &path, body).await
}

async fn what_is_old_goes_and_counts_on(database: Database) {
    let world = World::new(&database).await;
    let old = long_ago(&world).await;
    let before = figures(&world, old).await;
    let rules = world.get("retention").await.body;
    let rule = |rules: &Value, what: &str| {
        rules["rules"].as_array().unwrap().iter().find(|it| it["what"] == what).cloned().unwrap()
    };
    assert_eq!(rule(&rules, "suspensions")["months"], 84);
    assert!(rule(&rules, "read-log").get("keptFrom").is_none());
    world.app.keep_at(rpc::now()).await.unwrap();
    assert_eq!(
        (rows(&world, "fact").await, rows(&world, "register").await),
        (2, 2),
        "nothing is due"
    );

    assert_eq!(
        problem(&set(&world, "suspensions", json!({"months": 24})).await),
        "VERSION_MISSING"
    );
    assert_eq!(
        problem(&set(&world, "suspensions", json!({"months": 12, "expectedVersion": 0})).await),
        "REQUEST_INVALID"
    );
    assert_eq!(
        problem(&set(&world, "nothing", json!({"months": 24, "expectedVersion": 0})).await),
        "REQUEST_INVALID"
    );
    for what in ["suspensions", "attendance-registers", "enrolments"] {
        let answer = set(&world, what, json!({"months": 24, "expectedVersion": 0})).await;
        assert_eq!(
            (&answer.body["months"], &answer.body["version"]),
            (&json!(24), &json!(1)),
            "{answer:?}"
        );
    }
    assert_eq!(
        problem(&set(&world, "enrolments", json!({"expectedVersion": 0})).await),
        "VERSION_STALE"
    );
    world.app.keep_at(rpc::now() + Days::new(1)).await.unwrap();
    assert_eq!((rows(&world, "fact").await, rows(&world, "register").await), (1, 1));
    assert_eq!(figures(&world, old).await, before, "figures go on counting it");
    let again = world.push(json!([register(URN, &old.to_string(), "AM", &[("old1", "/")])])).await;
    let result = world.results(&again).await.remove(0);
    assert_eq!(result["problems"][0]["reason"], "ERROR_REASON_RETENTION_PASSED", "{result}");
    assert_eq!(
        world.one(register(URN, &days_ago(14).to_string(), "AM", &[("p3", "I")])).await["outcome"],
        "RECORD_OUTCOME_CORRECTED"
    );
    let mut tx = world.app.journal().db().read().await.unwrap();
    let filter = journal::Filter {
        kind: Some("headway.intelligence.v1.RetentionApplied".to_owned()),
        ..journal::Filter::default()
    };
    assert_eq!(journal::events(&mut tx, 0, &filter, 10).await.unwrap().len(), 3);
    // Nobody of long ago is known any more.
    let old = crate::erasure::export(&world, "PUPIL", "old1").await;
    assert!(old["records"].as_array().is_none_or(Vec::is_empty), "{old}");
}

async fn a_hold_keeps_what_is_old(database: Database) {
    let world = World::new(&database).await;
    long_ago(&world).await;
    for what in ["suspensions", "attendance-registers", "enrolments"] {
        set(&world, what, json!({"months": 24, "expectedVersion": 0})).await;
    }
    let hold = |body: Value| async {
        world.post("legal-holds", body).await.body["holdId"].as_str().unwrap().to_owned()
    };
    let of_pupil =
        hold(json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "old2", "reason": "Claim"})).await;
    world.app.keep_at(rpc::now()).await.unwrap();
    assert_eq!((rows(&world, "fact").await, rows(&world, "register").await), (2, 2));
    let told = crate::erasure::export(&world, "PUPIL", "old2").await;
    assert_eq!(told["records"].as_array().unwrap().len(), 3);
    let all = hold(json!({"reason": "Inquiry"})).await;
    for (hold, facts) in [(of_pupil, 2), (all, 1)] {
        let path = format!("/v1/legal-holds/{hold}/lifts");
        world.admin().post(&world.rest, &path, json!({"reason": "Over"})).await;
        let day = if facts == 2 { 1 } else { 2 };
        world.app.keep_at(rpc::now() + Days::new(day)).await.unwrap();
        assert_eq!(rows(&world, "fact").await, facts);
    }
}

async fn a_person_is_told_everything(database: Database) {
    let world = World::new(&database).await;
    let mut fact = suspension("p1");
    fact["urn"] = json!(SECOND_URN);
    world
        .push(json!([
            enrolment(URN, "p1", 3),
            register(URN, FRIDAY, "AM", &[("p1", "I"), ("p2", "/")]),
            {"externalId": "susp-p1", "suspension": fact},
            {"externalId": "k", "pupilKeyChange": {"pupil": "p0", "newPupil": "p1"}},
        ]))
        .await;
    let told = crate::erasure::export(&world, "PUPIL", "p0").await;
    let kinds: Vec<_> = told["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            it["record"].as_object().unwrap().keys().find(|it| *it != "externalId").unwrap().clone()
        })
        .collect();
    assert_eq!(kinds, ["enrolment", "attendanceRegister", "suspension"]);
    let marks = told["records"][1]["record"]["attendanceRegister"]["marks"].as_array().unwrap();
    assert_eq!(
        (marks.len(), &marks[0]["code"], &marks[0]["pupil"]),
        (1, &json!("I"), &told["pseudonym"])
    );
    assert_eq!(
        (&told["records"][2]["waiting"], &told["records"][2]["urn"]),
        (&json!(true), &json!(SECOND_URN))
    );
    let fields = told["fields"].as_array().unwrap();
    let code = fields
        .iter()
        .find(|it| it["message"].as_str().unwrap().ends_with(".Mark") && it["field"] == "code")
        .unwrap();
    assert_eq!(code["basis"], "LAWFUL_BASIS_PUBLIC_TASK_SPECIAL");
    assert!(code["meaning"].as_str().unwrap().contains("attendance code"), "{code}");
    let of_p1 = crate::erasure::export(&world, "PUPIL", "p1").await;
    assert_eq!(of_p1["results"].as_array().unwrap().len(), 2, "{of_p1}");
    assert_eq!(reads(&world, "").await[0]["purpose"], "a test");
    let bare = json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "p1"});
    assert_eq!(problem(&world.post("subject-exports", bare).await), "REQUEST_INVALID");
    let record = world.admin().get(&world.rest, "/v1/processing-record").await;
    assert!(record.body["fields"].as_array().unwrap().len() > 80, "{record:?}");
}

/// threat: T-LEAKED-PUPIL-KEY
async fn pseudonyms_are_made_anew(database: Database) {
    let mut world = World::new(&database).await;
    let records = || {
        json!([
            enrolment(URN, "p1", 3),
            register(URN, FRIDAY, "AM", &[("p1", "I"), ("p2", "/")]),
            {"externalId": "s", "suspension": suspension("p1")},
            {"externalId": "k", "pupilKeyChange": {"pupil": "p0", "newPupil": "p1"}},
            enrolment(URN, "gone", 3),
        ])
    };
    world.push(records()).await;
    world
        .post(
            "legal-holds",
            json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "p1", "reason": "Claim"}),
        )
        .await;
    let erasure =
        json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "gone", "authority": "Request"});
    assert_eq!(world.post("erasures", erasure).await.status, 201);
    let before = crate::erasure::export(&world, "PUPIL", "p1").await;
    let cursor = world.get("changes/suspensions").await.body["after"].as_str().unwrap().to_owned();
    let state = world.get("pseudonyms").await.body;
    assert_eq!((&state["generation"], &state["newestGeneration"]), (&json!(1), &json!(1)));

    // Started again with one more key. A push that was hashed before is entered after.
    let old = world.app.clone();
    let db = database.open(intelligence::NAME, intelligence::migrations()).await;
    world.app = App::open(db, vec![[7; 32], [8; 32]]);
    world.rest = world.app.rest();
    assert_eq!(world.get("pseudonyms").await.body["newestGeneration"], 2);
    assert_eq!(world.push(records()).await["unchanged"], 3, "the trust's turn has not come");
    world.app.keep_at(rpc::now()).await.unwrap();
    let state = world.get("pseudonyms").await.body;
    assert_eq!((&state["generation"], state["renewedAt"].is_string()), (&json!(2), true));
    let after = crate::erasure::export(&world, "PUPIL", "p1").await;
    assert_ne!(after["pseudonym"], before["pseudonym"]);
    assert_eq!(after["records"].as_array().unwrap().len(), 3);
    let hash = before["pseudonym"].as_str().unwrap().to_owned();
    let files = crate::erasure::files(&database).await;
    let raw = u128::from_str_radix(&hash, 16).unwrap().to_be_bytes();
    assert!(
        !crate::erasure::is_in(&files, &raw) && !crate::erasure::is_in(&files, hash.as_bytes())
    );

    let again = world.push(records()).await;
    assert_eq!(
        (&again["unchanged"], &again["rejected"]),
        (&json!(3), &json!(1)),
        "{:?}",
        world.results(&again).await
    );
    let behind = world.get(&format!("changes/suspensions?after={cursor}")).await;
    assert_eq!(problem(&behind), "CHANGES_GONE");
    let erasure =
        json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "p0", "authority": "Request"});
    assert_eq!(problem(&world.post("erasures", erasure).await), "LEGAL_HOLD");
    // A process that lacks the key cannot tell who is who, and says so.
    world.app = old;
    world.rest = world.app.rest();
    let answer =
        world.vendor().post(&world.rest, &world.batches(), json!({"records": records()})).await;
    assert_eq!(problem(&answer), "UNAVAILABLE");
}
