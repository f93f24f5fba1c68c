//! Claiming work: each piece to one claimant, by lease, with a fence.

use std::collections::BTreeSet;

use plimsoll_store::{Scope, SystemReason, work};

use crate::{both::World, on_both};

on_both! {
    concurrent_claims_share_nothing => concurrent_claims_share_nothing;
    a_lost_lease_is_fenced => a_lost_lease_is_fenced;
    what_is_given_back_is_free_at_once => what_is_given_back_is_free_at_once;
}

const SYSTEM: Scope = Scope::System(SystemReason::Claim);

async fn concurrent_claims_share_nothing(world: World) {
    let now = world.now();
    for number in 0..278 {
        let subject = format!("job-{number:03}");
        world.store.write(world.scope(), "enqueue", move |tx| work::enqueue(tx, "job", &subject, now)).await.unwrap();
    }
    let claimants = (0..8).map(|number| {
        let store = world.store.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let owner = format!("worker-{number}");
                let batch = store
                    .write(SYSTEM, "claim", move |tx| work::claim(tx, "job", &owner, now.plus_seconds(1), 60, 10))
                    .await
                    .unwrap();
                if batch.is_empty() {
                    return mine;
                }
                mine.extend(batch.into_iter().map(|one| one.subject));
            }
        })
    });
    let mut all = Vec::new();
    for claimant in claimants.collect::<Vec<_>>() {
        all.extend(claimant.await.unwrap());
    }
    assert_eq!(all.len(), 278, "nothing is delivered twice");
    assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 278, "nothing is left out");
}

async fn a_lost_lease_is_fenced(world: World) {
    let now = world.now();
    world.store.write(world.scope(), "enqueue", move |tx| work::enqueue(tx, "job", "x", now)).await.unwrap();
    let claim = |owner: &'static str, at| {
        world.store.write(SYSTEM, "claim", move |tx| work::claim(tx, "job", owner, at, 10, 1))
    };
    let first = claim("a", now).await.unwrap().remove(0);
    assert!(claim("b", now.plus_seconds(9)).await.unwrap().is_empty(), "the lease still lives");
    let second = claim("b", now.plus_seconds(10)).await.unwrap().remove(0);
    assert!(second.epoch > first.epoch);
    let finish = |epoch| world.store.write(world.scope(), "finish", move |tx| work::finish(tx, "job", "x", epoch));
    assert!(!finish(first.epoch).await.unwrap(), "who comes back late finishes nothing");
    assert!(finish(second.epoch).await.unwrap());
}

async fn what_is_given_back_is_free_at_once(world: World) {
    let now = world.now();
    world.store.write(world.scope(), "enqueue", move |tx| work::enqueue(tx, "job", "one", now)).await.unwrap();
    let outcome = world.store.write(SYSTEM, "test", move |tx| {
        assert!(work::hold_lease(tx, "sequencer", "old", now, 10)?);
        let claimed = work::claim(tx, "job", "old", now, 60, 10)?.remove(0);
        assert!(!work::hold_lease(tx, "sequencer", "new", now, 10)?);
        assert!(work::claim(tx, "job", "new", now, 60, 10)?.is_empty());
        work::release(tx, "somebody else")?;
        assert!(!work::hold_lease(tx, "sequencer", "new", now, 10)?);
        work::release(tx, "old")?;
        assert!(work::hold_lease(tx, "sequencer", "new", now, 10)?);
        assert_eq!(work::claim(tx, "job", "new", now, 60, 10)?.len(), 1);
        // Who gave it back and works on all the same cannot finish it.
        let late = tx.within(claimed.tenant, |tx| work::finish(tx, "job", "one", claimed.epoch))?;
        assert!(!late);
        Ok(())
    });
    outcome.await.unwrap();
}
