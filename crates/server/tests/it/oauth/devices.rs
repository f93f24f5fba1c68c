//! People who sign in on another device: the page, the codes, the sessions.

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::json;

use super::{browser::Browser, trail};
use crate::{
    on_both,
    world::{Answer, World},
};

on_both! {
    the_first_administrator_signs_in;
    a_person_says_no;
    a_session_goes_on_and_a_copied_token_ends_it;
    signing_out_ends_session_and_token;
    only_our_own_page_can_send_its_forms;
    passwords_cannot_be_guessed_fast;
    a_password_that_is_good_once_lets_one_in;
    codes_cannot_be_guessed_fast;
    failed_sign_ins_stand_in_the_trail;
    a_changed_password_ends_sessions;
}

const PAGE: &str = "/oauth/device";
const CLI: &str = "plimsoll-cli";
const PASSWORD: &str = "a quiet mill by the river";

async fn begin(world: &World) -> Answer {
    let answer = world.form("/oauth/device_authorization", &[("client_id", CLI)]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer
}

async fn poll(world: &World, begun: &Answer) -> Answer {
    let code = begun.text("device_code");
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    world.form("/oauth/token", &[("grant_type", grant), ("client_id", CLI), ("device_code", &code)]).await
}

async fn refresh(world: &World, token: &str) -> Answer {
    world.form("/oauth/token", &[("grant_type", "refresh_token"), ("client_id", CLI), ("refresh_token", token)]).await
}

/// Signs a person in on a device of theirs.
async fn sign_in(world: &World, user: &str) -> Answer {
    let begun = begin(world).await;
    let code = begun.text("user_code");
    let mut browser = Browser::default();
    browser.open(world, PAGE).await;
    let fields = [("user_code", code.as_str()), ("tenant", "default"), ("user", user), ("password", PASSWORD)];
    let page = browser.submit(world, PAGE, &fields).await;
    assert!(page.text.contains("Let this device in?"), "{page:?}");
    let decision = [("user_code", code.as_str()), ("decision", "approve")];
    assert_eq!(browser.submit(world, "/oauth/device/decision", &decision).await.status, StatusCode::OK);
    let tokens = poll(world, &begun).await;
    assert_eq!(tokens.status, StatusCode::OK, "{tokens:?}");
    tokens
}

async fn the_first_administrator_signs_in(world: &World) {
    let file = world.data_directory().join("initial-admin-password");
    let once = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    let begun = begin(world).await;
    poll(world, &begun).await.refused(400, "authorization_pending");
    poll(world, &begun).await.refused(400, "slow_down");
    let code = begun.text("user_code");

    let mut browser = Browser::default();
    let page = browser.open(world, &format!("/device?user_code={code}")).await;
    assert!(page.text.contains(&code), "{page:?}");
    let who = [("user_code", code.as_str()), ("tenant", "default"), ("user", "admin")];
    let wrong = browser.submit(world, PAGE, &[&who[..], &[("password", "not this one")]].concat()).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let page = browser.submit(world, PAGE, &[&who[..], &[("password", once.as_str())]].concat()).await;
    assert!(page.text.contains("Choose a password"), "{page:?}");
    assert!(!file.exists(), "it was good for this one sign-in");
    let mut second = Browser::default();
    second.open(world, PAGE).await;
    let refused = second.submit(world, PAGE, &[&who[..], &[("password", once.as_str())]].concat()).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "it is used up: {refused:?}");
    let fields = [("user_code", code.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    let refused = second.submit(world, "/oauth/device/password", &fields).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "another browser sets no password: {refused:?}");

    // Nothing is let in before that.
    let decision = [("user_code", code.as_str()), ("decision", "approve")];
    let early = browser.submit(world, "/oauth/device/decision", &decision).await;
    assert_eq!(early.status, StatusCode::FORBIDDEN);
    for (password, repeated) in [("short", "short"), (PASSWORD, "another"), (once.as_str(), once.as_str())] {
        let fields = [("user_code", code.as_str()), ("password", password), ("repeated", repeated)];
        let page = browser.submit(world, "/oauth/device/password", &fields).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{password}");
    }
    let fields = [("user_code", code.as_str()), ("password", PASSWORD), ("repeated", PASSWORD)];
    let page = browser.submit(world, "/oauth/device/password", &fields).await;
    assert!(page.text.contains("Let this device in?") && page.text.contains("command line"), "{page:?}");

    assert_eq!(browser.submit(world, "/oauth/device/decision", &decision).await.status, StatusCode::OK);
    let again = browser.submit(world, "/oauth/device/decision", &decision).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let tokens = poll(world, &begun).await;
    assert_eq!(world.call("GET", "/api/v1/tenants", Some(&tokens.text("access_token")), None).await.status, 200);
    poll(world, &begun).await.refused(400, "invalid_grant");
    let mut anew = Browser::default();
    anew.open(world, PAGE).await;
    let page = anew.submit(world, PAGE, &[&who[..], &[("password", PASSWORD)]].concat()).await;
    assert!(page.text.contains("Let this device in?"), "the new password is good: {page:?}");
    assert_eq!(trail(world, "sign_in").await.iter().filter(|one| one["outcome"] == "succeeded").count(), 2);
    for action in ["own_password_change", "device_approve"] {
        let done = trail(world, action).await.into_iter().filter(|one| one["outcome"] == "succeeded");
        assert_eq!(done.count(), 1, "{action}");
    }
}

async fn a_person_says_no(world: &World) {
    world.person("ada", PASSWORD).await;
    let begun = begin(world).await;
    let code = begun.text("user_code");
    let mut browser = Browser::default();
    browser.open(world, PAGE).await;
    let fields = [("user_code", "BBBB-BBBB"), ("tenant", "default"), ("user", "ada"), ("password", PASSWORD)];
    let page = browser.submit(world, PAGE, &fields).await;
    assert!(page.status == StatusCode::BAD_REQUEST && page.text.contains("no device waits"), "{page:?}");
    // Signed in already: the right code is enough.
    let page = browser.submit(world, PAGE, &[("user_code", &code.to_lowercase().replace('-', " "))]).await;
    assert!(page.text.contains("Let this device in?"), "{page:?}");
    let decision = [("user_code", code.as_str()), ("decision", "deny")];
    browser.submit(world, "/oauth/device/decision", &decision).await;
    poll(world, &begun).await.refused(400, "access_denied");
}

async fn a_session_goes_on_and_a_copied_token_ends_it(world: &World) {
    let ada = world.person("ada", PASSWORD).await;
    world.bind("viewer", "user", &ada).await;
    let first = sign_in(world, "ada").await;
    assert_eq!(world.probe(&first.text("access_token")).await.0, StatusCode::OK);
    let second = refresh(world, &first.text("refresh_token")).await;
    let token = second.text("access_token");
    assert_eq!(world.probe(&token).await.0, StatusCode::OK);

    refresh(world, &first.text("refresh_token")).await.refused(400, "invalid_grant");
    refresh(world, &second.text("refresh_token")).await.refused(400, "invalid_grant");
    world.refused_in_time(&token, "UNAUTHENTICATED").await;
    // So do the tokens before the last one: the copy may have fetched any of them.
    world.refused_in_time(&first.text("access_token"), "UNAUTHENTICATED").await;
    assert_eq!(trail(world, "session_ended").await.len(), 1);
}

async fn signing_out_ends_session_and_token(world: &World) {
    let ada = world.person("ada", PASSWORD).await;
    world.bind("viewer", "user", &ada).await;
    let tokens = sign_in(world, "ada").await;
    let (access, again) = (tokens.text("access_token"), tokens.text("refresh_token"));

    let machine = world.machine("resource-server", "viewer").await;
    let introspect = async |token: &str| {
        let fields = [("client_id", machine.id.as_str()), ("client_secret", &machine.secret), ("token", token)];
        world.form("/oauth/introspect", &fields).await
    };
    let seen = introspect(&access).await;
    assert_eq!((seen.body["active"].as_bool(), seen.body["username"].as_str()), (Some(true), Some("ada")));
    assert_eq!(introspect("nonsense").await.body, json!({ "active": false }));
    world
        .form("/oauth/introspect", &[("client_id", CLI), ("token", &access)])
        .await
        .refused(400, "unauthorized_client");

    // Another client's word ends nothing.
    let theirs = [("client_id", machine.id.as_str()), ("client_secret", &machine.secret), ("token", again.as_str())];
    assert_eq!(world.form("/oauth/revoke", &theirs).await.status, StatusCode::OK);
    assert_eq!(world.probe(&access).await.0, StatusCode::OK);
    assert_eq!(world.form("/oauth/revoke", &[("client_id", CLI), ("token", &again)]).await.status, StatusCode::OK);
    assert_eq!(world.probe(&access).await.0, StatusCode::UNAUTHORIZED);
    refresh(world, &again).await.refused(400, "invalid_grant");
    assert_eq!(introspect(&access).await.body, json!({ "active": false }));

    // Signing out ends every access token of the session, and those of no other.
    let (other, first) = (sign_in(world, "ada").await, sign_in(world, "ada").await);
    let second = refresh(world, &first.text("refresh_token")).await;
    let third = refresh(world, &second.text("refresh_token")).await;
    let out = [("client_id", CLI), ("token", &*third.text("refresh_token"))];
    assert_eq!(world.form("/oauth/revoke", &out).await.status, StatusCode::OK);
    for tokens in [&first, &second, &third] {
        assert_eq!(world.probe(&tokens.text("access_token")).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.probe(&other.text("access_token")).await.0, StatusCode::OK);

    let tokens = sign_in(world, "ada").await;
    let access = tokens.text("access_token");
    assert_eq!(world.form("/oauth/revoke", &[("client_id", CLI), ("token", &access)]).await.status, StatusCode::OK);
    assert_eq!(world.probe(&access).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(world, &tokens.text("refresh_token")).await.status, StatusCode::OK, "the session goes on");
}

async fn only_our_own_page_can_send_its_forms(world: &World) {
    world.person("ada", PASSWORD).await;
    let mut browser = Browser::default();
    let fields = [("user_code", "BBBB-BBBB"), ("tenant", "default"), ("user", "ada"), ("password", PASSWORD)];
    let forged = browser.forge(world, PAGE, &fields).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED, "{forged:?}");
    browser.open(world, PAGE).await;
    let forged = browser.forge(world, PAGE, &fields).await;
    assert_eq!(forged.status, StatusCode::UNAUTHORIZED, "the cookie alone is not enough: {forged:?}");
    assert!(trail(world, "sign_in").await.is_empty());
    let decision = [("user_code", "BBBB-BBBB"), ("decision", "approve")];
    let page = browser.submit(world, "/oauth/device/decision", &decision).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "nobody signed in: {page:?}");
}

