//! Machines: secrets, assertions, scopes, and how fast changes of their rights act.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_store::{Scope, params};
use reqwest::StatusCode;
use serde_json::json;

use super::{INVALID_CLIENT, keys::Key};
use crate::{on_both, world::World};

on_both! {
    a_client_gets_what_its_roles_give_and_no_more;
    whoever_does_not_prove_who_they_are_gets_nothing;
    changes_of_rights_act_on_tokens_that_are_out;
    a_secret_is_shown_once_and_kept_nowhere;
    a_client_may_sign_instead;
    keys_and_endpoints_can_be_discovered;
    guesses_are_slowed_down;
}

async fn a_client_gets_what_its_roles_give_and_no_more(world: &World) {
    let machine = world.machine("ci", "viewer").await;
    let answer = world.token_of(&machine, &[]).await;
    assert_eq!((answer.status, answer.body["token_type"].as_str()), (StatusCode::OK, Some("Bearer")));
    assert_eq!((answer.header("cache-control"), answer.body["expires_in"].as_i64()), ("no-store", Some(600)));
    let token = answer.text("access_token");
    assert_eq!(world.probe(&token).await.0, StatusCode::OK);
    let body = crate::examples::body(plimsoll_protocol::operation::OperationId::ComponentCreate);
    world.call("POST", "/api/v1/components", Some(&token), body.as_ref()).await.expect(403, "PERMISSION_DENIED");

    let narrow = world.token_of(&machine, &[("scope", "release:read")]).await;
    assert_eq!(narrow.body["scope"], "release:read");
    let (status, code) = world.probe(&narrow.text("access_token")).await;
    assert_eq!((status, code.as_str()), (StatusCode::FORBIDDEN, "PERMISSION_DENIED"));
    world.token_of(&machine, &[("scope", "release:create")]).await.refused(400, "invalid_scope");

    let seen = world.get(&format!("/api/v1/clients/{}", machine.id)).await;
    assert!(seen.data()["lastUsedAt"].is_string(), "{seen:?}");
}

