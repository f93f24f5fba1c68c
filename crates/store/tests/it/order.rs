//! Events in the order of commits.

use std::sync::mpsc;

use plimsoll_core::id::EventId;
use plimsoll_store::{
    Dialect, Scope, SystemReason,
    event::{self, Followed, NewEvent},
};

use crate::{both::World, on_both};

on_both! {
    positions_follow_commits_and_not_inserts => positions_follow_commits_and_not_inserts;
}

fn event(world: &World, kind: &'static str) -> NewEvent {
    NewEvent {
        id: world.context.id::<EventId>(),
        at: world.now(),
        topic: "component",
        resource_id: "x".into(),
        parent_id: None,
        kind,
        data: serde_json::json!({}),
    }
}

async fn sequence(world: &World) -> usize {
    let now = world.now();
    world
        .store
        .write(Scope::System(SystemReason::Sequencer), "sequence", move |tx| event::sequence(tx, "me", now))
        .await
        .unwrap()
        .expect("the lease is free")
}

async fn read(world: &World, after: i64) -> Vec<(i64, String)> {
    world
        .store
        .read(world.scope(), "follow", move |tx| event::after(tx, &Followed::Topic("component"), after, 100))
        .await
        .unwrap()
        .into_iter()
        .map(|event| (event.position, event.kind))
        .collect()
}

/// Two transactions commit in the opposite order of their inserts while a follower reads: it sees both,
/// once, in the order of the commits. (SQLite's one writer can't hold two open; there they follow each other.)
async fn positions_follow_commits_and_not_inserts(world: World) {
    let (first, second) = (event(&world, "inserted-first"), event(&world, "committed-first"));
    if world.store.dialect() == Dialect::Sqlite {
        for one in [second, first] {
            world.store.write(world.scope(), "append", move |tx| event::append(tx, &one)).await.unwrap();
            assert_eq!(sequence(&world).await, 1);
        }
        assert_eq!(read(&world, 0).await, [(1, "committed-first".into()), (2, "inserted-first".into())]);
        return;
    }
    let (inserted, is_inserted) = mpsc::channel();
    let (go, may_commit) = mpsc::channel::<()>();
    let (inserted, may_commit) = (std::sync::Mutex::new(inserted), std::sync::Mutex::new(may_commit));
    let slow = tokio::spawn({
        let (store, scope) = (world.store.clone(), world.scope());
        async move {
            store
                .write(scope, "slow", move |tx| {
                    event::append(tx, &first)?;
                    inserted.lock().unwrap().send(()).unwrap();
                    may_commit.lock().unwrap().recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    tokio::task::block_in_place(|| is_inserted.recv()).unwrap();
    world.store.write(world.scope(), "quick", move |tx| event::append(tx, &second)).await.unwrap();
    assert_eq!(sequence(&world).await, 1, "what is not committed has no position");
    assert_eq!(read(&world, 0).await, [(1, "committed-first".into())]);
    go.send(()).unwrap();
    slow.await.unwrap().unwrap();
    assert_eq!(sequence(&world).await, 1);
    assert_eq!(read(&world, 1).await, [(2, "inserted-first".into())], "resuming after 1 neither repeats nor misses");
}
