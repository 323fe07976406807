use contract::intelligence as pb;
use db::Tx;
use futures::future::BoxFuture;
use identity::{SchoolId, TrustId};
use journal::{Handler, Recorded};
use rpc::{Ctx, Error, Result};

use super::told;
use crate::{
    domain::{MeasureCode, SignalId},
    store::signal::{self, Signal, SignalState},
};

/// Learns the signals raised for schools from the intelligence service.
#[derive(Clone, Copy, Debug)]
pub struct Signals;

impl Handler for Signals {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        _ctx: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(learn(tx, event))
    }
}

async fn learn(tx: &mut Tx, event: &Recorded) -> Result<()> {
    if let Some(it) = event.decode::<pb::SignalRaised>()? {
        let signal = Signal {
            signal_id: told(SignalId::parse(&it.signal_id))?,
            trust_id: TrustId(event.trust_id),
            school_id: told(SchoolId::parse(&it.school_id))?,
            measure: told(MeasureCode::parse(&it.measure))?,
            value: it.value,
            centre: it.centre,
            state: SignalState::Raised,
        };
        return signal::put(tx, &signal).await;
    }
    if let Some(it) = event.decode::<pb::SignalMoved>()? {
        let state = match it.to() {
            pb::SignalState::Raised => SignalState::Raised,
            pb::SignalState::Acknowledged => SignalState::Acknowledged,
            pb::SignalState::Actioned => SignalState::Actioned,
            pb::SignalState::Dismissed => SignalState::Dismissed,
            pb::SignalState::Unspecified => {
                return Err(Error::internal("a signal moved to no state"));
            }
        };
        let signal_id = told(SignalId::parse(&it.signal_id))?;
        return signal::set_state(tx, signal_id, state).await;
    }
    Ok(())
}
