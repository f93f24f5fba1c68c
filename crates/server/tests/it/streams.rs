//! The streams: a job's, followed from its history to its end, and an agent's; who is let in, and for how
//! long.

use plimsoll_core::id::AgentId;
use plimsoll_testkit::{PATIENCE, eventually_async};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    hand::{self, Hand},
    on_both,
    peer::{Peer, Seen, upgrade},
    world::{World, all, issue},
};

on_both! {
    a_job_is_followed_from_its_history_to_its_end;
    one_task_can_be_followed_alone;
    a_log_is_read_in_three_forms;
    browsers_open_streams_by_subprotocol_and_by_ticket;
    who_may_not_follow_is_told_before_the_upgrade;
    a_stream_ends_with_its_token_unless_a_fresh_one_comes;
    a_stream_ends_with_the_rights_of_its_follower;
    an_agents_stream_is_its_own;
}

const PLAIN: &str = "plimsoll.v1";

fn seqs(messages: &[Value]) -> Vec<i64> {
    messages.iter().map(|one| one["seq"].as_i64().unwrap()).collect()
}

async fn follow(world: &World, path: &str) -> Peer {
    Peer::open(world, path, Some(&world.admin)).await.unwrap()
}

async fn a_job_is_followed_from_its_history_to_its_end(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    let mut first = follow(world, &hand.path()).await;
    hand.step("pull").await;
    hand.log("one").await;
    let mut seen = first.up_to("task.log").await;
    drop(first);
    // What happens while nobody follows is in the history.
    hand.log("two").await;
    let last = *seqs(&seen).last().unwrap();
    let mut second = follow(world, &format!("{}?after={last}", hand.path())).await;
    let resumed = second.up_to("task.log").await;
    assert_eq!(resumed.last().unwrap()["data"]["lines"][0]["text"], "two");
    seen.extend(resumed);
    hand.succeed().await;
    let (rest, code) = second.rest().await;
    assert_eq!(code, 1000);
    seen.extend(rest);
    let end = seen.pop().unwrap();
    assert_eq!((&end["type"], &end["data"]), (&json!("end"), &json!({})));

    // Everything once, in its order, each with the form that is promised.
    let numbers = seqs(&seen);
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    for message in &seen {
        let fields: Vec<&String> = message.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["at", "data", "seq", "type"]);
        if message["type"].as_str().unwrap().starts_with("task.") {
            assert_eq!(message["data"]["taskId"], hand.task(), "{message}");
        }
    }
    let of =
        |kind: &str| -> Vec<&Value> { seen.iter().filter(|one| one["type"] == kind).map(|one| &one["data"]).collect() };
    assert_eq!(
        (&of("task.progress")[0]["step"], &of("task.progress")[0]["targetName"]),
        (&json!("pull"), &json!("web-1"))
    );
    let batches = |kind| of(kind).iter().map(|one| one["batch"].clone()).collect::<Vec<_>>();
    assert_eq!((batches("batch.started"), batches("batch.ended")), (vec![json!(0)], vec![json!(0)]));
    let lines: Vec<(&Value, &Value)> =
        of("task.log").iter().map(|one| (&one["lines"][0]["seq"], &one["lines"][0]["text"])).collect();
    assert_eq!(lines, [(&json!(1), &json!("one")), (&json!(2), &json!("two"))]);
    assert_eq!(of("task.changed").last().unwrap()["status"], "succeeded");
    let done = of("job.changed");
    assert_eq!(
        (&done.last().unwrap()["status"], &done.last().unwrap()["progress"]["succeeded"]),
        (&json!("succeeded"), &json!(1))
    );

    // After the end the same comes out of the history, also for whoever has all of it already.
    let (whole, code) = follow(world, &hand.path()).await.rest().await;
    assert_eq!((code, whole.last()), (1000, whole.iter().find(|one| one["type"] == "end")));
    assert_eq!(whole[..whole.len() - 1], seen[..]);
    let (nothing, code) =
        follow(world, &format!("{}?after={}", hand.path(), numbers.last().unwrap())).await.rest().await;
    assert_eq!((code, nothing.len(), &nothing[0]["type"]), (1000, 1, &json!("end")));
}

async fn one_task_can_be_followed_alone(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    hand.log("one").await;
    hand.succeed().await;
    let (mine, _) = follow(world, &format!("{}?taskId={}", hand.path(), hand.task())).await.rest().await;
    assert!(mine.iter().any(|one| one["type"] == "task.log"), "{mine:?}");
    let (others, _) = follow(world, &format!("{}?taskId={}", hand.path(), crate::examples::NOBODY)).await.rest().await;
    let kinds: Vec<&str> = others.iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert!(
        kinds.iter().all(|kind| ["job.changed", "end"].contains(kind) || kind.starts_with("batch.")) && kinds.len() > 1,
        "{kinds:?}"
    );
}

