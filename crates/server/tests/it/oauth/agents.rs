//! Agents: one token enrols one of them, and a copied one is found.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{INVALID_CLIENT, keys::Key, stream::Stream, trail};
use crate::{
    on_both,
    world::{Answer, World, all},
};

on_both! {
    a_registration_token_is_good_for_one_key;
    a_hundred_uses_at_once_make_one_agent;
    no_agent_comes_in_by_a_client_that_is_gone;
    no_agent_comes_in_by_somebody_who_lost_the_right;
    an_agent_signs_for_its_tokens;
    a_copied_agent_is_locked;
    one_of_two_copies_is_let_in_again;
    a_disabled_agent_gets_no_token_and_loses_its_stream;
    an_agent_with_the_wrong_key_gets_nothing;
}

/// A token made by somebody who may enrol agents, and still may when it is used.
pub async fn registration_token_made(world: &World) -> Answer {
    let maker = world.person(&format!("host-{}", world.context.uuid()), "a quiet mill by the river").await;
    world.bind("operator", "user", &maker).await;
    let theirs = world.token(world.home, maker.parse().unwrap(), all());
    made_by(world, &theirs).await
}

async fn made_by(world: &World, maker: &str) -> Answer {
    let body = json!({ "labels": { "site": "a" } });
    world.call("POST", "/api/v1/registration-tokens", Some(maker), Some(&body)).await
}

async fn token_by(world: &World, maker: &str) -> String {
    made_by(world, maker).await.data()["token"].as_str().unwrap().to_owned()
}

async fn registration_token(world: &World) -> String {
    registration_token_made(world).await.data()["token"].as_str().unwrap().to_owned()
}

async fn register(world: &World, token: &str, key: &Key) -> Answer {
    let body = json!({
        "hostname": "h1", "version": "0.1.0", "protocolVersion": 1, "os": "linux", "arch": "amd64",
        "publicKeyPem": key.pem()
    });
    world.call("POST", "/api/v1/agents/register", Some(token), Some(&body)).await
}

/// Asks for a token with the join `seq` under `jti`.
async fn join(world: &World, agent: &Value, key: &Key, seq: u64, jti: &str) -> Answer {
    let now = world.context.now().as_seconds();
    let id = agent["agentId"].as_str().unwrap();
    let claims = json!({
        "iss": id, "sub": id, "aud": agent["assertionAudience"], "iat": now, "exp": now + 60, "jti": jti, "join_seq": seq
    });
    let assertion = key.sign(&claims);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", kind),
        ("client_assertion", assertion.as_str()),
    ];
    world.form("/oauth/token", &fields).await
}

fn beat() -> Value {
    crate::examples::body(plimsoll_protocol::operation::OperationId::AgentHeartbeat).unwrap()
}

async fn heartbeat(world: &World, agent: &Value, token: &str) -> Answer {
    let path = format!("/api/v1/agents/{}/heartbeat", agent["agentId"].as_str().unwrap());
    world.call("POST", &path, Some(token), Some(&beat())).await
}

async fn a_registration_token_is_good_for_one_key(world: &World) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let first = register(world, &token, &key).await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = register(world, &token, &key).await;
    assert_eq!((again.status, &again.data()["agentId"]), (StatusCode::OK, &first.data()["agentId"]));
    register(world, &token, &Key::generate()).await.expect(409, "TOKEN_ALREADY_USED");
    // It is good for nothing else.
    world.call("GET", "/api/v1/agents", Some(&token), None).await.expect(403, "PERMISSION_DENIED");

    let list = world.get("/api/v1/registration-tokens").await;
    assert_eq!(list.data()[0]["agentId"], first.data()["agentId"]);
    let path = format!("/api/v1/registration-tokens/{}", list.data()[0]["id"].as_str().unwrap());
    world.call("DELETE", &path, Some(&world.admin), None).await.expect(409, "STATE_CONFLICT");

    let made = world.post("/api/v1/registration-tokens", &json!({})).await;
    let path = format!("/api/v1/registration-tokens/{}", made.id());
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    let revoked = register(world, made.data()["token"].as_str().unwrap(), &Key::generate()).await;
    assert_eq!(revoked.status, StatusCode::UNAUTHORIZED, "{revoked:?}");
}

async fn a_hundred_uses_at_once_make_one_agent(world: &World) {
    for round in 1..=3 {
        let token = registration_token(world).await;
        let keys: Vec<Key> = (0..100).map(|_| Key::generate()).collect();
        let answers = join_all(keys.iter().map(|key| register(world, &token, key))).await;
        let made = answers.iter().filter(|one| one.status == StatusCode::CREATED).count();
        assert_eq!(made, 1, "round {round}");
        for answer in answers.into_iter().filter(|one| one.status != StatusCode::CREATED) {
            answer.expect(409, "TOKEN_ALREADY_USED");
        }
        let agents = world.get("/api/v1/agents").await;
        assert_eq!(agents.data().as_array().unwrap().len(), round);
    }
}

