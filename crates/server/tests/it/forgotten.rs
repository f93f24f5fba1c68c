//! A stream that is resumed from what is forgotten.

use plimsoll_app::tasks::retention::sweep;
use plimsoll_store::{Scope, SystemReason, retention};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{hand::Hand, on_both, peer::Peer, world::World};

on_both! {
    a_stream_begins_anew_where_its_history_is_gone;
}

const SYSTEM: Scope = Scope::System(SystemReason::Retention);

async fn a_stream_begins_anew_where_its_history_is_gone(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    hand.log("one").await;
    let mut peer = Peer::open(world, &hand.path(), Some(&world.admin)).await.unwrap();
    let seen = peer.up_to("task.log").await;
    drop(peer);
    hand.log("two").await;
    let mut peer = Peer::open(world, &hand.path(), Some(&world.admin)).await.unwrap();
    peer.up_to("task.log").await;
    peer.up_to("task.log").await;
    drop(peer);
    // As if all of it were old. Nothing of this is: the sweep itself leaves it.
    let stop = CancellationToken::new();
    sweep(world.app(), &stop).await.unwrap();
    let (tenant, now) = (world.home, world.context.now());
    let forget = move |tx: &mut plimsoll_store::Tx<'_>| retention::forget_events(tx, tenant, now);
    assert!(!world.app().store.write(SYSTEM, "test", forget).await.unwrap());

    // Whoever knows a part begins anew with the job as it is, then goes on.
    let after = seen[0]["seq"].as_i64().unwrap();
    let path = format!("{}?after={after}", hand.path());
    let mut peer = Peer::open(world, &path, Some(&world.admin)).await.unwrap();
    let anew = peer.up_to("snapshot").await;
    let kinds: Vec<&str> = anew.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["reset", "snapshot"]);
    let shown = &anew[1]["data"];
    assert_eq!((&shown["job"]["id"], &shown["tasks"][0]["id"]), (&json!(hand.job), &json!(hand.task())));
    // The last event of all is kept, whatever its age.
    let next = peer.up_to("task.log").await;
    assert_eq!(next.last().unwrap()["data"]["lines"][0]["text"], "two");
    hand.log("three").await;
    assert_eq!(peer.up_to("task.log").await.last().unwrap()["data"]["lines"][0]["text"], "three");
    assert!(next[0]["seq"].as_i64() > anew[1]["seq"].as_i64());
    // Who resumes from there is up to date: no further reset.
    let path = format!("{}?after={}", hand.path(), anew[1]["seq"]);
    let mut resumed = Peer::open(world, &path, Some(&world.admin)).await.unwrap();
    let kinds: Vec<String> =
        resumed.up_to("task.log").await.iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect();
    assert!(!kinds.contains(&"reset".to_owned()), "{kinds:?}");
    hand.succeed().await;
    let (rest, code) = resumed.rest().await;
    assert_eq!((code, &rest.last().unwrap()["type"]), (1000, &json!("end")));
}