async fn a_log_is_read_in_three_forms(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    hand.log("one").await;
    hand.log("two").await;
    follow(world, &hand.path()).await.up_to("task.log").await;
    let path = format!("/api/v1/deployment-jobs/{}/tasks/{}/logs", hand.job, hand.task());
    let lines = eventually_async("both lines are there", PATIENCE, async || {
        let lines = world.get(&path).await.data().clone();
        (lines.as_array().unwrap().len() == 2).then_some(lines)
    });
    let lines = lines.await.unwrap();
    assert_eq!(world.get(&format!("{path}?format=json")).await.data(), &lines);
    let read = async |form: &str| {
        let asked = world.request("GET", &format!("{path}?format={form}"), Some(&world.admin));
        let answer = asked.send().await.unwrap();
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (kind, answer.text().await.unwrap())
    };
    let (kind, text) = read("ndjson").await;
    assert_eq!(kind, "application/x-ndjson");
    let read_back: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(read_back), lines);
    let (kind, text) = read("text").await;
    assert_eq!(kind, "text/plain; charset=utf-8");
    let words: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(words, ["stdout api: one", "stdout api: two"]);
    world.get(&format!("{path}?format=xml")).await.expect(400, "VALIDATION_FAILED");
}

async fn browsers_open_streams_by_subprotocol_and_by_ticket(world: &World) {
    let hand = Hand::with_a_job(world).await;
    let offered = |text: String| Some((header::SEC_WEBSOCKET_PROTOCOL, text));
    let mut peer = Peer::with(world, &hand.path(), offered(format!("{PLAIN}, bearer.{}", world.admin))).await.unwrap();
    assert_eq!(peer.protocol.as_deref(), Some(PLAIN));
    peer.until("job.changed").await;
    let forged = Peer::with(world, &hand.path(), offered(format!("{PLAIN}, bearer.{}x", world.admin))).await;
    assert_eq!(forged.err(), Some(StatusCode::UNAUTHORIZED));

    let ticket = async || {
        let made = world.post("/api/v1/stream-tickets", &json!({"stream": hand.path()})).await;
        made.data()["ticket"].as_str().unwrap().to_owned()
    };
    let path = format!("{}?ticket={}", hand.path(), ticket().await);
    let mut peer = Peer::open(world, &path, None).await.unwrap();
    let seq = peer.until("job.changed").await["seq"].clone();
    assert_eq!(Peer::open(world, &path, None).await.err(), Some(StatusCode::UNAUTHORIZED), "used twice");
    // It opens nothing else, and resumes like a token.
    let elsewhere = format!("/api/v1/deployment-jobs/{}/stream?ticket={}", crate::examples::NOBODY, ticket().await);
    assert_eq!(Peer::open(world, &elsewhere, None).await.err(), Some(StatusCode::UNAUTHORIZED));
    world
        .call("GET", &format!("/api/v1/deployment-jobs/{}", hand.job), Some(&ticket().await), None)
        .await
        .expect(401, "UNAUTHENTICATED");
    let resumed = format!("{}?after={seq}&ticket={}", hand.path(), ticket().await);
    let Seen::Message(next) = Peer::open(world, &resumed, None).await.unwrap().next().await else { panic!("closed") };
    assert!(next["seq"].as_i64() > seq.as_i64(), "{next}");
}

async fn who_may_not_follow_is_told_before_the_upgrade(world: &World) {
    let hand = Hand::with_a_job(world).await;
    let asked = async |path: &str, token: &str| World::read(upgrade(world.request("GET", path, Some(token)))).await;
    asked(&hand.path(), &world.stranger).await.expect(404, "NOT_FOUND");
    let blind = world.token(
        world.home,
        world.context.id(),
        crate::world::all_but(plimsoll_core::permission::Permission::DeploymentRead),
    );
    asked(&hand.path(), &blind).await.expect(403, "PERMISSION_DENIED");
    for wrong in ["after=soon", "taskId=1"] {
        asked(&format!("{}?{wrong}", hand.path()), &world.admin).await.expect(400, "VALIDATION_FAILED");
    }
    // Not asked for as a WebSocket.
    world.get(&hand.path()).await.expect(400, "VALIDATION_FAILED");
    let ask = |stream: String| json!({ "stream": stream });
    let refused = world.call("POST", "/api/v1/stream-tickets", Some(&world.stranger), Some(&ask(hand.path()))).await;
    refused.expect(404, "NOT_FOUND");
    let refused = world.call("POST", "/api/v1/stream-tickets", Some(&blind), Some(&ask(hand.path()))).await;
    refused.expect(403, "PERMISSION_DENIED");
    let agents = format!("/api/v1/agents/{}/task-stream", hand.agent());
    world.post("/api/v1/stream-tickets", &ask(agents)).await.expect(400, "VALIDATION_FAILED");
}

