//! Webhooks from outside: what a target is told, what becomes of one that fails, and what survives a power cut.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use crate::{
    demonstration::python,
    running::{Client, eventually, root, token},
    story::{Cast, Deployed, URN, found, postgres},
};

/// What a target was told.
#[derive(Clone, Debug)]
struct Told {
    path: String,
    head: String,
    body: Value,
}

/// A target that answers each message by its path: `/410`, `/slow`; any other path is taken.
struct Target {
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
    down: Arc<Mutex<bool>>,
}

impl Target {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (told, down) = (Arc::default(), Arc::default());
        let it = Self { url, told, down };
        let (told, down) = (Arc::clone(&it.told), Arc::clone(&it.down));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&told), Arc::clone(&down)));
            }
        });
        it
    }

    fn at(&self, path: &str) -> Vec<Told> {
        self.told.lock().unwrap().iter().filter(|it| it.path == path).cloned().collect()
    }

    fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }
}

async fn serve(mut stream: TcpStream, told: Arc<Mutex<Vec<Told>>>, down: Arc<Mutex<bool>>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length: usize =
            head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        while bytes.len() < end + length {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
        }
        let body = serde_json::from_slice(&bytes[end..end + length]).unwrap();
        bytes.drain(..end + length);
        let path = head.split(' ').nth(1).unwrap().to_owned();
        if path == "/slow" {
            sleep(Duration::from_secs(20)).await;
        }
        told.lock().unwrap().push(Told { path: path.clone(), head, body });
        let answer: &[u8] = match path.as_str() {
            _ if *down.lock().unwrap() => {
                b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
            }
            "/410" => b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n",
            "/busy" => {
                b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 3600\r\ncontent-length: 0\r\n\r\n"
            }
            _ => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// A deployment that may call this machine, a trust in it, and a target.
struct Scene {
    deployed: Deployed,
    cast: Cast,
    target: Target,
}

/// A deployment that may call this machine, and the folder of its settings, which are read at each start.
pub(crate) fn prepared(mut arguments: Vec<String>) -> (Deployed, tempfile::TempDir) {
    let folder = crate::running::folder();
    let file = folder.path().join("open.toml");
    std::fs::write(&file, "[webhooks]\nallow_private_targets = true\n").unwrap();
    arguments.extend(["--config".to_owned(), file.display().to_string()]);
    (Deployed::prepared(arguments), folder)
}

impl Scene {
    async fn set(arguments: Vec<String>) -> Self {
        let (mut deployed, folder) = prepared(arguments);
        // The settings are read at each start.
        std::mem::forget(folder);
        deployed.start().await.unwrap();
        let cast = found(&deployed).await;
        Self { deployed, cast, target: Target::start().await }
    }

    fn admin(&self) -> Client {
        self.deployed.client(0, &self.cast.admin)
    }

    async fn webhook(&self, path: &str, types: &[&str]) -> Value {
        let url = format!("{}{path}", self.target.url);
        let body = json!({"url": url, "description": path, "eventTypes": types});
        self.admin().post(&format!("/v1/trusts/{}/webhooks", self.cast.trust), &body).await.done()
    }

    async fn unit(&self, name: &str) {
        let path = format!("/v1/trusts/{}/schools/{URN}/units", self.cast.trust);
        let unit = json!({"kind": "UNIT_KIND_TEAM", "name": name});
        self.admin().post(&path, &unit).await.done();
    }

    async fn read(&self, webhook: &Value) -> Value {
        self.admin().get(&format!("/v1/webhooks/{}", id(webhook))).await.done()
    }

    async fn deliveries(&self, webhook: &Value) -> Vec<Value> {
        let path = format!("/v1/webhooks/{}/deliveries", id(webhook));
        self.admin().get(&path).await.done()["deliveries"].as_array().unwrap().clone()
    }

    async fn told(&self, path: &str, count: usize) -> Vec<Told> {
        eventually(async || Some(self.target.at(path)).filter(|it| it.len() >= count)).await
    }
}

fn id(webhook: &Value) -> &str {
    webhook["webhookId"].as_str().unwrap()
}

fn names(told: &[Told]) -> Vec<&str> {
    told.iter().map(|it| it.body["data"]["name"].as_str().unwrap_or("-")).collect()
}

const UNITS: &[&str] = &["headway.registry.v1.UnitCreated"];

/// Events come in order and as the journal tells them; a target that is down is told once it is back, after a power cut
/// too; and no database holds a secret.
async fn told(arguments: Vec<String>) {
    let mut scene = Scene::set(arguments).await;
    let webhook = scene.webhook("/units", UNITS).await;
    for name in ["one", "two", "three"] {
        scene.unit(name).await;
    }
    let told = scene.told("/units", 3).await;
    assert_eq!(names(&told), ["one", "two", "three"]);
    let path = "/v1/journals/registry/events?type=headway.registry.v1.UnitCreated";
    let events = scene.admin().get(path).await.done()["events"].clone();
    for (told, event) in told.iter().zip(events.as_array().unwrap()) {
        assert_eq!(told.body["id"], event["eventId"]);
        assert_eq!(told.body["sequence"], event["position"]);
        assert_eq!(told.body["data"], event["rendered"]);
        assert!(told.head.contains(&format!("webhook-id: {}", event["eventId"].as_str().unwrap())));
        assert!(told.head.contains("content-type: application/cloudevents+json"), "{}", told.head);
    }

    scene.target.set_down(true);
    scene.unit("four").await;
    scene.unit("five").await;
    let failing = eventually(async || {
        let read = scene.read(&webhook).await;
        (!read["failingSince"].is_null()).then_some(read)
    });
    assert!(failing.await["pending"].as_u64().unwrap() >= 1);
    scene.deployed.kill().await;
    scene.target.set_down(false);
    scene.target.told.lock().unwrap().clear();
    scene.deployed.start().await.unwrap();
    let told = scene.told("/units", 2).await;
    let mut late = names(&told);
    late.sort_unstable();
    late.dedup();
    assert_eq!(late, ["five", "four"], "none is lost");
    eventually(async || {
        let all = scene.deliveries(&webhook).await;
        let over = all.iter().all(|it| it["state"] == "WEBHOOK_DELIVERY_STATE_DELIVERED");
        (all.len() == 5 && over).then_some(())
    })
    .await;

    let replay = json!({"service": "registry", "after": "0"});
    let path = format!("/v1/webhooks/{}/replays", id(&webhook));
    scene.admin().post(&path, &replay).await.done();
    scene.told("/units", 7).await;

    let secret = webhook["secret"].as_str().unwrap();
    let read = scene.read(&webhook).await;
    assert!(secret.starts_with("whsec_") && read["secret"].is_null());
    assert!(!holds(scene.deployed.data(), &secret.as_bytes()[6..]), "a secret is on disk");
    scene.deployed.end().await;
}

/// Whether a file below a folder holds these bytes.
fn holds(folder: &std::path::Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).any(|path| {
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let content = std::fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|it| it == bytes)
    })
}

