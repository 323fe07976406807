//! Checkpoints and proofs as callers get them, and what is refused.

use contract::journal::{
    ConsistencyProof, GetConsistencyProofRequest, GetInclusionProofRequest, InclusionProof,
    journal_service_client::JournalServiceClient,
};
use db::on;
use journal::{
    Filter, Journal, Journals, audit, events,
    proof::{
        Hash, Keys, Refused, Statement, Verifier, open_note, verify_consistency, verify_inclusion,
    },
    text::Text,
};
use rpc::Ctx;
use testkit::{Caller, Database, json, problem};
use uuid::Uuid;

use crate::notes::{draft, guarded, keys, record, write_many};

testkit::both!(
    a_stranger_can_check_every_event,
    every_pair_of_checkpoints_is_consistent,
    a_trust_proves_its_own_and_no_others,
    what_cannot_be_proved_is_said_plainly,
    erasing_texts_leaves_every_proof_valid,
);

pub(crate) fn verifiers(keys: &Keys) -> Vec<Verifier> {
    keys.verifiers("notes").unwrap().into_iter().map(|it| it.0).collect()
}

fn hashes(of: &[Vec<u8>]) -> Vec<Hash> {
    of.iter().map(|it| it.as_slice().try_into().unwrap()).collect()
}

/// What a holder of the verifier keys makes of an answer.
fn accepted(proof: &InclusionProof, leaf: &Hash, keys: &[Verifier]) -> Result<Statement, Refused> {
    let said = open_note(&proof.checkpoint.as_ref().unwrap().note, keys)?;
    let hashes = hashes(&proof.hashes);
    verify_inclusion(leaf, proof.leaf_index, said.size, &hashes, &said.root)?;
    Ok(said)
}

pub(crate) async fn ask(
    journal: &Journal,
    caller: &Caller,
    request: GetInclusionProofRequest,
) -> Result<InclusionProof, tonic::Status> {
    let journals: Journals = [journal.clone()].into_iter().collect();
    let peer = caller.peer(tonic::service::Routes::new(journals.grpc()));
    let request = GetInclusionProofRequest { service: "notes".to_owned(), ..request };
    JournalServiceClient::new(peer)
        .get_inclusion_proof(request)
        .await
        .map(tonic::Response::into_inner)
}

pub(crate) async fn consistency(
    journal: &Journal,
    first: u64,
    second: Option<u64>,
) -> ConsistencyProof {
    let journals: Journals = [journal.clone()].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let request = GetConsistencyProofRequest { service: "notes".to_owned(), first, second };
    JournalServiceClient::new(peer).get_consistency_proof(request).await.unwrap().into_inner()
}

/// A log whose checkpoints lie on both sides of the border of a tile.
async fn signed_log(database: &Database, keys: &Keys) -> Journal {
    let journal = guarded(database, keys).await;
    for (first, count) in [(1, 1), (2, 253), (255, 2), (257, 1), (258, 300)] {
        write_many(&journal, 1, first, count).await;
        journal.sign().await.unwrap();
    }
    journal
}

const SIZES: [u64; 5] = [1, 254, 256, 257, 557];

/// threat: T-DENIED
async fn a_stranger_can_check_every_event(database: Database) {
    let (_folder, keys) = keys();
    let journal = signed_log(&database, &keys).await;
    let verifiers = verifiers(&keys);
    let mut tx = journal.db().read().await.unwrap();
    let all = events(&mut tx, 0, &Filter::default(), 1000).await.unwrap();
    drop(tx);
    for (event, size) in all.iter().flat_map(|it| SIZES.map(|size| (it, size))) {
        let position = u64::try_from(event.position).unwrap();
        // Around the borders all of them, elsewhere some.
        if position > size || (position % 40 > 1 && !(250..262).contains(&position)) {
            continue;
        }
        let request = GetInclusionProofRequest {
            position: Some(position),
            size: Some(size),
            ..GetInclusionProofRequest::default()
        };
        let proof = ask(&journal, &Caller::platform(), request).await.unwrap();
        let said = accepted(&proof, &event.leaf(), &verifiers).unwrap();
        assert_eq!((said.origin.as_str(), said.size), ("headway/notes/test", size));
        let told = proof.event.as_ref().unwrap();
        assert_eq!(
            (told.event_id.as_str(), proof.log_position),
            (&*event.event_id.to_string(), position)
        );
        let other = all.iter().find(|it| it.position != event.position).unwrap();
        assert!(accepted(&proof, &other.leaf(), &verifiers).is_err() || size == 1);
    }
}