async fn a_stream_ends_with_its_token_unless_a_fresh_one_comes(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    let ada = world.context.id();
    let brief = || issue(world, world.home, ada, all(), 3);
    let open = async || Peer::open(world, &hand.path(), Some(&brief())).await.unwrap();
    let (left, mut renewed, mut anothers, mut rubbish) = (open().await, open().await, open().await, open().await);
    renewed.say("auth", &json!({"token": world.token(world.home, ada, all())})).await;
    anothers.say("auth", &json!({"token": world.admin})).await;
    rubbish.say("auth", &json!({"token": "rubbish"})).await;
    for peer in [left, anothers, rubbish] {
        assert_eq!(peer.rest().await.1, 4401);
    }
    // The others' tokens have run out by now, and so has the one that this stream was opened with.
    hand.log("still here").await;
    assert_eq!(renewed.until("task.log").await["data"]["lines"][0]["text"], "still here");
    hand.succeed().await;
    assert_eq!(renewed.rest().await.1, 1000);
}

async fn a_stream_ends_with_the_rights_of_its_follower(world: &World) {
    let hand = Hand::with_a_job(world).await;
    let user = world.post("/api/v1/users", &json!({"name": "grace"})).await.id();
    let token = world.token(world.home, user.parse().unwrap(), all());
    let mut peer = Peer::open(world, &hand.path(), Some(&token)).await.unwrap();
    peer.until("job.changed").await;
    let gone = world.call("DELETE", &format!("/api/v1/users/{user}"), Some(&world.admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(peer.rest().await.1, 4401);
    assert_eq!(Peer::open(world, &hand.path(), Some(&token)).await.err(), Some(StatusCode::UNAUTHORIZED));
}

async fn an_agents_stream_is_its_own(world: &World) {
    let mut hand = Hand::with_a_job(world).await;
    let (own, other): (AgentId, AgentId) = (hand.agent(), world.context.id());
    let path = format!("/api/v1/agents/{own}/task-stream");
    let refused = async |token: Option<String>| Peer::open(world, &path, token.as_deref()).await.err();
    assert_eq!(refused(None).await, Some(StatusCode::UNAUTHORIZED));
    assert_eq!(refused(Some(hand::token(world, other, 600))).await, Some(StatusCode::NOT_FOUND));
    // Whoever holds everything is still not the agent.
    assert_eq!(refused(Some(world.admin.clone())).await, Some(StatusCode::NOT_FOUND));
    // A connection lasts as long as its token, and ends when the agent is let go.
    let mut brief = Peer::open(world, &path, Some(&hand::token(world, own, 2))).await.unwrap();
    brief.until("server.hello").await;
    assert_eq!(brief.rest().await.1, 4401);
    let mut renewed = Peer::open(world, &path, Some(&hand::token(world, own, 2))).await.unwrap();
    renewed.say("auth", &json!({"token": hand::token(world, own, 600)})).await;
    let mut taken = Peer::open(world, &path, Some(&hand::token(world, own, 600))).await.unwrap();
    taken.say("auth", &json!({"token": hand::token(world, other, 600)})).await;
    assert_eq!(taken.rest().await.1, 4401);
    let gone = world.call("DELETE", &format!("/api/v1/agents/{own}"), Some(&world.admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(hand.closed().await, 4401);
    assert_eq!(renewed.rest().await.1, 4401);
    assert_eq!(refused(Some(hand::token(world, own, 600))).await, Some(StatusCode::UNAUTHORIZED));
}

/// The server goes away in mid-job: its followers are told to come back, and do not hold it up.
async fn a_stream_ends_with_the_server(world: World) {
    let hand = Hand::with_a_job(&world).await;
    let mut peer = follow(&world, &hand.path()).await;
    peer.until("job.changed").await;
    let ((), (_, code)) = tokio::join!(world.stop(), peer.rest());
    assert_eq!(code, 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_server_on_sqlite() {
    a_stream_ends_with_the_server(World::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_server_on_postgres() {
    a_stream_ends_with_the_server(World::postgres().await).await;
}
