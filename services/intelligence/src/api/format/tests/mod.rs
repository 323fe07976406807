//! Every layout on what systems and the Department for Education really write.

mod broken;
mod bundles;
mod own;
mod published;

use std::{collections::BTreeSet, sync::Arc};

use chrono::DateTime;
use identity::{SchoolId, TrustId};
use uuid::Uuid;

use super::{Options, read};
use crate::domain::{
    Body, Content, Feed, FeedId, Format, Kind, Part, Read, ReportedObservation, School, Schools,
};

/// Options of a feed for schools of these numbers.
fn options(numbers: &[&str]) -> Options {
    let id = |index: usize| SchoolId(Uuid::from_u128(index as u128 + 1));
    let schools = numbers.iter().enumerate().map(|(index, urn)| School {
        school_id: id(index),
        trust_id: TrustId(Uuid::nil()),
        urn: (*urn).to_owned(),
        name: String::new(),
        left_on: None,
        successor_urn: None,
    });
    let names = numbers.iter().enumerate().map(|(index, urn)| ((*urn).to_owned(), id(index)));
    let schools = Schools::new(schools.collect::<Vec<_>>(), names.collect::<Vec<_>>());
    let feed = Feed {
        feed_id: FeedId(Uuid::nil()),
        trust_id: TrustId(Uuid::nil()),
        name: String::new(),
        client_id: String::new(),
        kinds: BTreeSet::new(),
        school_ids: BTreeSet::new(),
        version: 1,
        created_at: DateTime::UNIX_EPOCH,
    };
    Options {
        today: "2026-11-20".parse().unwrap(),
        kind: None,
        mapping: None,
        period: None,
        layout: None,
        feed: Arc::new(feed),
        schools: Arc::new(schools),
    }
}

fn part(bytes: &[u8]) -> Part {
    Part { format: Format::Csv, first_line: 2, records: 1, bytes: bytes.to_vec() }
}

/// What a file comes to, or what is wrong with all of it.
fn csv(options: &Options, bytes: impl AsRef<[u8]>) -> Result<Read, String> {
    read(options, &part(bytes.as_ref())).map_err(|error| error.detail.into_owned())
}

/// A line, its kind, or what is wrong where.
type Told = (u32, Result<Kind, Vec<(String, String)>>);

/// What lines come to, for a table of expectations.
fn told(read: &Read) -> Vec<Told> {
    let each = read.records.iter().map(|it| {
        let problem = |it: &rpc::Problem| (it.pointer.clone(), it.fault.detail.to_string());
        let body = it.body.as_ref().map(Body::kind);
        (it.line, body.map_err(|problems| problems.iter().map(problem).collect()))
    });
    each.collect()
}

fn observations(read: &Read) -> Vec<(&str, &ReportedObservation)> {
    let each = read.records.iter().map(|it| match &it.body {
        Ok(Body::Fact { fact, .. }) => match &fact.content {
            Some(Content::Observation(observation)) => (it.external_id.as_str(), observation),
            other => panic!("{other:?}"),
        },
        other => panic!("{}: {other:?}", it.external_id),
    });
    each.collect()
}
