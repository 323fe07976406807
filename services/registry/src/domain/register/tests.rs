use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::domain::establishment::{EducationPhase, Establishment};

const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn urn(text: &str) -> Urn {
    Urn::parse(text).unwrap()
}

fn group(uid: &str) -> GroupUid {
    GroupUid::parse(uid).unwrap()
}

fn trust(number: u128, uid: Option<&str>) -> Trust {
    Trust {
        trust_id: TrustId(Uuid::from_u128(number)),
        name: format!("Trust {number}"),
        group_uid: uid.map(group),
        ukprn: None,
        companies_house_number: None,
        version: 1,
        created_at: DateTime::<Utc>::MIN_UTC,
    }
}

/// An open establishment in a group, since a date.
fn open(number: &str, uid: Option<&str>, opened: Option<&str>) -> Registered {
    Registered {
        establishment: Establishment {
            urn: urn(number),
            name: format!("School {number}"),
            status: EstablishmentStatus::Open,
            phase: EducationPhase::Primary,
            kind: "Academy converter".to_owned(),
            la_code: None,
            la_name: None,
            laestab: None,
            ukprn: None,
            trust_stated: true,
            trust_group_uid: uid.map(group),
            trust_name: None,
            opened_on: opened.map(day),
            closed_on: None,
            lowest_age: None,
            highest_age: None,
            capacity: None,
            pupils: None,
            easting: None,
            northing: None,
            postcode: None,
            region: None,
        },
        group_uid: uid.map(group),
        group_name: None,
        joined_on: None,
    }
}

fn closed(number: &str, on: &str) -> Registered {
    let mut entry = open(number, None, None);
    entry.establishment.status = EstablishmentStatus::Closed;
    entry.establishment.closed_on = Some(day(on));
    entry
}

/// The trusts here and their schools, looked at again with each register that arrives.
struct World {
    trusts: Vec<Trust>,
    schools: Vec<School>,
    previous: Vec<(SchoolId, Urn)>,
    in_use: HashSet<SchoolId>,
    ids: u128,
}

impl World {
    fn new(trusts: &[Trust]) -> Self {
        let trusts = trusts.to_vec();
        Self { trusts, schools: Vec::new(), previous: Vec::new(), in_use: HashSet::new(), ids: 0 }
    }

    /// Gives the lines of the report.
    fn learn(&mut self, entries: &[Registered], links: &[(&str, &str)]) -> Vec<String> {
        let mut register = Register { in_use: self.in_use.clone(), ..Register::default() };
        register.in_use.extend(self.previous.iter().map(|it| it.0));
        for it in entries {
            register.entries.insert(it.establishment.urn.clone(), it.clone());
        }
        for (before, after) in links {
            register.successors.entry(urn(before)).or_default().push(urn(after));
        }
        let ids = &mut self.ids;
        let new_id = || {
            *ids += 1;
            SchoolId(Uuid::from_u128(*ids))
        };
        let steps = reconcile(&self.trusts, self.schools.clone(), &register, TODAY, new_id);
        for step in &steps {
            self.take(step);
        }
        steps
            .iter()
            .filter_map(Step::report)
            .map(|it| {
                let from = it.previous_urn.map(|it| format!(" from {it}")).unwrap_or_default();
                format!("{} {}{from}", it.change, it.urn)
            })
            .collect()
    }

    /// As the projection does.
    fn take(&mut self, step: &Step) {
        if step.change.ends_double() {
            return self.schools.retain(|it| it.school_id != step.school_id);
        }
        if let (Change::Joined { details }, None) =
            (&step.change, self.schools.iter().find(|it| it.school_id == step.school_id))
        {
            self.schools.push(School {
                school_id: step.school_id,
                trust_id: step.trust_id,
                details: details.clone(),
                joined_on: step.effective_on.unwrap(),
                left_on: None,
                merged_into_urn: None,
                version: 0,
            });
        }
        let school = self.schools.iter_mut().find(|it| it.school_id == step.school_id).unwrap();
        assert_eq!(step.version, school.version + 1, "{step:?}");
        if let Change::Converted { previous_urn, .. } = &step.change {
            self.previous.push((school.school_id, previous_urn.clone()));
        }
        school.take(&step.change, step.effective_on);
        school.version = step.version;
    }

    /// What a trust would be told, whatever ids and versions the way there gave.
    fn told(&self) -> Vec<String> {
        let mut told: Vec<_> = self
            .schools
            .iter()
            .map(|it| {
                let before: Vec<_> = self
                    .previous
                    .iter()
                    .filter(|(id, _)| *id == it.school_id)
                    .map(|(_, urn)| urn.to_string())
                    .collect();
                format!(
                    "{} {} {:?} joined {} left {:?} into {:?} before {before:?}",
                    it.trust_id,
                    it.urn(),
                    it.details.status,
                    it.joined_on,
                    it.left_on,
                    it.merged_into_urn
                )
            })
            .collect();
        told.sort();
        told
    }
}

#[test]
fn open_establishments_of_its_group_join_a_trust() {
    let mut world = World::new(&[trust(1, Some("10")), trust(2, None)]);
    let mut member = open("100003", Some("10"), Some("2015-09-01"));
    let entries = [
        open("100001", Some("10"), Some("2016-09-01")),
        open("100002", Some("11"), None),
        member.clone(),
        closed("100004", "2020-08-31"),
    ];
    assert_eq!(world.learn(&entries, &[]), ["joined 100001", "joined 100003"]);
    assert_eq!(world.learn(&entries, &[]), [""; 0], "nothing new");
    member.joined_on = Some(day("2018-01-01"));
    assert_eq!(world.learn(&[member], &[]), ["joined 100003"]);
    let joined: Vec<_> = world.schools.iter().map(|it| it.joined_on.to_string()).collect();
    assert_eq!(joined, ["2016-09-01", "2018-01-01"]);
}

