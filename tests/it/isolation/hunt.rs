//! Asking, and searching the answers.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{Arc, Mutex},
};

use rand::{SeedableRng, rngs::StdRng};
use testkit::setting;

use super::{harvest::Values, invent::Inventor, send::Sender};
use crate::story::Deployed;

/// Askers side by side.
const ASKERS: u64 = 8;
/// Leaks told of in full; beyond, they are counted.
const TOLD: usize = 3;

/// What must not come back, and what is used to ask for it.
#[derive(Debug, Default)]
pub(crate) struct Prey {
    pub(crate) own: Values,
    pub(crate) others: Values,
    pub(crate) markers: Vec<String>,
    ids: HashSet<String>,
}

impl Prey {
    /// Nothing yet, for an asker with these values of its own.
    pub(crate) fn of(own: &Values) -> Self {
        Self { own: own.clone(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, others: &Values, marker: &str) {
        let known: HashSet<String> =
            self.own.values().flatten().flat_map(|it| ids(it.as_bytes())).collect();
        for (column, values) in others {
            let fresh = values.iter().flat_map(|it| ids(it.as_bytes()));
            self.ids.extend(fresh.filter(|it| !known.contains(it) && !it.starts_with("00000000")));
            self.others.entry(column.clone()).or_default().extend(values.iter().cloned());
        }
        self.markers.push(marker.to_owned());
    }

    pub(crate) fn secrets(&self) -> usize {
        self.ids.len()
    }

    /// What an answer holds of others that was not in the question.
    fn found(&self, answer: &[u8], question: &[u8], echoed: &BTreeSet<String>) -> Vec<String> {
        let marked = self.markers.iter().filter(|it| holds(answer, it) && !holds(question, it));
        let mut found: Vec<String> = marked.cloned().collect();
        let strange = ids(answer).into_iter().filter(|it| self.ids.contains(it));
        found.extend(strange.filter(|it| !holds(question, it) && !echoed.contains(it)));
        found
    }
}

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|it| it.eq_ignore_ascii_case(part.as_bytes()))
}

/// Every id in a text, whatever is around it.
pub(crate) fn ids(text: &[u8]) -> Vec<String> {
    let is_id = |it: &[u8]| {
        it.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let dashed = |it: &&[u8]| it[8] == b'-' && is_id(it);
    text.windows(36).filter(dashed).map(|it| String::from_utf8_lossy(it).to_lowercase()).collect()
}

/// What came of asking.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) asked: BTreeSet<String>,
    pub(crate) statuses: BTreeMap<String, u64>,
    pub(crate) bytes: usize,
    /// By RPC, the first questions with what came back of others.
    pub(crate) leaky: BTreeMap<String, Vec<String>>,
    /// Questions to which the server had no answer.
    pub(crate) broken: Vec<String>,
    count: usize,
    echoed: BTreeSet<String>,
}

impl Found {
    pub(crate) fn leaks(&self) -> usize {
        self.count
    }
}

/// Random requests with one credential.
pub(crate) struct Hunt {
    address: String,
    token: String,
    prey: Arc<Prey>,
    found: Arc<Mutex<Found>>,
}

impl Hunt {
    pub(crate) fn new(deployed: &Deployed, prey: Arc<Prey>, token: &str) -> Self {
        let address = deployed.url(0).strip_prefix("http://").unwrap().to_owned();
        Self { address, token: token.to_owned(), prey, found: Arc::default() }
    }

    pub(crate) async fn run(self, requests: u64) -> Found {
        let seed = setting("HEADWAY_SEED", 7);
        let mut askers = tokio::task::JoinSet::new();
        for asker in 0..ASKERS {
            let sender = Sender::connect(&self.address, &self.token).await;
            let inventor =
                Inventor::new(StdRng::seed_from_u64(seed * 1_000 + asker), Arc::clone(&self.prey));
            let (prey, found) = (Arc::clone(&self.prey), Arc::clone(&self.found));
            askers.spawn(ask(sender, inventor, prey, found, requests.div_ceil(ASKERS)));
        }
        while let Some(asked) = askers.join_next().await {
            asked.unwrap();
        }
        std::mem::take(&mut *self.found.lock().unwrap())
    }
}

async fn ask(
    mut sender: Sender,
    mut inventor: Inventor,
    prey: Arc<Prey>,
    found: Arc<Mutex<Found>>,
    requests: u64,
) {
    for _ in 0..requests {
        let question = inventor.question();
        let answer = sender.send(&question).await;
        let sent = question.bytes();
        let mut found = found.lock().unwrap();
        let name = question.method.descriptor.full_name().to_owned();
        found.asked.insert(name.clone());
        *found.statuses.entry(answer.status.clone()).or_default() += 1;
        found.bytes += answer.bytes.len();
        if question.method.writes() && answer.done {
            // It may come back later: as what the asker itself once said.
            found.echoed.extend(ids(&sent));
        }
        inventor.learn(&answer.bytes);
        let leaks = prey.found(&answer.bytes, &sent, &found.echoed);
        if !leaks.is_empty() {
            found.count += 1;
            let told = found.leaky.entry(name.clone()).or_default();
            if told.len() < TOLD {
                let answer = String::from_utf8_lossy(&answer.bytes[..answer.bytes.len().min(600)])
                    .into_owned();
                told.push(format!("{question} → {leaks:?} in {answer}"));
            }
        }
        if answer.broken && found.broken.len() < TOLD {
            let said = String::from_utf8_lossy(&answer.bytes).into_owned();
            found.broken.push(format!("{question} → {} {said}", answer.status));
        }
    }
}