async fn passwords_cannot_be_guessed_fast(world: &World) {
    world.person("ada", PASSWORD).await;
    for user in ["ada", "nobody-of-this-name"] {
        let mut browser = Browser::default();
        browser.open(world, PAGE).await;
        let mut statuses = Vec::new();
        for _ in 0..8 {
            let fields = [("user_code", "x"), ("tenant", "default"), ("user", user), ("password", "wrong password")];
            statuses.push(browser.submit(world, PAGE, &fields).await.status.as_u16());
        }
        assert_eq!(&statuses[..5], [401; 5], "{user}");
        assert!(statuses[5..].contains(&429), "{user}: {statuses:?}");
    }
}

async fn a_password_that_is_good_once_lets_one_in(world: &World) {
    let made = world.post("/api/v1/users", &json!({ "name": "ada" })).await;
    let once = made.data()["initialPassword"].as_str().unwrap().to_owned();
    let fields = [("user_code", "BBBB-BBBB"), ("tenant", "default"), ("user", "ada"), ("password", once.as_str())];
    let mut browsers = Vec::new();
    for _ in 0..4 {
        let mut browser = Browser::default();
        browser.open(world, PAGE).await;
        browsers.push(browser);
    }
    let pages = join_all(browsers.iter_mut().map(|browser| browser.submit(world, PAGE, &fields))).await;
    let mut statuses: Vec<u16> = pages.iter().map(|page| page.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401]);
    let inside = pages.iter().position(|page| page.status == StatusCode::OK).unwrap();
    let fields = [("user_code", "BBBB-BBBB"), ("password", PASSWORD), ("repeated", PASSWORD)];
    browsers[inside].submit(world, "/oauth/device/password", &fields).await;
    let path = format!("/api/v1/users/{}", made.id());
    assert_eq!(world.get(&path).await.data()["mustChangePassword"], false);
}