async fn no_agent_comes_in_by_a_client_that_is_gone(world: &World) {
    for gone in ["deleted", "deactivated"] {
        let machine = world.machine(gone, "operator").await;
        let theirs = world.token_of(&machine, &[]).await.text("access_token");
        let (token, other) = (token_by(world, &theirs).await, token_by(world, &theirs).await);
        assert_eq!(register(world, &token, &Key::generate()).await.status, StatusCode::CREATED);
        let path = format!("/api/v1/clients/{}", machine.id);
        if gone == "deleted" {
            assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
        } else {
            let owner = world.get(&path).await.data()["ownerId"].clone();
            let body = json!({ "name": gone, "ownerId": owner, "active": false });
            assert_eq!(world.call("PUT", &path, Some(&world.admin), Some(&body)).await.status, StatusCode::OK);
        }
        register(world, &other, &Key::generate()).await.expect(401, "UNAUTHENTICATED");
    }
    let left = world.get("/api/v1/registration-tokens").await;
    let waiting = left.data().as_array().unwrap().iter().filter(|one| one["usedAt"].is_null()).count();
    assert_eq!(waiting, 0, "{}", left.body);
}

async fn no_agent_comes_in_by_somebody_who_lost_the_right(world: &World) {
    let machine = world.machine("enroller", "operator").await;
    let theirs = world.token_of(&machine, &[]).await.text("access_token");
    let token = token_by(world, &theirs).await;
    let path = format!("/api/v1/role-bindings/{}", machine.binding);
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    register(world, &token, &Key::generate()).await.expect(403, "PERMISSION_DENIED");
}

async fn an_agent_signs_for_its_tokens(world: &World) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let agent = register(world, &token, &key).await.data().clone();
    let first = join(world, &agent, &key, 1, "j-1").await.text("access_token");
    assert_eq!(heartbeat(world, &agent, &first).await.status, StatusCode::OK);
    // The answer was lost: the same request again.
    assert_eq!(join(world, &agent, &key, 1, "j-1").await.status, StatusCode::OK);
    assert_eq!(join(world, &agent, &key, 2, "j-2").await.status, StatusCode::OK);
    join(world, &agent, &key, 4, "j-4").await.refused(400, "invalid_grant");
    join(world, &agent, &Key::generate(), 3, "j-3").await.refused(401, INVALID_CLIENT);
    // An agent's own rights are its session's.
    let (status, code) = world.probe(&first).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"));

    let path = format!("/api/v1/agents/{}", agent["agentId"].as_str().unwrap());
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    join(world, &agent, &key, 3, "j-5").await.refused(401, INVALID_CLIENT);
    world.refused_in_time(&first, "UNAUTHENTICATED").await;
}

async fn a_copied_agent_is_locked(world: &World) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let agent = register(world, &token, &key).await.data().clone();
    let owner = join(world, &agent, &key, 1, "a-1").await.text("access_token");
    // A copy of the disk counts on by itself.
    join(world, &agent, &key, 2, "copy-2").await.text("access_token");
    join(world, &agent, &key, 2, "a-2").await.refused(400, "invalid_grant");
    world.refused_in_time(&owner, "UNAUTHENTICATED").await;
    for (seq, jti) in [(2, "copy-2"), (3, "copy-3"), (3, "a-3")] {
        join(world, &agent, &key, seq, jti).await.refused(400, "invalid_grant");
    }
    let locked = trail(world, "agent_locked").await;
    assert_eq!(locked.len(), 1, "{locked:?}");
    let seen = world.get(&format!("/api/v1/agents/{}", agent["agentId"].as_str().unwrap())).await;
    assert!(seen.data()["lockedReason"].is_string(), "{seen:?}");
}

/// Two hosts with one identity, both with a token; the agent is locked. The owner's next join would be its third.
pub async fn copied(world: &World) -> (Value, Key, [String; 2]) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let agent = register(world, &token, &key).await.data().clone();
    let owner = join(world, &agent, &key, 1, "a-1").await.text("access_token");
    let copy = join(world, &agent, &key, 2, "copy-2").await.text("access_token");
    let refused = join(world, &agent, &key, 2, "a-2").await.refused(400, "invalid_grant");
    assert_eq!(refused.body["code"], "AGENT_LOCKED");
    (agent, key, [owner, copy])
}

