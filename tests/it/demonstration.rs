//! The demonstration as a newcomer meets it, and callers that are not ours.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;

use crate::running::{Client, binary, command, root, token};

/// The folder of a demonstration that was made once for all tests of this process.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("demonstration");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let mut child = Command::new(binary())
            .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with('{'), "the demonstration was not made: {line}");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
        folder
    })
}

/// A demonstration of a test's own, under way.
struct Demo {
    child: Child,
    // Its output stays open for as long as it runs.
    _output: tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>,
    folder: TempDir,
    line: String,
    told: Value,
}

impl Demo {
    async fn start() -> Self {
        let made = tokio::task::spawn_blocking(made).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(made.join(".")).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        Self::resume(folder).await
    }

    async fn resume(folder: TempDir) -> Self {
        let arguments = ["demo", "--json", "--listen", "127.0.0.1:0"];
        let (child, mut output) = crate::running::spawn(folder.path(), &arguments, &[]);
        let line = output.next_line().await.unwrap().unwrap();
        let told = serde_json::from_str(&line).unwrap();
        Self { child, _output: output, folder, line, told }
    }

    fn url(&self) -> &str {
        self.told["url"].as_str().unwrap()
    }

    fn client(&self, who: &str) -> Client {
        Client {
            address: self.url().strip_prefix("http://").unwrap().to_owned(),
            token: self.told[who]["token"].as_str().map(str::to_owned),
        }
    }

    async fn trust(&self) -> Value {
        let admin = self.client("admin");
        admin.get(&format!("/v1/trusts/{}", self.told["trustId"].as_str().unwrap())).await.done()
    }
}

/// The Python that `./test` has given what the outside callers need.
pub(crate) fn python() -> PathBuf {
    let local = root().join("target/python/bin/python");
    let named = std::env::var_os("HEADWAY_PYTHON").map(PathBuf::from);
    let python = named.unwrap_or(local);
    assert!(python.exists(), "the outside callers need their Python: run ./test once");
    python
}

