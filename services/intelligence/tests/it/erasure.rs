//! Erasing somebody: nothing of them is left anywhere, and no figure moves.

use std::path::Path;

use journal::proof::{Keys, open_text};
use serde_json::{Value, json};
use sqlx::Connection;
use testkit::{Database, problem};

use crate::{
    facts::result,
    world::{FRIDAY, SECOND_URN, URN, World, enrolment, enrolments, register, with},
};

testkit::both!(
    an_erased_pupil_is_nowhere_and_counts_on,
    an_erased_pupil_stays_erased_until_it_is_lifted,
    an_erased_member_of_staff_is_nowhere_and_counts_to_the_day,
    a_hold_stops_an_erasure,
    nobody_is_not_erased,
);

const PUPIL: &str = "Canary-Pupil-4711";
const STAFF: &str = "Canary-Staff-0815";

impl World {
    pub(crate) async fn post(&self, path: &str, body: Value) -> testkit::Answer {
        self.admin().post(&self.rest, &format!("/v1/trusts/{}/{path}", self.trust_id), body).await
    }

    async fn erase(&self, subject: &str, id: &str) -> Value {
        let answer = self.post("erasures", request(subject, id)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    }

    /// Every figure there is, each way it can be asked for.
    pub(crate) async fn figures(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for kind in ["DAY", "WEEK", "TERM", "ACADEMIC_YEAR"] {
            let from = if kind == "DAY" { "2025-11-10" } else { "2024-09-01" };
            for split in ["", "&byYearGroup=true", "&byGroup=true"] {
                let query =
                    format!("periodKind=PERIOD_KIND_{kind}&from={from}&to=2025-12-05{split}");
                all.extend(self.observations(&query).await);
            }
        }
        assert!(all.iter().any(|it| it["value"].is_number()), "{}", all.len());
        all
    }
}

fn request(subject: &str, id: &str) -> Value {
    json!({"subject": format!("SUBJECT_KIND_{subject}"), "vendorId": id, "authority": "Request 2026-14"})
}

/// A school with figures that can be shown, and a pupil of whom there is something of every kind.
async fn told(world: &World) {
    let mut records = enrolments(URN, 1..=12, 6);
    records.extend((13..=24).map(|it| with(enrolment(URN, &format!("p{it}"), 6), &["ehcp"])));
    records.push(with(enrolment(URN, PUPIL, 6), &["ehcp"]));
    records.push(enrolment(SECOND_URN, PUPIL, 6));
    for (date, code) in
        [("2025-06-03", "I"), ("2025-11-14", "/"), (FRIDAY, "I"), ("2025-11-24", "L")]
    {
        for session in ["AM", "PM"] {
            let mut marks: Vec<(String, &str)> =
                (1..=24).map(|it| (format!("p{it}"), "/")).collect();
            marks.push((PUPIL.to_owned(), code));
            let marks: Vec<_> = marks.iter().map(|it| (it.0.as_str(), it.1)).collect();
            records.push(register(URN, date, session, &marks));
        }
    }
    for pupil in (1..=12).map(|it| format!("p{it}")).chain([PUPIL.to_owned()]) {
        for subject in ["reading", "maths"] {
            let mut it = result(&pupil, "ks2_scaled_score", subject, "ks2", "108");
            it["externalId"] = json!(format!("ks2-{pupil}-{subject}"));
            records.push(it);
        }
    }
    records.push(json!({"externalId": format!("s-{PUPIL}"), "suspension": {"urn": URN, "pupil": PUPIL,
        "category": "SUSP", "startsOn": FRIDAY, "session": "AM", "sessions": 4, "reasons": ["PP"]}}));
    records.push(json!({"externalId": format!("b-{PUPIL}"), "behaviourIncident": {"urn": URN,
        "incident": format!("inc-{PUPIL}"), "on": FRIDAY, "pupil": PUPIL, "category": "disruption"}}));
    // Known by another id once, waiting at another school, and refused.
    records.push(json!({"externalId": "k", "pupil": {"pupil": "Canary-Pupil-OLD"}}));
    records.push(json!({"externalId": format!("k-{PUPIL}"),
        "pupilKeyChange": {"pupil": "Canary-Pupil-OLD", "newPupil": PUPIL}}));
    records.push(register(SECOND_URN, "2023-06-02", "AM", &[(PUPIL, "/"), ("p99", "/")]));
    records.push(json!({"externalId": format!("x-{PUPIL}"), "enrolment":
        {"urn": "999999", "pupil": PUPIL, "yearGroup": 5, "startsOn": "2023-09-01"}}));
    let batch = world.push(json!(records)).await;
    assert_eq!((&batch["parked"], &batch["rejected"]), (&json!(2), &json!(1)), "{batch}");
    // One enrolment is taken back by a snapshot, which tells its natural key.
    let snapshot = json!({"snapshot": {"kind": "RECORD_KIND_ENROLMENT", "urns": [SECOND_URN]},
        "confirmRemoval": 1, "records": [enrolment(SECOND_URN, "p50", 6)]});
    let answer = world.vendor().post(&world.rest, &world.batches(), snapshot).await;
    assert_eq!(answer.body["removed"], 1, "{answer:?}");
    world.push(json!([enrolment(SECOND_URN, PUPIL, 6)])).await;
}

/// What is told to somebody of themselves.
pub(crate) async fn export(world: &World, subject: &str, id: &str) -> Value {
    let mut body = request(subject, id);
    body["purpose"] = json!("a test");
    body.as_object_mut().unwrap().remove("authority");
    let answer = world.post("subject-exports", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// The pseudonym by which somebody is known here.
async fn pseudonym(world: &World, subject: &str, id: &str) -> String {
    let told = export(world, subject, id).await;
    assert!(told["records"].as_array().is_some_and(|it| !it.is_empty()), "{told}");
    told["pseudonym"].as_str().unwrap().to_owned()
}

/// Every file of the database, whole.
pub(crate) async fn files(database: &Database) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    match database {
        Database::Sqlite(folder) => collect(folder.path(), &mut found),
        Database::Postgres { url } => {
            let mut owner = sqlx::PgConnection::connect(url).await.unwrap();
            let sql = "SELECT current_setting('data_directory') || '/base/' || oid
                       FROM pg_database WHERE datname = current_database()";
            let folder: String = sqlx::query_scalar(sql).fetch_one(&mut owner).await.unwrap();
            sqlx::query("CHECKPOINT").execute(&mut owner).await.unwrap();
            collect(Path::new(&folder), &mut found);
        }
    }
    assert!(!found.is_empty(), "the files can be read");
    found
}

fn collect(folder: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A file may go while it is looked for.
        found.extend(std::fs::read(path).ok());
    }
}

pub(crate) fn is_in(files: &[Vec<u8>], what: &[u8]) -> bool {
    files.iter().any(|file| memchr::memmem::find(file, what).is_some())
}

fn bytes(pseudonym: &str) -> Vec<u8> {
    u128::from_str_radix(pseudonym, 16).unwrap().to_be_bytes().to_vec()
}

/// threat: T-ERASED-REMAINS
async fn an_erased_pupil_is_nowhere_and_counts_on(database: Database) {
    let world = World::new(&database).await;
    let keys = tempfile::tempdir().unwrap();
    let keys = Keys::open(keys.path(), Some("test")).unwrap();
    world.app.journal().guard(keys.clone()).await.unwrap();
    told(&world).await;
    let hash = pseudonym(&world, "PUPIL", PUPIL).await;
    let before = world.figures().await;
    let there = files(&database).await;
    assert!(is_in(&there, &bytes(&hash)) && is_in(&there, PUPIL.as_bytes()), "it can be found");

    let erasure = world.erase("PUPIL", PUPIL).await;
    let rows = |what: &str| {
        let found = erasure["erased"].as_array().unwrap().iter().find(|it| it["what"] == what);
        found.map_or(0, |it| it["rows"].as_str().unwrap().parse().unwrap())
    };
    let erased = [
        "places-on-rolls",
        "enrolments",
        "attendance-marks",
        "assessment-results",
        "suspensions",
        "behaviour-incidents",
        "parked-records",
        "key-changes",
    ];
    let counts = erased.map(rows);
    assert_eq!(counts, [2, 2, 9, 2, 1, 1, 2, 1], "{erasure}");
    assert!(rows("batch-results") >= 6 && rows("changes") >= 1, "{erasure}");
    assert_eq!(world.figures().await, before, "no figure moves");
    assert!(erasure.get("scrubbedAt").is_none(), "{erasure}");

    world.app.keep_at(rpc::now()).await.unwrap();
    let files = files(&database).await;
    for what in [PUPIL.as_bytes(), b"Canary-Pupil-OLD", hash.as_bytes(), &bytes(&hash)] {
        assert!(!is_in(&files, what), "{} is in a file", String::from_utf8_lossy(what));
    }
    certified(&world, &keys, erasure["erasureId"].as_str().unwrap()).await;
    proven(&world, &database).await;

    // Others are corrected meanwhile: what the erased count as is not lost.
    for code in ["I", "/"] {
        world.push(json!([register(URN, FRIDAY, "AM", &[("p1", code)])])).await;
        assert_eq!(world.figures().await == before, code == "/");
    }
    let again = world.erase("PUPIL", PUPIL).await;
    assert_eq!(again["erasureId"], erasure["erasureId"], "erased before");
    proven(&world, &database).await;
}

/// The certificate is signed by the journal's key, and says what and when, not whom.
async fn certified(world: &World, keys: &Keys, erasure_id: &str) {
    let path = format!("/v1/erasures/{erasure_id}/certificate");
    let answer = world.admin().get(&world.rest, &path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let verifiers: Vec<_> =
        keys.verifiers(intelligence::NAME).unwrap().into_iter().map(|it| it.0).collect();
    let note = answer.body["note"].as_str().unwrap();
    let text = open_text(note, &verifiers).unwrap();
    assert!(
        text.starts_with("headway erasure certificate v1\njournal headway/intelligence/test\n")
    );
    for line in
        [&format!("erasure {erasure_id}"), "rows attendance-marks 9", "authority Request 2026-14"]
    {
        assert!(text.lines().any(|it| it == line), "{text}");
    }
    assert!(text.contains("\nfiles-scrubbed-how VACUUM"), "{text}");
    assert!(journal::proof::open_note(note, &verifiers).is_err(), "it is no checkpoint");
    let forged = note.replace("attendance-marks 9", "attendance-marks 8");
    assert!(open_text(&forged, &verifiers).is_err());
}

/// The log is as it was, and makes the tables there are.
async fn proven(world: &World, database: &Database) {
    let journal = world.app.journal();
    let (events, flaws) = journal::verify(journal).await.unwrap();
    assert!(events > 0 && flaws.is_empty(), "{flaws:?}");
    let name = format!("beside_{}", rpc::new_id().simple());
    let empty = database.open(&name, intelligence::migrations()).await;
    let rebuilt = journal::rebuild(journal, &empty).await.unwrap();
    assert!(rebuilt.is_equal(), "{:?}", rebuilt.tables);
}

/// threat: T-ERASED-RETURNS
async fn an_erased_pupil_stays_erased_until_it_is_lifted(database: Database) {
    let world = World::new(&database).await;
    told(&world).await;
    let before = world.figures().await;
    let erasure = world.erase("PUPIL", PUPIL).await;
    let again = world
        .push(json!([
            enrolment(URN, PUPIL, 6),
            register(URN, FRIDAY, "AM", &[("p1", "/"), (PUPIL, "I"), ("p2", "/")]),
            result(PUPIL, "ks2_scaled_score", "reading", "ks2", "101"),
            {"externalId": "new", "pupilKeyChange": {"pupil": "Canary-Pupil-OLD", "newPupil": "Canary-New"}},
            {"externalId": "old", "enrolment": {"urn": URN, "pupil": "Canary-Pupil-OLD", "yearGroup": 6,
                "startsOn": "2023-09-01"}},
            {"externalId": "gone", "pupil": {"pupil": PUPIL, "deleted": true}},
        ]))
        .await;
    assert_eq!((&again["rejected"], &again["unchanged"]), (&json!(4), &json!(2)), "{again}");
    let results = world.results(&again).await;
    let reason = |index: usize| {
        (&results[index]["problems"][0]["pointer"], &results[index]["problems"][0]["reason"])
    };
    let refused = json!("ERROR_REASON_PERSON_ERASED");
    assert_eq!(reason(0), (&json!("/enrolment/pupil"), &refused));
    assert_eq!(reason(1), (&json!("/attendanceRegister/marks/1/pupil"), &refused));
    assert_eq!(results[1]["outcome"], "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(reason(2), (&json!("/assessmentResult/pupil"), &refused));
    assert_eq!(world.figures().await, before);

    let path = format!("/v1/erasures/{}/lifts", erasure["erasureId"].as_str().unwrap());
    let lifted = world.admin().post(&world.rest, &path, json!({"reason": "Came back"})).await;
    assert!(lifted.body["liftedAt"].is_string(), "{lifted:?}");
    let twice = world.admin().post(&world.rest, &path, json!({"reason": "Came back"})).await;
    assert_eq!(problem(&twice), "TRANSITION_NOT_ALLOWED");
    let taken = world.push(json!([enrolment(URN, PUPIL, 6)])).await;
    assert_eq!(taken["accepted"], 1, "as somebody new");
}

async fn an_erased_member_of_staff_is_nowhere_and_counts_to_the_day(database: Database) {
    let world = World::new(&database).await;
    let contract = |person: &str| {
        json!({"externalId": format!("c-{person}"), "staffMember": {"urn": URN, "person": person,
            "role": "classroom_teacher", "fte": 1.0, "startsOn": "2023-09-01"}})
    };
    let mut records: Vec<_> = (1..=8).map(|it| contract(&format!("s{it}"))).collect();
    records.push(contract(STAFF));
    records.extend(enrolments(URN, 1..=30, 6));
    records.push(
        json!({"externalId": format!("a-{STAFF}"), "staffAbsence": {"urn": URN, "person": STAFF,
        "startsOn": FRIDAY, "workingDays": 3.0, "reason": "SIC"}}),
    );
    let batch = world.push(json!(records)).await;
    assert_eq!(batch["rejected"], 0, "{:?}", world.results(&batch).await);
    let hash = pseudonym(&world, "STAFF", STAFF).await;
    let before = world.figures().await;
    let erasure = world.erase("STAFF", STAFF).await;
    let told: Vec<_> =
        erasure["erased"].as_array().unwrap().iter().map(|it| it["what"].clone()).collect();
    assert_eq!(told, ["staff-absences", "staff-members", "batch-results"]);
    assert_eq!(world.figures().await, before);
    let staff = |on: chrono::NaiveDate| {
        let app = world.app.clone();
        async move {
            let mut tx = app.journal().db().read().await.unwrap();
            let sql = "SELECT CAST(coalesce(sum(total), 0) AS BIGINT) FROM cell WHERE quantity = 'staff' AND day <= $1";
            let count: i64 =
                db::on!(&mut tx, |c| sqlx::query_scalar(sql).bind(on).fetch_one(c).await).unwrap();
            count
        }
    };
    let today = crate::world::today();
    assert_eq!((staff(today).await, staff(today + chrono::Days::new(1)).await), (9, 8));
    let again = world.one(contract(STAFF)).await;
    assert_eq!(again["problems"][0]["pointer"], "/staffMember/person", "{again}");
    // A pupil of the same id is somebody else.
    assert_eq!(world.one(enrolment(URN, STAFF, 6)).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    world.app.keep_at(rpc::now()).await.unwrap();
    let files = files(&database).await;
    assert!(!is_in(&files, &bytes(&hash)) && !is_in(&files, hash.as_bytes()));
}

async fn a_hold_stops_an_erasure(database: Database) {
    let world = World::new(&database).await;
    told(&world).await;
    let hold = |body: Value| async {
        let answer = world.post("legal-holds", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body
    };
    let of_results =
        hold(json!({"kinds": ["RECORD_KIND_ASSESSMENT_RESULT"], "reason": "Appeal"})).await;
    let of_pupil =
        hold(json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": PUPIL, "reason": "Claim 7"}))
            .await;
    let other =
        hold(json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "p1", "reason": "Claim 8"})).await;
    assert_eq!((&of_pupil["ofPerson"], &of_results["reason"]), (&json!(true), &json!("Appeal")));
    for held in [&of_results, &of_pupil] {
        let refused = world.post("erasures", request("PUPIL", PUPIL)).await;
        assert_eq!((refused.status.as_u16(), problem(&refused)), (409, "LEGAL_HOLD"));
        let path = format!("/v1/legal-holds/{}/lifts", held["holdId"].as_str().unwrap());
        let lifted = world.admin().post(&world.rest, &path, json!({"reason": "Over"})).await;
        assert_eq!(
            (&lifted.body["liftedBy"], &lifted.body["liftedReason"]),
            (&json!("admin"), &json!("Over"))
        );
        let twice = world.admin().post(&world.rest, &path, json!({"reason": "Over"})).await;
        assert_eq!(problem(&twice), "TRANSITION_NOT_ALLOWED");
    }
    world.erase("PUPIL", PUPIL).await;
    let all = world.get("legal-holds").await.body;
    assert_eq!(all["holds"].as_array().unwrap().len(), 3);
    assert_eq!(all["holds"][0]["holdId"], other["holdId"], "newest first");
    // What the events tell is not of whom.
    let mut tx = world.app.journal().db().read().await.unwrap();
    for event in journal::events(&mut tx, 0, &journal::Filter::default(), 1000).await.unwrap() {
        assert!(memchr::memmem::find(&event.data, b"Canary").is_none(), "{}", event.kind);
    }
    proven(&world, &database).await;
}

async fn nobody_is_not_erased(database: Database) {
    let world = World::new(&database).await;
    let unknown = world.post("erasures", request("PUPIL", "nobody")).await;
    assert_eq!(problem(&unknown), "NOT_FOUND");
    let empty = world.post("erasures", json!({"vendorId": " "})).await;
    let pointers: Vec<_> =
        empty.body["errors"].as_array().unwrap().iter().map(|it| it["pointer"].clone()).collect();
    assert_eq!(pointers, ["/subject", "/vendorId", "/authority"]);
    world.push(json!([enrolment(URN, "p1", 6)])).await;
    let other = testkit::Caller::of(world.other_trust_id);
    let path = format!("/v1/trusts/{}/erasures", world.trust_id);
    let foreign = other.post(&world.rest, &path, request("PUPIL", "p1")).await;
    assert_eq!(problem(&foreign), "NOT_FOUND");
    let erasure = world.erase("PUPIL", "p1").await;
    for path in ["", "/certificate"] {
        let path = format!("/v1/erasures/{}{path}", erasure["erasureId"].as_str().unwrap());
        assert_eq!(problem(&other.get(&world.rest, &path).await), "NOT_FOUND");
    }
    let listed = world.get("erasures").await.body;
    assert_eq!(listed["erasures"][0], world.erase("PUPIL", "p1").await);
}
