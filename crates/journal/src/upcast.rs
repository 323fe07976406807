//! Reading events of old types as the types of today.

use std::{borrow::Cow, collections::BTreeMap};

use rpc::Result;

use crate::{
    Recorded,
    kind::{event_type, event_types},
};

/// One step from a type that is no longer written to the one that took its place. Pure: bytes to bytes.
///
/// The log keeps what it has; a step is taken each time an event is read.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// Full name of the old message.
    pub from: &'static str,
    /// Full name of the message it becomes, which may itself be an old one.
    pub into: &'static str,
    pub change: fn(&[u8]) -> Result<Vec<u8>>,
}

/// A service's steps, of its own events and of those it follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upcasts(BTreeMap<&'static str, Upcast>);

impl Upcasts {
    /// Refuses steps that fork, run in a circle, or lead to a type that is no event of the contract.
    pub(crate) fn check(steps: &'static [Upcast]) -> Result<Self, String> {
        let mut chains = BTreeMap::new();
        for step in steps {
            if chains.insert(step.from, *step).is_some() {
                return Err(format!("two upcasts begin at {}", step.from));
            }
        }
        for step in steps {
            let mut end = step;
            let mut length = 0;
            while let Some(next) = chains.get(end.into) {
                end = next;
                length += 1;
                if length > chains.len() {
                    return Err(format!("the upcasts from {} run in a circle", step.from));
                }
            }
            if !event_types().contains_key(end.into) {
                return Err(format!(
                    "the upcast from {} leads to no event: {}",
                    end.from, end.into
                ));
            }
        }
        Ok(Self(chains))
    }

    /// Whether events of that type can be read.
    pub(crate) fn know(&self, kind: &str) -> bool {
        self.0.contains_key(kind) || event_types().contains_key(kind)
    }

    /// The events as types of today. One of a type that nobody knows is an error: passing it over would lose it.
    pub(crate) fn current<'e>(&self, events: &'e [Recorded]) -> Result<Cow<'e, [Recorded]>> {
        if events.iter().all(|it| !self.0.contains_key(it.kind.as_str())) {
            events.iter().try_for_each(|it| event_type(&it.kind).map(drop))?;
            return Ok(Cow::Borrowed(events));
        }
        let mut current = events.to_vec();
        for event in &mut current {
            while let Some(step) = self.0.get(event.kind.as_str()) {
                event.data = (step.change)(&event.data)?;
                step.into.clone_into(&mut event.kind);
            }
            event_type(&event.kind)?;
        }
        Ok(Cow::Owned(current))
    }
}