/// threat: T-SECRET-AT-REST
#[tokio::test]
async fn a_target_is_told_in_order_and_after_a_power_cut_on_sqlite() {
    told(vec![]).await;
}

#[tokio::test]
async fn a_target_is_told_in_order_and_after_a_power_cut_on_postgres() {
    told(postgres().await).await;
}

/// threat: T-SLOW-TARGET
#[tokio::test]
async fn a_target_that_is_gone_or_busy_is_left_alone_and_a_slow_one_holds_up_nobody() {
    let scene = Scene::set(vec![]).await;
    let slow = scene.webhook("/slow", UNITS).await;
    let gone = scene.webhook("/410", UNITS).await;
    let busy = scene.webhook("/busy", UNITS).await;
    let good = scene.webhook("/good", UNITS).await;
    let all = scene.webhook("/all", &[]).await;
    let began = Instant::now();
    scene.unit("one").await;
    scene.told("/good", 1).await;
    assert!(began.elapsed() < Duration::from_secs(10), "the slow one is waited for");

    let off = eventually(async || {
        let read = scene.read(&gone).await;
        (read["state"] == "WEBHOOK_STATE_DISABLED").then_some(read)
    });
    assert_eq!(off.await["disabledReason"], "WEBHOOK_DISABLED_REASON_GONE");
    let notice = eventually(async || {
        let told = scene.target.at("/all");
        told.into_iter().find(|it| it.body["type"] == "headway.registry.v1.WebhookDisabled")
    });
    assert_eq!(notice.await.body["data"]["webhookId"], gone["webhookId"], "with notice");

    let paused = eventually(async || {
        let all = scene.deliveries(&busy).await;
        all.into_iter().find(|it| !it["attempts"][0].is_null())
    });
    let paused = paused.await;
    let instant = |it: &Value| chrono::DateTime::parse_from_rfc3339(it.as_str().unwrap()).unwrap();
    let wait = instant(&paused["nextAttemptAt"]) - instant(&paused["attempts"][0]["attemptedAt"]);
    assert!(wait >= chrono::TimeDelta::minutes(59), "{paused}");
    scene.unit("two").await;
    scene.told("/good", 2).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(scene.target.at("/busy").len(), 1, "it asked to be left alone");
    assert_eq!(scene.target.at("/410").len(), 1);

    let ping = format!("/v1/webhooks/{}/pings", id(&gone));
    let ping = scene.admin().post(&ping, &json!({})).await.done();
    let tried = eventually(async || {
        let all = scene.deliveries(&gone).await;
        all.into_iter()
            .find(|it| it["deliveryId"] == ping["deliveryId"] && !it["endedAt"].is_null())
    });
    assert_eq!(tried.await["attempts"][0]["status"], 410, "a ping is sent to one that is off");

    let path = format!("/v1/webhooks/{}", id(&good));
    let deleted = scene.admin().send("DELETE", &path, &[], "").await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (200, "{}"));
    assert_eq!(scene.admin().get(&path).await.refused(404), "NOT_FOUND");
    drop((slow, all));
    scene.deployed.end().await;
}

