//! The binary under test, and a caller over the network.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap},
};
use hyper_util::rt::TokioIo;
use rpc::token::{ISSUER, Keys};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpStream,
    process::{Child, ChildStdout},
    time::timeout,
};

use crate::logs::Log;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The binary, built from what is being tested.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "headway"])
            .current_dir(root())
            .status()
            .unwrap();
        assert!(status.success());
        // target/<profile>/deps/<this test>
        let here = std::env::current_exe().unwrap();
        here.parent().and_then(Path::parent).unwrap().join("headway")
    })
}

/// A `headway` process that serves, stopped when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// Stays open for as long as it runs.
    _output: Lines<BufReader<ChildStdout>>,
    /// Where it logs; searched for secrets once it has ended.
    _log: Log,
}

impl Running {
    /// Starts `headway serve` on a free port over the data in a folder.
    pub(crate) async fn serve(data: &Path, arguments: &[&str]) -> Self {
        Self::serve_in(data, arguments, &[]).await.unwrap()
    }

    /// The same in an environment; fails when it ends without having served, as over a damaged file.
    pub(crate) async fn serve_in(
        data: &Path,
        arguments: &[&str],
        environment: &[(&'static str, OsString)],
    ) -> Result<Self, String> {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let (child, mut output, log) = logging(data, &all, environment);
        let line = timeout(Duration::from_mins(1), output.next_line()).await.unwrap().unwrap();
        let line = line.ok_or_else(|| format!("it refused to start: {}", log.text()))?;
        let url = line.strip_prefix("Headway listens on ").unwrap().to_owned();
        Ok(Self { child, url, _output: output, _log: log })
    }

    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Stops it as Ctrl-C does, and waits.
    pub(crate) async fn stop(mut self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = timeout(Duration::from_secs(30), self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Stops it as a power cut does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Starts the binary with whatever it logs passed on.
pub(crate) fn spawn(
    data: &Path,
    arguments: &[&str],
    environment: &[(&'static str, OsString)],
) -> (Child, Lines<BufReader<ChildStdout>>) {
    start(data, arguments, environment, Stdio::inherit())
}

/// The same with all that is logged at `debug` kept.
fn logging(
    data: &Path,
    arguments: &[&str],
    environment: &[(&'static str, OsString)],
) -> (Child, Lines<BufReader<ChildStdout>>, Log) {
    let log = Log::new();
    let mut all = arguments.to_vec();
    if !all.contains(&"--log") {
        // SQLx tells of every statement: once, in the test of logs, that is looked through too.
        all.extend(["--log", "debug,sqlx=info"]);
    }
    let (child, output) = start(data, &all, environment, log.file());
    (child, output, log)
}

fn start(
    data: &Path,
    arguments: &[&str],
    environment: &[(&'static str, OsString)],
    errors: Stdio,
) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = tokio::process::Command::new(binary())
        .args(arguments)
        .envs(environment.iter().cloned())
        .arg("--data-dir")
        .arg(data)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, output)
}

/// Runs a command of the binary to its end and gives what it printed.
pub(crate) fn command(data: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(binary()).args(arguments).arg("--data-dir").arg(data).output().unwrap()
}

/// A token of the deployment itself over the keys in a folder, as its services have them: no client stands behind it, and
/// it may do whatever its scopes say. Without a trust, the platform's.
pub(crate) fn token(data: &Path, name: &str, trust: Option<&str>, scopes: &[&str]) -> String {
    let keys = Keys::open(&data.join("keys"), ISSUER).unwrap();
    let trust = trust.map(|it| uuid::Uuid::try_parse(it).unwrap());
    let scopes: Vec<_> = scopes.iter().map(|it| rpc::parse_scope(it).unwrap()).collect();
    let token = keys.issue(name, trust, &scopes, rpc::now(), chrono::Duration::hours(1)).unwrap();
    crate::logs::never_logged(&token);
    token
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer of a request that must succeed.
    #[track_caller]
    pub(crate) fn done(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// The reason of a request that must be refused with that status, in a problem document.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers[CONTENT_TYPE], "application/problem+json", "{self:?}");
        self.json()["reason"].as_str().unwrap().to_owned()
    }
}

/// Somebody with a token, or nobody.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) token: Option<String>,
}

impl Client {
    pub(crate) fn new(running: &Running, token: Option<&str>) -> Self {
        Self { address: running.address().to_owned(), token: token.map(str::to_owned) }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Bytes::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    /// The same from somebody who knows that the server may die.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = Request::builder().method(method).uri(path).header(HOST, &self.address);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let stream = TcpStream::connect(&self.address).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, text })
    }
}

/// A fresh folder for databases and keys.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Asks until the answer is there, for what arrives by subscription.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let give_up = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < give_up, "it never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
