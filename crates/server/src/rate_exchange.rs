//! Replicas over one PostgreSQL tell each other what callers spent, so that two servers are not two limits.

use std::{collections::HashMap, sync::Arc, time::Duration};

use plimsoll_core::Result;
use plimsoll_store::{
    Dialect, Scope, SystemReason,
    rate::{self, Spent},
};
use tokio_util::sync::CancellationToken;

use crate::state::Server;

/// Between two exchanges.
const EACH: Duration = Duration::from_millis(250);
/// Exchanges between two looks for buckets that are full again.
const FORGET: u32 = 240;

/// Exchanges until told to stop. One process alone has nobody to tell.
pub(crate) async fn run(server: Arc<Server>, stop: CancellationToken) {
    if server.app.store.dialect() == Dialect::Sqlite {
        return;
    }
    let mut turn: u32 = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => {}
        }
        turn = turn.wrapping_add(1);
        if let Err(error) = exchange(&server, turn.is_multiple_of(FORGET)).await {
            tracing::warn!(error = ?error, "what was spent could not be told to other replicas; each limits by itself");
        }
    }
}

async fn exchange(server: &Server, forget: bool) -> Result<()> {
    let untold = server.limiter.untold();
    if untold.is_empty() && !forget {
        return Ok(());
    }
    let spent: Vec<Spent> = untold.iter().map(|(payer, cost)| Spent { payer: payer.shared(), cost: *cost }).collect();
    let answer = server.app.store.write(Scope::System(SystemReason::RateLimits), "rate_exchange", move |tx| {
        if forget {
            rate::forget(tx)?;
        }
        rate::exchange(tx, &spent)
    });
    match answer.await {
        Ok(debts) => {
            let (debts, now): (HashMap<_, _>, _) = (debts.into_iter().collect(), server.app.context.now());
            for (payer, _) in &untold {
                if let Some(debt) = debts.get(&payer.shared()) {
                    server.limiter.heard(payer, *debt, now);
                }
            }
            Ok(())
        }
        Err(error) => {
            for (payer, cost) in &untold {
                server.limiter.keep(payer, *cost);
            }
            Err(error)
        }
    }
}