#[tokio::test]
async fn it_is_all_still_there_after_a_power_cut() {
    let mut demo = Demo::start().await;
    let trust = demo.trust().await;
    demo.child.kill().await.unwrap();
    let mut demo = Demo::resume(demo.folder).await;
    assert_eq!(demo.trust().await, trust);
    demo.child.kill().await.unwrap();
    let verified = command(demo.folder.path(), &["journal", "verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");
    assert!(!said.contains("DIFFERS"), "{said}");
}

/// Runs a caller that is not ours over a demonstration.
async fn goes_through(caller: &str) {
    let demo = Demo::start().await;
    let mut child = Command::new(python())
        .arg(root().join("tests/outside").join(caller))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(demo.line.as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_python_client_finishes_the_flow() {
    goes_through("grpc_client.py").await;
}

/// threat: T-STOLEN-TOKEN, T-ASSERTION
#[tokio::test]
async fn an_oauth_client_that_is_not_ours_finishes_the_flow() {
    goes_through("oauth_client.py").await;
}

/// Signs somebody in at the demonstration's issuer as a browser would; gives the token.
async fn sign_in(demo: &Demo, person: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use sha2::{Digest, Sha256};
    let verifier = "a-verifier-of-at-least-forty-three-characters-long";
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    let back = "http://127.0.0.1:1/back";
    let nobody = Client { token: None, ..demo.client("nobody") };
    let path = format!(
        "/demo-issuer/authorize?response_type=code&client_id=headway-demo&redirect_uri={back}&state=s&\
         code_challenge={challenge}&code_challenge_method=S256"
    );
    let page = nobody.get(&path).await;
    assert!(page.status == 200 && page.text.contains("Headteacher"), "{page:?}");
    let answer = nobody.get(&format!("{path}&person={person}")).await;
    let location = answer.headers["location"].to_str().unwrap();
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = format!(
        "grant_type=authorization_code&code={code}&redirect_uri={back}&client_id=headway-demo&code_verifier={verifier}"
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let given = nobody.send("POST", "/demo-issuer/token", &headers, form.clone()).await.done();
    let again = nobody.send("POST", "/demo-issuer/token", &headers, form).await;
    assert_eq!(again.status, 400, "a code works once");
    given["access_token"].as_str().unwrap().to_owned()
}

/// threat: T-FALSE-ISSUER, T-OTHER-SCHOOL
#[tokio::test]
async fn people_see_what_their_trust_lets_them_see() {
    let demo = Demo::start().await;
    let trust = demo.told["trustId"].as_str().unwrap();
    let as_person = async |person: &str| Client {
        token: Some(sign_in(&demo, person).await),
        ..demo.client("nobody")
    };
    let (chair, head) = (as_person("chair").await, as_person("head").await);
    let schools = format!("/v1/trusts/{trust}/schools?pageSize=100");
    let all = chair.get(&schools).await.done()["schools"].as_array().unwrap().clone();
    let own = head.get(&schools).await.done()["schools"].as_array().unwrap().clone();
    assert!(all.len() > 1, "{all:?}");
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["urn"], demo.told["urn"]);
    let other = all.iter().find(|it| it["urn"] != own[0]["urn"]).unwrap()["urn"].as_str().unwrap();
    let other = head.get(&format!("/v1/trusts/{trust}/schools/{other}")).await;
    assert_eq!(other.refused(403), "GRANT_MISSING");
    let stranger = head.get(&format!("/v1/trusts/{}", rpc::new_id())).await;
    assert_eq!(stranger.refused(404), "NOT_FOUND");
    let grants = format!("/v1/trusts/{trust}/grants");
    assert_eq!(chair.get(&grants).await.refused(403), "SCOPE_MISSING");
    let manager = as_person("it-manager").await;
    let listed = manager.get(&grants).await.done();
    assert!(listed["grants"].as_array().unwrap().len() >= 2, "{listed}");
    let forged = demo.client("nobody");
    let token = chair.token.clone().unwrap();
    let (body, _) = token.rsplit_once('.').unwrap();
    let forged = Client { token: Some(format!("{body}.AAAA")), ..forged };
    assert_eq!(forged.get(&schools).await.refused(401), "UNAUTHENTICATED");
}

#[tokio::test]
async fn the_conformance_kit_passes_it() {
    let demo = Demo::start().await;
    let told = |it: &Value| it.as_str().unwrap().to_owned();
    let trust = told(&demo.told["trustId"]);
    let reader = token(demo.folder.path(), "reader", Some(&trust), &["records:read"]);
    let arguments = [
        ("--trust", trust),
        ("--read-token", reader),
        ("--url", told(&demo.told["url"])),
        ("--token", told(&demo.told["vendor"]["token"])),
        ("--feed", told(&demo.told["feedId"])),
        ("--urn", told(&demo.told["urn"])),
    ];
    let arguments: Vec<_> =
        arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let output = crate::conformance::kit(&["-m", "headway_conformance"], &arguments).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
}

/// Runs schemathesis over the whole document, by the holder of a token, with these arguments.
async fn fuzzed(demo: &Demo, token: &str, arguments: &[&str]) {
    let mut settings = String::from("[parameters]\n\"path.service\" = \"registry\"\n");
    for (variable, told) in [("trust_id", "trustId"), ("urn", "urn"), ("feed_id", "feedId")] {
        writeln!(settings, "\"path.{variable}\" = {}", demo.told[told]).unwrap();
    }
    fs::write(demo.folder.path().join("schemathesis.toml"), settings).unwrap();
    let output = tokio::process::Command::new(python().with_file_name("schemathesis"))
        .args(["run", &format!("{}/openapi.json", demo.url())])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--exclude-path", "/v1/journals/{service}/events/stream"])
        .args(["--max-examples", "15", "--no-color", "--generation-deterministic"])
        .args(["--workers", "2"])
        .args(arguments)
        .env("SCHEMATHESIS_HOOKS", "hostile")
        .env("PYTHONPATH", root().join("tests/outside"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(demo.folder.path())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: "), "{said}");
}

fn everything() -> Vec<String> {
    rpc::all_scopes().map(rpc::scope_name).collect()
}

/// Every path but the stream that never ends, over things that exist, by somebody who may do everything.
#[tokio::test]
async fn a_fuzzer_finds_no_fault_in_the_document_or_the_answers() {
    const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                          response_schema_conformance";
    let demo = Demo::start().await;
    let scopes = everything();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let vendor = demo.told["vendor"]["clientId"].as_str().unwrap();
    let token = token(demo.folder.path(), vendor, None, &scopes);
    fuzzed(&demo, &token, &["--checks", CHECKS, "--phases", "coverage,fuzzing"]).await;
}

/// Whoever has no scope gets nothing anywhere, and whoever is another trust's nothing of this one, whatever they send.
/// threat: T-OTHER-TRUST
#[tokio::test]
async fn a_fuzzer_with_a_hostile_token_is_refused_everywhere() {
    const REFUSED: [&str; 4] = ["--checks", "nothing_but_refusals", "--phases", "fuzzing"];
    let demo = Demo::start().await;
    let stranger = uuid::Uuid::from_u128(7).to_string();
    let weak = token(demo.folder.path(), "hostile", Some(&stranger), &["metrics:read"]);
    let arguments = [&REFUSED[..], &["--exclude-tag", "Host"]].concat();
    fuzzed(&demo, &weak, &arguments).await;
    let scopes = everything();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let other = token(demo.folder.path(), "hostile", Some(&stranger), &scopes);
    let theirs = ["--include-path-regex", "^/v1/trusts/.trust_id."];
    fuzzed(&demo, &other, &[&REFUSED[..], &theirs].concat()).await;
}

#[tokio::test]
async fn the_board_needs_no_script_and_nothing_from_outside() {
    let demo = Demo::start().await;
    let answer = demo.client("nobody").get("/").await;
    assert_eq!(answer.status, 200);
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = &answer.text;
    let path =
        format!("/v1/trusts/{}/schools?pageSize=100", demo.told["trustId"].as_str().unwrap());
    let schools = demo.client("admin").get(&path).await.done();
    for school in schools["schools"].as_array().unwrap() {
        let name = school["name"].as_str().unwrap();
        assert!(page.contains(&name.replace('\'', "&#39;")) || page.contains(name), "{name}");
    }
    assert!(page.contains("Synthetic"), "the page says that its figures are synthetic");
    assert!(!page.contains("http://") && !page.contains("https://"), "no outside resource");
}

/// What the README tells a newcomer to paste does what it says.
#[tokio::test]
async fn the_tour_of_the_readme_works_as_written() {
    let demo = Demo::start().await;
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let tour = readme.split("## A tour").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut script = String::from("set -euo pipefail\n");
    for block in tour.split("```sh\n").skip(1) {
        script.push_str(block.split("```").next().unwrap());
    }
    let script = script.replace("cargo run -p headway --", &binary().display().to_string());
    // The tour speaks of the folder that `demo` makes where it is run.
    std::os::unix::fs::symlink(demo.folder.path(), demo.folder.path().join("headway-demo"))
        .unwrap();
    let output = tokio::process::Command::new("bash")
        .args(["-c", &script])
        .current_dir(demo.folder.path())
        .env("DEMO", &demo.line)
        .output()
        .await
        .unwrap();
    let (said, wrong) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{wrong}");
    for expected in tour.split("```text\n").skip(1).map(|it| it.split("```").next().unwrap().trim())
    {
        assert!(said.contains(expected), "the tour promises {expected}\n{said}");
    }
}
