//! TLS from outside: what callers are shown, what services show each other, and whom neither believes.

use std::{path::Path, process::Command};

use serde_json::json;

use crate::{
    demonstration::python,
    running::{Running, folder, root, token},
};

/// A folder with certificates of a test's own authorities.
fn certificates() -> tempfile::TempDir {
    let made = folder();
    let status = Command::new(python())
        .arg(root().join("tests/outside/tls_files.py"))
        .arg(made.path())
        .status()
        .unwrap();
    assert!(status.success());
    for end in ["pem", "key"] {
        let name = |it: &str| made.path().join(it).with_extension(end);
        std::fs::copy(name("server"), name("shown")).unwrap();
    }
    made
}

/// Settings with which a process shows a certificate and believes an authority's services.
fn settings(data: &Path, files: &Path, shows: &str, peers: &str) -> String {
    let path = data.join(format!("{shows}-{}.toml", peers.len()));
    let place = files.display();
    let text = format!(
        "[tls]\ncertificate = \"{place}/{shows}.pem\"\nkey = \"{place}/{shows}.key\"\npeers_ca = \"{place}/ca.pem\"\n\
         [peers]\n{peers}"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

async fn run(script: &str, arguments: &[&str]) {
    let output = tokio::process::Command::new(python())
        .arg(root().join("tests/outside").join(script))
        .args(arguments)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

/// threat: T-STALE-CERTIFICATE, T-EAVESDROP
#[tokio::test]
async fn callers_are_shown_a_certificate_that_may_change() {
    let (data, files) = (folder(), certificates());
    let settings = settings(data.path(), files.path(), "shown", "");
    let running = Running::serve(data.path(), &["--config", &settings]).await;
    assert!(running.url.starts_with("https://"), "{}", running.url);
    let token = token(data.path(), "reader", None, &["registry:read"]);
    let place = files.path().display().to_string();
    run("tls_client.py", &[&running.url, &place, &token]).await;
    running.stop().await;
}

/// Three processes that follow each other with certificates: what the registry tells arrives at the others.
/// threat: T-FALSE-PEER
#[tokio::test]
async fn services_believe_each_other_by_their_certificates_and_nobody_else() {
    let (data, files) = (folder(), certificates());
    let place = files.path();
    let registry = settings(data.path(), place, "server", "");
    let registry =
        Running::serve(data.path(), &["--config", &registry, "--only", "registry"]).await;
    let peers = format!("registry = \"{}\"\n", registry.url);
    let trusted = settings(data.path(), place, "server", &peers);
    let stranger = folder();
    std::fs::create_dir_all(stranger.path().join("keys")).unwrap();
    let strange = settings(stranger.path(), place, "strange", &peers);
    // The same keys, so that its tokens are genuine: only its certificate is of another authority.
    let keys = data.path().join("keys").display().to_string();
    let arguments = ["--config", &strange, "--only", "intelligence", "--keys-dir", &keys];
    let false_one = Running::serve(stranger.path(), &arguments).await;
    let intelligence =
        Running::serve(data.path(), &["--config", &trusted, "--only", "intelligence"]).await;
    let operator = token(
        data.path(),
        "operator",
        None,
        &["platform:write", "registry:read", "intelligence:read", "metrics:read"],
    );
    let told = json!({
        "registry": registry.url, "intelligence": intelligence.url, "stranger": false_one.url,
        "register": root().join("services/headway/data/register.csv"),
        "folder": place, "operator": operator,
    });
    run("tls_peers.py", &[&told.to_string()]).await;
    for it in [false_one, intelligence, registry] {
        it.stop().await;
    }
}
