//! What a server says of itself to those who have no token: ready or not, and how to authenticate.

use plimsoll_store::{Scope, SystemReason, params};

use crate::{on_both, world::World};

on_both! {
    without_a_token_no_error_is_told;
    ready_is_who_can_read_the_database_and_sign;
}

/// RFC 6750, section 3.1.
async fn without_a_token_no_error_is_told(world: &World) {
    let none = world.call("GET", "/api/v1/components", None, None).await.expect(401, "UNAUTHENTICATED");
    assert_eq!(none.header("www-authenticate"), "Bearer realm=\"plimsoll\"");
    let wrong = world.call("GET", "/api/v1/components", Some("nonsense"), None).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.header("www-authenticate").contains("error=\"invalid_token\""), "{wrong:?}");
}

/// The owner's statement, past all walls.
async fn change(world: &World, sql: &'static str) {
    if let Some(database) = &world.database {
        database.sql(sql).unwrap();
        return;
    }
    let run = move |tx: &mut plimsoll_store::Tx<'_>| tx.execute(sql, params![]).map(drop);
    world.app().store.write(Scope::System(SystemReason::Administration), "test", run).await.unwrap();
}

async fn ready(world: &World) -> (u16, String) {
    let answer = world.client.get(format!("{}/readyz", world.server.url)).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn ready_is_who_can_read_the_database_and_sign(world: &World) {
    assert_eq!(ready(world).await, (200, "ready\n".to_owned()));
    change(world, "UPDATE schema_version SET readable_from = readable_from + 1000").await;
    let (status, text) = ready(world).await;
    assert!(status == 503 && text.contains("database: ") && text.contains("newer server"), "{text}");
    change(world, "UPDATE schema_version SET readable_from = readable_from - 1000").await;
    assert_eq!(ready(world).await.0, 200);
    change(world, "DELETE FROM signing_key").await;
    let (status, text) = ready(world).await;
    assert!(status == 503 && text.starts_with("signing key: "), "{text}");
}