/// threat: T-FORKED-LOG
async fn every_pair_of_checkpoints_is_consistent(database: Database) {
    let (_folder, keys) = keys();
    let journal = signed_log(&database, &keys).await;
    let mut roots = Vec::new();
    for size in SIZES {
        let same = consistency(&journal, size, Some(size)).await;
        assert!(same.hashes.is_empty());
        let said = open_note(&same.checkpoint.unwrap().note, &verifiers(&keys)).unwrap();
        roots.push(said);
    }
    for (at, first) in roots.iter().enumerate() {
        for second in &roots[at..] {
            let proof = consistency(&journal, first.size, Some(second.size)).await;
            let proof = hashes(&proof.hashes);
            let check = |first_root: &Hash, proof: &[Hash]| {
                verify_consistency(first.size, first_root, second.size, &second.root, proof)
            };
            check(&first.root, &proof).unwrap();
            if first != second {
                assert!(check(&second.root, &proof).is_err(), "another beginning");
                assert!(check(&first.root, &proof[1..]).is_err(), "truncated");
            }
        }
    }
}

/// threat: T-DENIED
async fn a_trust_proves_its_own_and_no_others(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    for trust in [1, 2, 2, 1, 2] {
        let stream = format!("note/{}", rpc::new_id());
        record(&journal, &Ctx::system("test"), vec![draft(trust, &stream, 1, "x")]).await;
    }
    journal.sign().await.unwrap();
    let mut tx = journal.db().read().await.unwrap();
    let all = events(&mut tx, 0, &Filter::default(), 10).await.unwrap();
    drop(tx);
    let of_trust = Caller::of(Uuid::from_u128(2));
    let at = |position| GetInclusionProofRequest {
        position: Some(position),
        ..GetInclusionProofRequest::default()
    };
    let of = |event: &journal::Recorded| GetInclusionProofRequest {
        event_id: Some(event.event_id.to_string()),
        ..GetInclusionProofRequest::default()
    };
    let proof = ask(&journal, &of_trust, at(3)).await.unwrap();
    assert_eq!(proof.event.as_ref().unwrap().event_id, all[4].event_id.to_string());
    assert_eq!(proof.event.as_ref().unwrap().position, 3, "as the trust counts");
    assert_eq!((proof.log_position, proof.trust_position, proof.leaf_index), (5, 3, 4));
    accepted(&proof, &all[4].leaf(), &verifiers(&keys)).unwrap();
    assert_eq!(ask(&journal, &of_trust, of(&all[4])).await.unwrap(), proof);
    assert_eq!(ask(&journal, &Caller::platform(), of(&all[4])).await.unwrap().log_position, 5);
    let others = ask(&journal, &of_trust, of(&all[0])).await.unwrap_err();
    assert_eq!(others.code(), tonic::Code::NotFound);
    let unknown = ask(
        &journal,
        &of_trust,
        GetInclusionProofRequest {
            event_id: Some(rpc::new_id().to_string()),
            ..GetInclusionProofRequest::default()
        },
    );
    assert_eq!(unknown.await.unwrap_err().code(), tonic::Code::NotFound);
    let beyond = ask(&journal, &of_trust, at(4)).await.unwrap_err();
    assert!(beyond.message().contains("newest position, 3"), "{beyond}");
}