#[test]
fn a_school_is_updated_and_leaves_for_another_trust() {
    let mut world = World::new(&[trust(1, Some("10")), trust(2, Some("11"))]);
    world.learn(&[open("100001", Some("10"), None)], &[]);
    let mut entry = open("100001", Some("10"), None);
    entry.establishment.pupils = Some(200);
    assert_eq!(world.learn(&[entry], &[]), ["updated 100001"]);
    let moved = [open("100001", Some("11"), None)];
    assert_eq!(world.learn(&moved, &[]), ["left 100001", "joined 100001"]);
    assert_eq!(world.learn(&moved, &[]), [""; 0]);
    let back = [open("100001", Some("10"), None)];
    assert_eq!(world.learn(&back, &[]), ["left 100001", "joined 100001"]);
    assert_eq!(world.schools.len(), 2, "it came back as the school it was");
}

#[test]
fn a_closed_school_converts_merges_or_leaves() {
    #[track_caller]
    fn check(after: &[Registered], links: &[(&str, &str)], expected: &[&str]) {
        let mut world = World::new(&[trust(1, Some("10")), trust(2, Some("12"))]);
        let other = open("100002", Some("10"), Some("2000-09-01"));
        world.learn(&[open("100001", Some("10"), None), other.clone()], &[]);
        world.in_use.extend(world.schools.iter().map(|it| it.school_id));
        let mut entries = vec![closed("100001", "2026-08-31"), other];
        entries.extend_from_slice(after);
        assert_eq!(world.learn(&entries, links), expected);
        assert_eq!(world.learn(&entries, links), [""; 0], "settled at once");
    }
    let opened = Some("2026-09-01");
    check(&[], &[], &["closed 100001"]);
    check(&[], &[("100001", "100002")], &["merged 100002 from 100001"]);
    let link = [("100001", "100003")];
    check(&[open("100003", Some("10"), opened)], &link, &["converted 100003 from 100001"]);
    check(&[open("100003", None, opened)], &link, &["converted 100003 from 100001"]);
    check(&[open("100003", Some("11"), opened)], &link, &["left 100001"]);
    check(&[open("100003", Some("12"), opened)], &link, &["left 100001", "joined 100003"]);
    check(&[closed("100003", "2026-10-31")], &link, &["closed 100001"]);
    let through = [("100001", "100003"), ("100003", "100004"), ("100004", "100003")];
    check(
        &[closed("100003", "2026-10-31"), open("100004", Some("10"), Some("2026-11-01"))],
        &through,
        &["converted 100004 from 100001"],
    );
}

#[test]
fn two_schools_amalgamated_into_a_new_one() {
    let mut world = World::new(&[trust(1, Some("10"))]);
    world.learn(&[open("100001", Some("10"), None), open("100002", Some("10"), None)], &[]);
    let entries = [
        closed("100001", "2026-08-31"),
        closed("100002", "2026-08-31"),
        open("100003", Some("10"), Some("2026-09-01")),
    ];
    let links = [("100001", "100003"), ("100002", "100003")];
    assert_eq!(
        world.learn(&entries, &links),
        ["converted 100003 from 100001", "merged 100003 from 100002"]
    );
}

#[test]
fn the_order_of_files_does_not_matter() {
    let before = [
        open("100001", Some("10"), None),
        open("100002", Some("10"), None),
        open("100003", Some("10"), Some("2001-09-01")),
    ];
    let after = [
        closed("100001", "2026-08-31"),
        closed("100002", "2026-08-31"),
        open("100003", Some("10"), Some("2001-09-01")),
        open("100004", Some("10"), Some("2026-09-01")),
    ];
    for links in [
        vec![("100001", "100004"), ("100002", "100003")],
        vec![("100001", "100004"), ("100002", "100004")],
        vec![("100001", "100003"), ("100002", "100003")],
    ] {
        let mut links_first = World::new(&[trust(1, Some("10"))]);
        links_first.learn(&before, &[]);
        links_first.learn(&before, &links);
        links_first.learn(&after, &links);
        let mut links_last = World::new(&[trust(1, Some("10"))]);
        links_last.learn(&before, &[]);
        links_last.learn(&after, &[]);
        links_last.learn(&after, &links);
        assert_eq!(links_first.told(), links_last.told(), "{links:?}");
        let ids = |world: &World| world.schools.iter().map(|it| it.school_id).min();
        assert_eq!(ids(&links_first), ids(&links_last), "the school goes on as itself");
        assert_eq!(links_last.learn(&after, &links), [""; 0]);
    }
}

#[test]
fn an_entry_that_people_count_on_is_not_taken_away() {
    let mut world = World::new(&[trust(1, Some("10"))]);
    world.learn(&[open("100001", Some("10"), None)], &[]);
    let entries = [closed("100001", "2026-08-31"), open("100004", Some("10"), Some("2026-09-01"))];
    assert_eq!(world.learn(&entries, &[]), ["closed 100001", "joined 100004"]);
    let new = world.schools.iter().find(|it| it.is_here()).unwrap().school_id;
    world.in_use.insert(new);
    assert_eq!(world.learn(&entries, &[("100001", "100004")]), ["merged 100004 from 100001"]);
}