async fn codes_cannot_be_guessed_fast(world: &World) {
    world.person("ada", PASSWORD).await;
    let code = begin(world).await.text("user_code");
    let mut browser = Browser::default();
    browser.open(world, PAGE).await;
    let fields = [("user_code", code.as_str()), ("tenant", "default"), ("user", "ada"), ("password", PASSWORD)];
    assert_eq!(browser.submit(world, PAGE, &fields).await.status, StatusCode::OK);
    // A right code is no guess, however often it is looked at.
    for _ in 0..8 {
        assert_eq!(browser.submit(world, PAGE, &[("user_code", code.as_str())]).await.status, StatusCode::OK);
    }
    let mut statuses = Vec::new();
    for guess in 0..8 {
        let wrong = [("user_code", "BBBB-BBBB"), ("decision", "approve")];
        let path = if guess % 2 == 0 { PAGE } else { "/oauth/device/decision" };
        statuses.push(browser.submit(world, path, &wrong).await.status.as_u16());
    }
    assert_eq!(&statuses[..5], [400; 5]);
    assert!(statuses[5..].contains(&429), "{statuses:?}");
}

async fn failed_sign_ins_stand_in_the_trail(world: &World) {
    let ada = world.person("ada", PASSWORD).await;
    let begun = begin(world).await;
    let code = begun.text("user_code");
    let before = world.rows().await;
    for (tenant, user) in [("default", "ada"), ("default", "nobody-of-this-name"), ("no-such-tenant", "ada")] {
        let mut browser = Browser::default();
        browser.open(world, PAGE).await;
        let fields = [("user_code", code.as_str()), ("tenant", tenant), ("user", user), ("password", "not her words")];
        let page = browser.submit(world, PAGE, &fields).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{page:?}");
        assert!(page.text.contains("tenant, name or password is wrong"), "{page:?}");
    }
    assert_eq!(world.rows().await, before);
    let failed = trail(world, "sign_in").await;
    let whose: Vec<_> = failed.iter().map(|one| (one["outcome"].clone(), one["resourceId"].clone())).collect();
    // Newest first. What is no tenant's is in no tenant's trail.
    assert_eq!(whose, [(json!("refused"), json!(null)), (json!("refused"), json!(ada))]);
    let told = json!(failed).to_string();
    assert!(!told.contains("not her words") && !told.contains("nobody-of-this-name"), "{told}");
}

async fn a_changed_password_ends_sessions(world: &World) {
    let ada = world.person("ada", PASSWORD).await;
    world.bind("viewer", "user", &ada).await;
    let tokens = sign_in(world, "ada").await;
    let body = json!({ "name": "ada", "password": "another mill at the other river" });
    let changed = world.call("PUT", &format!("/api/v1/users/{ada}"), Some(&world.admin), Some(&body)).await;
    assert_eq!(changed.data()["mustChangePassword"], true);
    assert!(!changed.body.to_string().contains("another mill"));
    world.refused_in_time(&tokens.text("access_token"), "TOKEN_STALE").await;
    refresh(world, &tokens.text("refresh_token")).await.refused(400, "invalid_grant");
}
