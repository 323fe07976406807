//! Checkpoints signed by several processes, by several keys, and kept elsewhere.

use std::{sync::Arc, time::Duration};

use axum::{Router, http::StatusCode, routing::post};
use journal::{
    audit,
    proof::{Anchor, Refused, Settings, open_note},
};
use testkit::Database;
use tokio::{sync::Mutex, task::JoinSet};

use crate::{
    notes::{guarded, keys, write_many},
    proving::{consistency, verifiers},
};

testkit::both!(two_replicas_sign_one_history, checkpoints_come_by_themselves_and_are_carried_away,);

/// Two journals over one database stand for two processes; both write and both sign.
/// threat: T-FORKED-LOG
async fn two_replicas_sign_one_history(database: Database) {
    let (_folder, keys) = keys();
    let journals = [guarded(&database, &keys).await, guarded(&database, &keys).await];
    let (mut writing, mut signing) = (JoinSet::new(), JoinSet::new());
    for (trust, journal) in (1..).zip(&journals) {
        let (writer, signer) = (journal.clone(), journal.clone());
        writing.spawn(async move {
            for version in 1..=40 {
                write_many(&writer, trust, version, 1).await;
            }
        });
        signing.spawn(async move {
            loop {
                signer.sign().await.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    while let Some(done) = writing.join_next().await {
        done.unwrap();
    }
    assert!(signing.try_join_next().is_none(), "signing did not fail");
    signing.shutdown().await;
    journals[0].sign().await.unwrap();
    let audited = audit(&journals[1]).await.unwrap();
    assert_eq!((audited.events, audited.flaws), (80, vec![]));
    assert!(audited.checkpoints > 5, "both were at it: {}", audited.checkpoints);
}

async fn checkpoints_come_by_themselves_and_are_carried_away(database: Database) {
    let (folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    // The outside is down at first.
    let taken = Arc::new(Mutex::new((0, Vec::new())));
    let state = Arc::clone(&taken);
    let router = Router::new().route(
        "/notes",
        post(async move |note: String| {
            let mut taken = state.lock().await;
            taken.0 += 1;
            if taken.0 == 1 {
                return StatusCode::INTERNAL_SERVER_ERROR;
            }
            taken.1.push(note);
            StatusCode::NO_CONTENT
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notes", listener.local_addr().unwrap());
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    let file = folder.path().join("anchored.txt");
    let anchors: Vec<Anchor> = vec![url.parse().unwrap(), file.to_str().unwrap().parse().unwrap()];
    assert_eq!(anchors[1], Anchor::File(file.clone()));
    let settings = Settings {
        checkpoint_interval: Duration::from_millis(20),
        anchors,
        anchor_interval: Duration::from_millis(50),
    };
    journal.attest(&settings);
    for version in 1..=30 {
        write_many(&journal, 1, version, 1).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let whole = |notes: &str| notes.contains("headway/notes/test\n30\n");
    tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let posted = taken.lock().await.1.last().is_some_and(|it| whole(it));
            if posted && whole(&std::fs::read_to_string(&file).unwrap_or_default()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let checkpoints = audit(&journal).await.unwrap().checkpoints;
    assert!((2..30).contains(&checkpoints), "gathered, not one an event: {checkpoints}");
    let taken = taken.lock().await.1.clone();
    let kept = std::fs::read_to_string(&file).unwrap();
    let notes = kept
        .split_inclusive("\n\n")
        .collect::<Vec<_>>()
        .chunks(2)
        .map(<[&str]>::concat)
        .collect::<Vec<_>>();
    for note in taken.iter().map(String::as_str).chain(notes.iter().map(|it| &it[..it.len() - 1])) {
        open_note(note, &verifiers(&keys)).unwrap();
    }
    journal.close();
    write_many(&journal, 1, 31, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        audit(&journal).await.unwrap().checkpoints,
        checkpoints,
        "it stops with the journal"
    );
    server.abort();
}

/// Whoever pinned the old key can follow to the new one; who pinned neither believes nothing.
#[tokio::test]
async fn a_key_is_rotated_without_losing_anyone() {
    let database = Database::sqlite();
    let (folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    let first = verifiers(&keys);
    let signed = async |version| {
        write_many(&journal, 1, version, 1).await;
        journal.sign().await.unwrap();
        let proof = consistency(&journal, 1, None).await;
        proof.checkpoint.unwrap().note
    };
    open_note(&signed(1).await, &first).unwrap();
    keys.rotate(false).unwrap();
    let both = verifiers(&keys);
    assert_eq!(both[0], first[0]);
    let note = signed(2).await;
    open_note(&note, &first).unwrap();
    open_note(&note, &both[1..]).unwrap();
    let changed = note.replacen("\n2\n", "\n3\n", 1);
    assert_eq!(
        open_note(&changed, &both),
        Err(Refused("the signature of the checkpoint is not valid"))
    );
    keys.rotate(false).unwrap();
    let note = signed(3).await;
    assert_eq!(
        open_note(&note, &first),
        Err(Refused("the checkpoint is not signed by a key of this journal"))
    );
    open_note(&note, &both[1..]).unwrap();
    keys.rotate(true).unwrap();
    let note = signed(4).await;
    open_note(&note, &both).unwrap_err();
    open_note(&note, &verifiers(&keys)[3..]).unwrap();
    let signing: Vec<bool> = keys.verifiers("notes").unwrap().iter().map(|it| it.1).collect();
    assert_eq!(signing, [false, false, false, true]);
    assert_eq!(audit(&journal).await.unwrap().flaws, [], "old notes still verify");
    assert_eq!(*guarded(&database, &keys).await.damage().borrow(), None);
    // Of lost keys the last public one is enough to go on with a new one.
    keys.rotate(true).unwrap();
    let (new_folder, new) = crate::notes::keys();
    assert!(guarded(&database, &new).await.damage().borrow().is_some());
    let last = folder.path().join("0004.pub");
    std::fs::copy(last, new_folder.path().join("0000.pub")).unwrap();
    let journal = guarded(&database, &new).await;
    assert_eq!(*journal.damage().borrow(), None);
    write_many(&journal, 1, 5, 1).await;
    journal.sign().await.unwrap();
}