/// Two replicas share the work: each event is sent, and in calm once.
#[tokio::test]
async fn replicas_share_the_webhooks() {
    let mut scene = Scene::set(postgres().await).await;
    for number in 0..4 {
        scene.webhook(&format!("/{number}"), UNITS).await;
    }
    scene.deployed.start().await.unwrap();
    // Until both hold what is theirs.
    sleep(Duration::from_secs(8)).await;
    for number in 0..10 {
        scene.unit(&format!("u{number}")).await;
    }
    for number in 0..4 {
        let told = scene.told(&format!("/{number}"), 10).await;
        let expected: Vec<_> = (0..10).map(|it| format!("u{it}")).collect();
        assert_eq!(names(&told), expected, "in order and once");
    }
    scene.deployed.end().await;
}

/// threat: T-SSRF, T-WEBHOOK-LEAK
#[tokio::test]
async fn what_may_not_be_called_is_refused() {
    let deployed = Deployed::together(vec![]).await;
    let cast = found(&deployed).await;
    let admin = deployed.client(0, &cast.admin);
    let path = format!("/v1/trusts/{}/webhooks", cast.trust);
    for url in [
        "http://example.org/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://user:pass@example.org/",
        "ftp://example.org/",
        "",
    ] {
        let answer = admin.post(&path, &json!({"url": url})).await;
        assert_eq!(answer.refused(400), "REQUEST_INVALID", "{url}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/url", "{url}");
    }
    let local = admin.post(&path, &json!({"url": "https://localhost/"})).await.json();
    assert_eq!(local["errors"][0]["code"], "WEBHOOK_TARGET_REFUSED");
    let wrong = json!({"url": "https://1.1.1.1/", "eventTypes": ["headway.registry.v1.Nothing"]});
    let wrong = admin.post(&path, &wrong).await;
    assert_eq!(wrong.refused(400), "REQUEST_INVALID");
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/eventTypes/0");

    // Whoever may not read the journal may not have it told.
    let blind = token(deployed.data(), "blind", Some(&cast.trust), &["webhooks:write"]);
    let blind = deployed.client(0, &blind);
    let refused = blind.post(&path, &json!({"url": "https://1.1.1.1/"})).await;
    assert_eq!(refused.refused(403), "SCOPE_MISSING");
    let webhook = admin.post(&path, &json!({"url": "https://1.1.1.1/hook"})).await.done();
    let stranger = uuid::Uuid::from_u128(7).to_string();
    let scopes = ["webhooks:read", "webhooks:write", "journal:read"];
    let stranger = token(deployed.data(), "stranger", Some(&stranger), &scopes);
    let stranger = deployed.client(0, &stranger);
    let one = format!("/v1/webhooks/{}", id(&webhook));
    for (verb, path) in [
        ("GET", path.clone()),
        ("POST", path),
        ("GET", one.clone()),
        ("DELETE", one.clone()),
        ("GET", format!("{one}/deliveries")),
        ("POST", format!("{one}/pings")),
        ("POST", format!("{one}/secrets")),
    ] {
        let headers = [("content-type", "application/json")];
        let answer = stranger.send(verb, &path, &headers, "{}").await;
        assert_eq!(answer.refused(404), "NOT_FOUND", "{verb} {path}");
    }
    deployed.end().await;
}

/// A verifier that is not ours takes our signatures, before and after a rotation, and no others.
/// threat: T-FALSE-MESSAGE
#[tokio::test]
async fn a_python_verifier_accepts_what_we_sign() {
    let scene = Scene::set(vec![]).await;
    let output = tokio::process::Command::new(python())
        .arg(root().join("tests/outside/webhook_receiver.py"))
        .args(["--url", &scene.deployed.url(0), "--token", &scene.cast.admin])
        .args(["--trust", &scene.cast.trust, "--urn", URN])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("the Python receiver verified"), "{said}");
    scene.deployed.end().await;
}
