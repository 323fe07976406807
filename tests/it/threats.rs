//! The list of threats and the tests that meet them, held against each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use crate::running::root;

const PLACE: &str = "docs/threats.md";

/// By threat, the tests that its row names.
fn listed() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join(PLACE)).unwrap();
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|it| it.starts_with("| T-")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let tests =
            cells[cells.len() - 2].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let known = listed.insert(cells[1].to_owned(), tests);
        assert!(known.is_none(), "{} is there twice", cells[1]);
    }
    assert!(listed.len() > 30, "the list is read");
    listed
}

/// By test, the threats that the comment above it names; `threat: T-ONE, T-TWO` on a line of its own.
fn tagged() -> BTreeMap<String, BTreeSet<String>> {
    let files = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    // Written apart, so that this file names no threat itself.
    let tag = ["/// threat", ": "].concat();
    let mut tagged: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in String::from_utf8(files.stdout).unwrap().lines() {
        let Ok(text) = fs::read_to_string(root().join(file)) else { continue };
        let mut threats = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            if let Some((_, named)) = line.split_once(tag.as_str()) {
                threats.extend(named.split(',').map(|it| it.trim().to_owned()));
            } else if let Some((_, after)) = line.split_once("fn ")
                && !threats.is_empty()
            {
                let name = after.split(['(', '<']).next().unwrap_or_default().to_owned();
                tagged.entry(name).or_default().append(&mut threats);
            }
        }
        assert!(threats.is_empty(), "{file}: a threat is named above no test: {threats:?}");
    }
    tagged
}

/// A threat without a test fails here, and so do a test that is not there and a tag that nobody lists.
#[test]
fn every_threat_has_its_tests_and_every_test_its_threats() {
    let (listed, tagged) = (listed(), tagged());
    let mut wrong = Vec::new();
    for (threat, tests) in &listed {
        if tests.is_empty() {
            wrong.push(format!("{threat} has no test"));
        }
        for test in tests {
            match tagged.get(test) {
                None => wrong.push(format!("{threat}: no test {test} is tagged with it")),
                Some(threats) if !threats.contains(threat) => {
                    wrong.push(format!("{threat}: the test {test} does not name it"));
                }
                Some(_) => {}
            }
        }
    }
    for (test, threats) in &tagged {
        for threat in threats {
            if !listed.get(threat).is_some_and(|it| it.contains(test)) {
                wrong.push(format!("{test} names {threat}, which {PLACE} does not say"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
