//! Things whose events decide their state, loaded for a whole group of commands at once.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    hash::Hash,
};

use db::Tx;
use futures::future::BoxFuture;
use rpc::Result;

use crate::Draft;

/// A thing that commands are decided on, by itself and without the database.
pub trait Aggregate: Send + Sync + Sized + 'static {
    type Id: Copy + Eq + Hash + Send + Sync + 'static;

    /// Those of the ids that exist. Called under the log's lock: what it reads stays true until the commit.
    fn load<'t>(
        tx: &'t mut Tx,
        ids: &'t [Self::Id],
    ) -> BoxFuture<'t, Result<HashMap<Self::Id, Self>>>;
}

/// What was decided: the events, the thing as they leave it, and what to answer.
#[derive(Debug)]
pub struct Decision<A, T> {
    pub drafts: Vec<Draft>,
    pub state: A,
    pub answer: T,
}

/// The aggregates a run of commands is decided on, of whatever kinds.
#[derive(Default)]
pub(crate) struct Loads(HashMap<TypeId, Box<dyn Load>>);

impl Loads {
    pub(crate) fn of<A: Aggregate>(&mut self) -> Option<&mut Loaded<A>> {
        let loaded = self
            .0
            .entry(TypeId::of::<A>())
            .or_insert_with(|| Box::new(Loaded::<A> { wanted: Vec::new(), found: HashMap::new() }));
        (loaded.as_mut() as &mut dyn Any).downcast_mut()
    }

    pub(crate) async fn load(&mut self, tx: &mut Tx) -> Result<()> {
        for loaded in self.0.values_mut() {
            loaded.load(tx).await?;
        }
        Ok(())
    }
}

pub(crate) struct Loaded<A: Aggregate> {
    pub(crate) wanted: Vec<A::Id>,
    pub(crate) found: HashMap<A::Id, A>,
}

trait Load: Any + Send {
    fn load<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<()>>;
}

impl<A: Aggregate> Load for Loaded<A> {
    fn load<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            self.found = A::load(tx, &self.wanted).await?;
            Ok(())
        })
    }
}