async fn one_of_two_copies_is_let_in_again(world: &World) {
    let (agent, key, tokens) = copied(world).await;
    let path = format!("/api/v1/agents/{}", agent["agentId"].as_str().unwrap());
    let reason = world.get(&path).await.data()["lockedReason"].as_str().unwrap().to_owned();
    assert!(reason.contains("127.0.0.1") && reason.contains("request 2"), "{reason}");
    let unlock = format!("{path}/unlock");
    world.post(&unlock, &json!({ "keep": "both" })).await.expect(400, "VALIDATION_FAILED");

    let unlocked = world.post(&unlock, &json!({ "keep": "behind", "reason": "the other was a snapshot" })).await;
    assert!(unlocked.data().get("lockedReason").is_none(), "{unlocked:?}");
    assert_eq!(trail(world, "agent_unlock").await[0]["change"]["keep"], "behind");
    world.post(&unlock, &json!({ "keep": "behind" })).await.expect(409, "STATE_CONFLICT");
    // The owner repeats what was refused, and goes on; tokens of before are nobody's any more.
    let fresh = join(world, &agent, &key, 2, "a-2").await.text("access_token");
    for old in &tokens {
        world.refused_in_time(old, "TOKEN_STALE").await;
    }
    let answer = heartbeat(world, &agent, &fresh).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(join(world, &agent, &key, 3, "a-3").await.status, StatusCode::OK);
    // The copy still runs: it gives itself away again.
    let again = join(world, &agent, &key, 3, "copy-3").await.refused(400, "invalid_grant");
    assert_eq!(again.body["code"], "AGENT_LOCKED");
    world.refused_in_time(&fresh, "UNAUTHENTICATED").await;

    world.post(&unlock, &json!({ "keep": "ahead" })).await.data();
    assert_eq!(join(world, &agent, &key, 4, "a-4").await.status, StatusCode::OK);
    assert_eq!(trail(world, "agent_locked").await.len(), 2);
}

async fn a_disabled_agent_gets_no_token_and_loses_its_stream(world: &World) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let agent = register(world, &token, &key).await.data().clone();
    let token = join(world, &agent, &key, 1, "j-1").await.text("access_token");
    let path = format!("/api/v1/agents/{}", agent["agentId"].as_str().unwrap());
    let mut stream = Stream::open(world, &format!("{path}/task-stream"), &token).await;
    assert_eq!(stream.frame().await["type"], "server.hello");

    let switch = async |enabled: bool| {
        let name = world.get(&path).await.data()["name"].clone();
        let body = json!({ "name": name, "enabled": enabled });
        let changed = world.call("PUT", &path, Some(&world.admin), Some(&body)).await;
        assert_eq!(changed.data()["enabled"], enabled);
    };
    switch(false).await;
    assert_eq!(stream.closed().await, 4401);
    let refused = join(world, &agent, &key, 2, "j-2").await.refused(400, "invalid_grant");
    assert_eq!(refused.body["code"], "AGENT_DISABLED");
    world.refused_in_time(&token, "UNAUTHENTICATED").await;
    let beat = heartbeat(world, &agent, &token).await;
    assert_eq!(beat.status, StatusCode::UNAUTHORIZED, "{beat:?}");

    // What was refused was not counted: the agent asks the same again.
    switch(true).await;
    let fresh = join(world, &agent, &key, 2, "j-2").await.text("access_token");
    plimsoll_testkit::eventually_async("it is heard again", plimsoll_testkit::PATIENCE, async || {
        let beat = heartbeat(world, &agent, &fresh).await;
        if beat.status == StatusCode::OK { Ok(()) } else { Err(beat.body.to_string()) }
    })
    .await
    .unwrap();
}

async fn an_agent_with_the_wrong_key_gets_nothing(world: &World) {
    let (token, key) = (registration_token(world).await, Key::generate());
    let agent = register(world, &token, &key).await.data().clone();
    join(world, &agent, &key, 1, "j-1").await.text("access_token");
    let before = world.rows().await;
    for (seq, jti) in [(1, "j-1"), (2, "j-2"), (7, "j-7")] {
        let refused = join(world, &agent, &Key::generate(), seq, jti).await.refused(401, INVALID_CLIENT);
        assert!(refused.body["error_description"].as_str().unwrap().contains("assertion"), "{refused:?}");
        assert_eq!(world.rows().await, before, "join {seq} changed something");
    }
    // The agent itself is not locked by it.
    assert_eq!(join(world, &agent, &key, 2, "j-2").await.status, StatusCode::OK);
    let failed = trail(world, "agent_sign_in").await;
    assert_eq!(failed.len(), 3, "{failed:?}");
    let id = &agent["agentId"];
    assert!(failed.iter().all(|one| one["outcome"] == "refused" && one["resourceId"] == *id), "{failed:?}");
    assert!(failed.iter().all(|one| one["address"] == "127.0.0.1"), "{failed:?}");
}
