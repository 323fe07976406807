//! What we build upon: licences, banned crates and sources by deny.toml, also where cargo-deny is not installed; and whether
//! known vulnerabilities would be found.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::{
    demonstration::python,
    running::{folder, root},
};

fn deny() -> toml::Table {
    toml::from_str(&fs::read_to_string(root().join("deny.toml")).unwrap()).unwrap()
}

/// Name, source and licence of each package that is built on this machine: those of other platforms are not even here.
fn packages() -> BTreeSet<(String, String, String)> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "--locked", "--edges", "normal,build,dev"])
        .args(["--prefix", "none", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let package = |line: &str| {
        let (package, licence) = line.split_once('|')?;
        let (name, rest) = package.split_once(' ')?;
        // `v1.2.3`, followed by where it is from unless that is crates.io.
        let place = rest.replace("(proc-macro)", "");
        let place = place.split_once('(').map_or("", |it| it.1.trim_end().trim_end_matches(')'));
        Some((name.to_owned(), place.to_owned(), licence.trim_end_matches(" (*)").to_owned()))
    };
    listed.lines().filter_map(package).collect()
}

/// Whether an SPDX expression can be met with what is allowed.
fn takes(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "{expression}");
    met
}

fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut met = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed);
    }
    met
}

fn both(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut met = single(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= single(words, at, allowed);
    }
    met
}

fn single(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let word = words[*at];
    *at += 1;
    if word == "(" {
        let met = either(words, at, allowed);
        *at += 1;
        return met;
    }
    if words.get(*at) == Some(&"WITH") {
        let with = format!("{word} WITH {}", words[*at + 1]);
        *at += 2;
        return allowed.contains(with.as_str());
    }
    allowed.contains(word)
}

#[test]
fn licences_are_read_as_they_are_written() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0 OR (MIT AND ISC)", true),
        ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(takes(expression, &allowed), met, "{expression}");
    }
}

/// threat: T-VULNERABLE-CRATE
#[test]
fn every_crate_has_a_licence_we_take_and_none_is_banned() {
    let deny = deny();
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    let allowed: BTreeSet<&str> = allowed.iter().map(|it| it.as_str().unwrap()).collect();
    let banned = deny["bans"]["deny"].as_array().unwrap();
    let banned: BTreeSet<&str> = banned.iter().map(|it| it["crate"].as_str().unwrap()).collect();
    let packages = packages();
    assert!(packages.len() > 200, "the packages are found");
    let mut wrong = Vec::new();
    for (name, place, licence) in &packages {
        if Path::new(place).starts_with(root()) {
            continue;
        }
        if !place.is_empty() {
            wrong.push(format!("{name} is from {place}"));
        }
        if banned.contains(name.as_str()) {
            wrong.push(format!("{name} is banned by deny.toml"));
        }
        if licence.is_empty() || !takes(licence, &allowed) {
            wrong.push(format!("{name}: licence {licence:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A database with one advisory, against a lock file that has its crate and one that has it mended.
/// threat: T-VULNERABLE-CRATE
#[test]
fn a_crate_with_a_known_vulnerability_is_found() {
    let database = folder();
    let place = database.path().join("crates/leaky");
    fs::create_dir_all(&place).unwrap();
    let advisory = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"leaky\"\n\
                    [versions]\npatched = [\">= 1.2.3, < 2.0.0\", \"^2.0.5\"]\nunaffected = [\"< 0.4\"]\n```\n";
    fs::write(place.join("RUSTSEC-2026-0001.md"), advisory).unwrap();
    for (version, found) in [
        ("0.3.9", false),
        ("0.4.0", true),
        ("1.2.3-rc.1", true),
        ("1.2.3", false),
        ("1.10.0", false),
        ("2.0.4", true),
        ("2.0.5", false),
        ("3.0.0", true),
    ] {
        let lock = database.path().join("Cargo.lock");
        fs::write(&lock, format!("[[package]]\nname = \"leaky\"\nversion = \"{version}\"\n"))
            .unwrap();
        let output = Command::new(python())
            .arg(root().join("tests/outside/advisories.py"))
            .arg("--db")
            .arg(database.path())
            .arg("--lock")
            .arg(&lock)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), !found, "{version}: {said}");
        assert_eq!(said.contains("RUSTSEC-2026-0001"), found, "{version}: {said}");
    }
}
