//! Habits that keep a service safe, held by looking at the code: a mistake here is one that no test of behaviour would see.

use std::{collections::BTreeSet, fs, process::Command};

use crate::running::root;

/// Files in which services read or write across trusts, and what for.
const ACROSS: &[(&str, &str)] = &[
    (
        "services/intelligence/src/app/privacy/renew.rs",
        "pseudonyms of every trust, made anew with a new key",
    ),
    ("services/intelligence/src/app/privacy/retain.rs", "what is due to go, trust by trust"),
    (
        "services/intelligence/src/app/privacy/scrub.rs",
        "erasures whose bytes are still in the files",
    ),
    (
        "services/intelligence/src/app/busy.rs",
        "which of many trusts have batches waiting, told to each of itself",
    ),
    ("services/intelligence/src/app/spool.rs", "forgetting what broken uploads of any trust left"),
    ("services/intelligence/src/app/worker.rs", "which trust's batch is next"),
    (
        "services/registry/src/app/access/client.rs",
        "clients that several trusts grant to are of none",
    ),
    ("services/registry/src/app/access/directory.rs", "what services know of every trust's grants"),
    ("services/registry/src/app/access/grant.rs", "names of clients that are of no trust"),
    ("services/registry/src/app/access/token.rs", "which trusts a client has grants of"),
    ("services/registry/src/app/establishment.rs", "a place in the national register"),
    (
        "services/registry/src/app/webhook/deliver.rs",
        "which of many trusts' webhooks have something to send; each turn is of its trust",
    ),
];

/// Code of the services and crates, without its tests.
fn code() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let is_code = |it: &&str| {
        it.contains("/src/") && !it.contains("/tests") && !it.starts_with("crates/testkit")
    };
    let files = listed.lines().filter(is_code);
    let read = |it: &str| Some((it.to_owned(), fs::read_to_string(root().join(it)).ok()?));
    files
        .filter_map(read)
        .map(|(file, text)| (file, text.split("#[cfg(test)]").next().unwrap_or("").to_owned()))
        .collect()
}

/// `read()` and `begin()` are the platform's; operations have a caller, and name the caller's tenant.
/// threat: T-TENANT-READ
#[test]
fn what_answers_a_request_names_its_tenant() {
    let mut known: BTreeSet<&str> = ACROSS.iter().map(|it| it.0).collect();
    let mut found = Vec::new();
    for (file, text) in code() {
        if !file.contains("/src/app/") && !file.contains("/src/api/") {
            continue;
        }
        let across = text.lines().filter(|it| {
            it.contains("db().read()") || it.contains("db().begin()") || it.contains("db.read()")
        });
        let across: Vec<_> = across.map(|it| format!("{file}: {}", it.trim())).collect();
        if !across.is_empty() && !known.remove(file.as_str()) {
            found.extend(across);
        }
    }
    assert_eq!(found, Vec::<String>::new(), "use read_as(ctx.tenant()), or say in ACROSS why not");
    assert_eq!(known, BTreeSet::new(), "ACROSS names files that need not be there");
}

/// How long `==` takes tells how much of a secret was right: hash what is compared, or use `constant_time` of aws-lc-rs.
/// threat: T-TIMING
#[test]
fn no_secret_is_compared_byte_by_byte() {
    let secret = [
        "secret",
        "signature",
        "password",
        "passcode",
        "hmac",
        "mac_",
        "_mac",
        "verifier_hash",
        "client_hash",
    ];
    let mut found = Vec::new();
    for (file, text) in code() {
        for line in text.lines().map(str::trim).filter(|it| !it.starts_with("//")) {
            let compared = line.contains("==") || line.contains("!=") || line.contains(".eq(");
            let lower = line.to_lowercase();
            let counted = lower.contains(".len()") || lower.contains("is_empty");
            if compared && !counted && secret.iter().any(|it| lower.contains(it)) {
                found.push(format!("{file}: {line}"));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new(), "secrets are compared in constant time");
}
