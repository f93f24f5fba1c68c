//! Commands that count or sum rows, with two transactions at once: the lock comes before the decision.

use std::sync::{Arc, Barrier};

use plimsoll_core::id::PromotionId;
use plimsoll_store::{Dialect, Lock, params, resource};

use crate::{both::World, on_both};

on_both! {
    the_last_two_approvals_start_it_once => the_last_two_approvals_start_it_once;
}

/// Two approvers at the same instant: each counts the approvals and starts the deployment when it is the
/// second. Components stand for approvals here; the promotion is the lock.
async fn the_last_two_approvals_start_it_once(world: World) {
    for round in 0..20 {
        let promotion: PromotionId = world.context.id();
        let barrier = Arc::new(Barrier::new(2));
        let approve = |name: String| {
            let (component, barrier) = (world.component(&name), Arc::clone(&barrier));
            let waits = world.store.dialect() == Dialect::Postgres;
            world.store.write(world.scope(), "approve", move |tx| {
                if waits {
                    // Both transactions are open before either takes the lock.
                    barrier.wait();
                }
                tx.lock(&Lock::Promotion(promotion))?;
                resource::insert(tx, &component)?;
                let tenant = tx.tenant()?;
                let given = tx
                    .query_one(
                        "SELECT count(*) FROM component WHERE tenant_id = $1 AND name LIKE $2",
                        params![tenant, format!("r{round}-%")],
                    )?
                    .first::<i64>()?;
                Ok(given == 2)
            })
        };
        let (one, two) = tokio::join!(approve(format!("r{round}-a")), approve(format!("r{round}-b")));
        let started = usize::from(one.unwrap()) + usize::from(two.unwrap());
        assert_eq!(started, 1, "round {round}");
    }
}
