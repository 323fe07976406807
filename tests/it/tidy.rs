//! Rules of the house that no reviewer should have to watch over.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use crate::running::root;

const LONGEST: usize = 400;

/// Files under version control, or about to be.
fn files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let files: Vec<_> =
        listed.lines().map(PathBuf::from).filter(|it| root().join(it).is_file()).collect();
    assert!(files.len() > 50, "git lists the files");
    files
}

fn of(ending: &str) -> Vec<(PathBuf, String)> {
    files()
        .into_iter()
        .filter(|it| it.extension().is_some_and(|it| it == ending))
        .map(|it| (it.clone(), fs::read_to_string(root().join(&it)).unwrap()))
        .collect()
}

/// Lines of code outside tests: what follows `#[cfg(test)]` in a file is a test.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[track_caller]
fn nowhere(rule: &str, found: &[String]) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

#[test]
fn every_file_fits_in_one_reading() {
    let long: Vec<_> = of("rs")
        .into_iter()
        .chain(of("proto"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    nowhere("files are at most 400 lines", &long);
}

#[test]
fn each_layer_keeps_to_its_own() {
    let mut found = Vec::new();
    for (path, text) in of("rs") {
        let place = path.display().to_string();
        let Some(rest) = place.strip_prefix("services/") else { continue };
        if rest.contains("/tests/") || rest.starts_with("headway/") {
            continue;
        }
        let text = code(&text);
        let mut forbid = |layer: &str, what: &[&str]| {
            for word in what.iter().filter(|it| text.contains(**it)) {
                found.push(format!("{place}: {word} belongs in {layer}"));
            }
        };
        if !rest.contains("/store") {
            forbid("store", &["sqlx::query", "INSERT INTO", "SELECT "]);
        }
        if !rest.contains("/app") {
            forbid("app", &[".begin().await", ".commit().await", ".write(ctx", ".write(&ctx"]);
        }
        if rest.contains("/domain/") {
            forbid(
                "another layer: the domain does no I/O",
                &["async fn", "contract::", "rpc::now", "tokio::"],
            );
        }
    }
    nowhere("layers", &found);
}

#[test]
fn no_service_depends_on_another() {
    let services = ["registry", "intelligence", "improvement"];
    let mut found = Vec::new();
    for service in services {
        let manifest =
            fs::read_to_string(root().join(format!("services/{service}/Cargo.toml"))).unwrap();
        let others = services.iter().filter(|it| manifest.contains(&format!("\n{it}.workspace")));
        found.extend(others.map(|it| format!("{service} depends on {it}")));
    }
    nowhere("services learn of each other through contracts", &found);
}

#[test]
fn nothing_is_put_off_and_nothing_is_narrated() {
    // Written apart, so that this file does not accuse itself.
    let banned = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["for ", "now"],
        ["in a real ", "system"],
        ["place", "holder"],
    ];
    let banned = banned.map(|it| it.concat());
    let mut found = Vec::new();
    for (path, text) in of("rs").into_iter().chain(of("proto")).chain(of("sql")).chain(of("md")) {
        for (number, line) in text.lines().enumerate() {
            if banned.iter().any(|it| line.contains(it.as_str())) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    nowhere("banned phrases", &found);
}

#[test]
fn the_clock_and_the_environment_enter_in_one_place() {
    let homes = ["crates/rpc/src/ctx.rs", "crates/testkit/", "tests/", "/build.rs"];
    let mut found = Vec::new();
    for (path, text) in of("rs") {
        let place = path.display().to_string();
        if homes.iter().any(|it| place.contains(it)) {
            continue;
        }
        for word in ["Utc::now(", "SystemTime::now(", "Uuid::now_v7(", "Uuid::new_v4(", "env::var("]
        {
            if text.contains(word) {
                found.push(format!("{place}: {word}"));
            }
        }
    }
    nowhere("clock, ids and environment", &found);
}

#[test]
fn migrations_have_the_same_names_in_both_dialects() {
    let of_dialect = |dialect: &str| -> Vec<String> {
        let mut names: Vec<_> = files()
            .iter()
            .map(|it| it.display().to_string())
            .filter(|it| it.contains(&format!("migrations/{dialect}/")))
            .map(|it| it.replace(dialect, "…"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(of_dialect("sqlite"), of_dialect("postgres"));
    assert!(!of_dialect("sqlite").is_empty());
}

/// `PostgreSQL` knows an advisory lock by its number alone: who takes another's waits for something unrelated.
#[test]
fn no_two_crates_take_one_advisory_lock() {
    let mut homes: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for (path, text) in of("rs").into_iter().chain(of("sql")) {
        if path.components().any(|it| it.as_os_str() == "tests") {
            continue;
        }
        // Written apart, so that this file is not among them.
        for after in text.split(&["advisory", "_"].concat()).skip(1) {
            let call = after.split_once('(').filter(|it| it.0.ends_with("lock"));
            let number = call.map(|it| it.1.split([',', ')']).next().unwrap().trim());
            if let Some(number) = number.filter(|it| it.parse::<i64>().is_ok()) {
                let home = path.iter().take(2).collect();
                homes.entry(number.to_owned()).or_default().insert(home);
            }
        }
    }
    assert!(!homes.is_empty(), "the numbers are found");
    let shared: Vec<_> = homes
        .into_iter()
        .filter(|it| it.1.len() > 1)
        .map(|it| format!("{}: {:?}", it.0, it.1))
        .collect();
    nowhere("each advisory lock is one crate's", &shared);
}