async fn whoever_does_not_prove_who_they_are_gets_nothing(world: &World) {
    let machine = world.machine("ci", "viewer").await;
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let asked = |header: String| {
        let request = world.request("POST", "/oauth/token", None).header("authorization", header);
        World::read(request.form(&[("grant_type", "client_credentials")]))
    };
    assert_eq!(asked(basic(&machine.id, &machine.secret)).await.status, StatusCode::OK);
    for (id, secret) in [
        (machine.id.as_str(), "plc_wrong"),
        (crate::examples::NOBODY, machine.secret.as_str()),
        ("plimsoll-cli", "x"),
        ("x", "x"),
    ] {
        let answer = asked(basic(id, secret)).await.refused(401, INVALID_CLIENT);
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
    // The failure of a known client stands in its tenant's trail, without what was tried.
    let failed = super::trail(world, "client_sign_in").await;
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((&failed[0]["outcome"], &failed[0]["resourceId"]), (&json!("refused"), &json!(machine.id)));
    assert!(!world.audit().await.iter().any(|event| event.to_string().contains("plc_")));
    world.form("/oauth/token", &[("grant_type", "client_credentials")]).await.refused(401, INVALID_CLIENT);
    let public = [("grant_type", "client_credentials"), ("client_id", "plimsoll-cli")];
    world.form("/oauth/token", &public).await.refused(400, "unauthorized_client");
    let password = [("grant_type", "password"), ("username", "admin"), ("password", "x")];
    world.form("/oauth/token", &password).await.refused(400, "unsupported_grant_type");
    let json = world.request("POST", "/oauth/token", None).json(&json!({ "grant_type": "client_credentials" }));
    World::read(json).await.refused(400, "invalid_request");
}

async fn changes_of_rights_act_on_tokens_that_are_out(world: &World) {
    let machine = world.machine("ci", "viewer").await;
    let token = world.token_of(&machine, &[]).await.text("access_token");
    assert_eq!(world.probe(&token).await.0, StatusCode::OK);

    let path = format!("/api/v1/role-bindings/{}", machine.binding);
    let gone = world.call("DELETE", &path, Some(&world.admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    world.refused_in_time(&token, "TOKEN_STALE").await;
    let without = world.token_of(&machine, &[]).await.text("access_token");
    assert_eq!(world.probe(&without).await.0, StatusCode::FORBIDDEN);

    world.bind("viewer", "client", &machine.id).await;
    let again = world.token_of(&machine, &[]).await.text("access_token");
    assert_eq!(world.probe(&again).await.0, StatusCode::OK);
    let client = world.get(&format!("/api/v1/clients/{}", machine.id)).await;
    let mut body = client.data().clone();
    body["active"] = json!(false);
    let path = format!("/api/v1/clients/{}", machine.id);
    let off = world.call("PUT", &path, Some(&world.admin), Some(&body)).await;
    assert_eq!(off.status, StatusCode::OK, "{off:?}");
    world.refused_in_time(&again, "UNAUTHENTICATED").await;
    world.token_of(&machine, &[]).await.refused(401, INVALID_CLIENT);
}

async fn a_secret_is_shown_once_and_kept_nowhere(world: &World) {
    let owner = world.person("ada", "a quiet mill by the river").await;
    let body = json!({ "name": "ci", "ownerId": owner });
    let create = || {
        let request = world.request("POST", "/api/v1/clients", Some(&world.admin)).header("idempotency-key", "k-1");
        World::read(request.json(&body))
    };
    let (first, again) = (create().await, create().await);
    let secret = first.data()["clientSecret"].as_str().unwrap().to_owned();
    assert_eq!((again.header("idempotency-replayed"), again.data()), ("true", first.data()));

    let (home, shown) = (world.home, secret.clone());
    let kept = world.app().store.read(Scope::Tenant(home), "test", move |tx| {
        let rows = tx.query("SELECT answer FROM idempotency WHERE idempotency_key = 'k-1'", params![])?;
        rows.into_iter().map(plimsoll_store::Row::first::<Vec<u8>>).collect::<Result<Vec<_>, _>>()
    });
    let kept = kept.await.unwrap();
    assert_eq!(kept.len(), 1);
    assert!(!String::from_utf8_lossy(&kept[0]).contains(&shown));
    assert!(!world.get(&format!("/api/v1/clients/{}", first.id())).await.body.to_string().contains(&secret));
    assert!(world.audit().await.iter().all(|event| !event.to_string().contains(&secret)));

    let path = format!("/api/v1/clients/{}", first.id());
    let rotate = json!({ "name": "ci", "ownerId": owner, "rotateSecret": true });
    let rotated = world.call("PUT", &path, Some(&world.admin), Some(&rotate)).await;
    let next = rotated.data()["clientSecret"].as_str().unwrap().to_owned();
    assert_ne!(next, secret);
    for (secret, status) in [(secret, 401), (next, 200)] {
        let id = first.id();
        let fields = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", &secret)];
        assert_eq!(world.form("/oauth/token", &fields).await.status, status);
    }
}

async fn a_client_may_sign_instead(world: &World) {
    let owner = world.person("ada", "a quiet mill by the river").await;
    let (key, other) = (Key::generate(), Key::generate());
    let mut body = json!({ "name": "ci", "ownerId": owner, "authentication": "private_key_jwt" });
    body["publicKey"] = json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" });
    let wrong = world.post("/api/v1/clients", &body).await.expect(400, "VALIDATION_FAILED");
    assert_eq!(wrong.body["error"]["validationErrors"][0]["field"], "publicKey");
    body["publicKey"] = key.jwk();
    let made = world.post("/api/v1/clients", &body).await;
    assert!(made.data().get("clientSecret").is_none());
    let id = made.id();
    world.bind("viewer", "client", &id).await;

    let now = world.context.now().as_seconds();
    let claims =
        |jti: &str| json!({ "iss": id, "sub": id, "aud": world.server.url, "iat": now, "exp": now + 60, "jti": jti });
    let ask = async |assertion: String| {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", kind),
            ("client_assertion", assertion.as_str()),
        ];
        world.form("/oauth/token", &fields).await
    };
    let assertion = key.sign(&claims("j-1"));
    let token = ask(assertion.clone()).await.text("access_token");
    assert_eq!(world.probe(&token).await.0, StatusCode::OK);
    ask(assertion).await.refused(401, INVALID_CLIENT);
    ask(other.sign(&claims("j-2"))).await.refused(401, INVALID_CLIENT);
    let bearer = key.sign(&claims("j-3"));
    let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", bearer.as_str())];
    assert_eq!(world.form("/oauth/token", &fields).await.status, StatusCode::OK);
}

async fn keys_and_endpoints_can_be_discovered(world: &World) {
    let metadata = World::read(world.request("GET", "/.well-known/oauth-authorization-server", None)).await;
    assert_eq!(metadata.body["issuer"], world.server.url);
    let openid = World::read(world.request("GET", "/.well-known/openid-configuration", None)).await;
    assert_eq!(metadata.body, openid.body);
    let jwks = metadata.body["jwks_uri"].as_str().unwrap().strip_prefix(&world.server.url).unwrap().to_owned();
    let keys = World::read(world.request("GET", &jwks, None)).await;
    assert_eq!(keys.body["keys"].as_array().map(Vec::len), Some(1));
    assert!(keys.body["keys"][0].get("d").is_none() && keys.header("cache-control").contains("max-age"));
}

async fn guesses_are_slowed_down(world: &World) {
    let mut last = None;
    for _ in 0..60 {
        let fields =
            [("grant_type", "client_credentials"), ("client_id", crate::examples::NOBODY), ("client_secret", "plc_x")];
        let answer = world.form("/oauth/token", &fields).await;
        let slowed = answer.status == StatusCode::TOO_MANY_REQUESTS;
        last = Some(answer);
        if slowed {
            break;
        }
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS, "{last:?}");
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
}