/// What is asked of a log of 21 events with checkpoints of sizes 10 and 20, and how it is refused.
const REFUSED: &[(&str, u16, &str, &str)] = &[
    ("checkpoint?size=21", 400, "REQUEST_INVALID", "beyond the newest checkpoint, of size 20"),
    ("checkpoint?size=5", 400, "REQUEST_INVALID", "no checkpoint has this size; the next has 10"),
    ("checkpoint?size=0", 400, "REQUEST_INVALID", "no checkpoint has this size"),
    ("inclusion-proof", 400, "REQUEST_INVALID", "either eventId or position"),
    ("inclusion-proof?position=1&eventId=x", 400, "REQUEST_INVALID", "either eventId or position"),
    ("inclusion-proof?eventId=x", 404, "NOT_FOUND", "no event x"),
    ("inclusion-proof?position=0", 400, "REQUEST_INVALID", "1 to the newest position, 21"),
    ("inclusion-proof?position=22", 400, "REQUEST_INVALID", "1 to the newest position, 21"),
    (
        "inclusion-proof?position=18446744073709551615",
        400,
        "REQUEST_INVALID",
        "newest position, 21",
    ),
    ("inclusion-proof?position=21", 503, "UNAVAILABLE", "does not cover the event yet"),
    (
        "inclusion-proof?position=11&size=10",
        400,
        "REQUEST_INVALID",
        "recorded after this checkpoint",
    ),
    ("inclusion-proof?position=11&size=11", 400, "REQUEST_INVALID", "no checkpoint has this size"),
    ("consistency-proof", 400, "REQUEST_INVALID", "1 to the later size, 20"),
    ("consistency-proof?first=21", 400, "REQUEST_INVALID", "1 to the later size, 20"),
    (
        "consistency-proof?first=10&second=30",
        400,
        "REQUEST_INVALID",
        "beyond the newest checkpoint",
    ),
    ("consistency-proof?first=11&second=10", 400, "REQUEST_INVALID", "1 to the later size, 10"),
];

async fn what_cannot_be_proved_is_said_plainly(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    let journals: Journals = [journal.clone()].into_iter().collect();
    let (rest, caller) = (journals.rest(), Caller::platform());
    let path = |of: &str| format!("/v1/journals/notes/{of}");
    let none = caller.get(&rest, &path("checkpoint")).await;
    assert_eq!((none.status.as_u16(), problem(&none)), (404, "NOT_FOUND"));
    write_many(&journal, 1, 1, 10).await;
    journal.sign().await.unwrap();
    write_many(&journal, 1, 11, 10).await;
    journal.sign().await.unwrap();
    write_many(&journal, 1, 21, 1).await;
    for (of, status, reason, detail) in REFUSED {
        let answer = caller.get(&rest, &path(of)).await;
        assert_eq!(
            (answer.status.as_u16(), problem(&answer)),
            (*status, *reason),
            "{of}: {answer:?}"
        );
        assert!(answer.body.to_string().contains(detail), "{of}: {answer:?}");
    }
    let proof = caller.get(&rest, &path("inclusion-proof?position=3&size=10")).await;
    let request = GetInclusionProofRequest {
        position: Some(3),
        size: Some(10),
        ..GetInclusionProofRequest::default()
    };
    assert_eq!(
        proof.body,
        json(&ask(&journal, &caller, request).await.unwrap()),
        "REST and gRPC agree"
    );
    let listed = caller.get(&rest, &path("checkpoint-keys")).await;
    assert_eq!(listed.body["origin"], "headway/notes/test");
    assert_eq!(listed.body["keys"][0]["signing"], true);
}

async fn erasing_texts_leaves_every_proof_valid(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    let texts = (1..=3).map(|it| Text::new(format!("what was said {it}")).unwrap());
    let drafts =
        texts.zip(1..).map(|(text, version)| draft(1, "note/1", version, "x").with_texts([text]));
    let drafts = drafts.collect();
    record(&journal, &Ctx::system("test"), drafts).await;
    journal.sign().await.unwrap();
    let request = |position| GetInclusionProofRequest {
        position: Some(position),
        ..GetInclusionProofRequest::default()
    };
    let caller = Caller::platform();
    let before = ask(&journal, &caller, request(2)).await.unwrap();
    let mut tx = journal.db().begin().await.unwrap();
    let erased = on!(&mut tx, |c| sqlx::query("DELETE FROM text")
        .execute(c)
        .await
        .map(|it| it.rows_affected()));
    assert_eq!(erased.unwrap(), 3);
    tx.commit().await.unwrap();
    assert_eq!(ask(&journal, &caller, request(2)).await.unwrap(), before);
    assert_eq!(audit(&journal).await.unwrap().flaws, []);
    assert_eq!(*guarded(&database, &keys).await.damage().borrow(), None);
}
