//! Components: what they refer to must exist, and what is used stays.

use anyhow::Result;
use plimsoll_core::component::Component;
use plimsoll_protocol::operation::OperationId as Op;
use serde_json::json;

use crate::{
    on_both_databases,
    support::{World, answer, code, fields, replace},
};

on_both_databases!(
    what_it_refers_to_must_exist,
    a_circle_of_dependencies_is_refused,
    what_others_depend_on_stays,
    two_halves_of_a_circle_at_once_are_not_both_made,
);

async fn what_it_refers_to_must_exist(world: World) -> Result<()> {
    let hub = world.registry("http://127.0.0.1:1").await?;
    let nobody: uuid::Uuid = world.app.context.uuid();
    let wrong = world
        .component(json!({
            "name": "api", "registryIntegrationId": nobody, "sourceIntegrationId": nobody, "repository": "shop/api",
            "dependsOn": [nobody],
        }))
        .await;
    assert_eq!(fields(wrong), ["registryIntegrationId", "sourceIntegrationId", "dependsOn[0]"]);
    assert_eq!(world.count("SELECT count(*) FROM component").await?, 0);
    assert_eq!(world.count("SELECT count(*) FROM work").await?, 0);
    world.component(json!({"name": "api", "registryIntegrationId": hub.id, "repository": "shop/api"})).await?;
    Ok(())
}

async fn a_circle_of_dependencies_is_refused(world: World) -> Result<()> {
    let hub = world.registry("http://127.0.0.1:1").await?.id;
    let make = async |name: &str, needs: Vec<plimsoll_core::id::ComponentId>| {
        let json = json!({"name": name, "registryIntegrationId": hub, "repository": name, "dependsOn": needs});
        world.component(json).await
    };
    let a = make("a", vec![]).await?;
    let b = make("b", vec![a.id]).await?;
    let c = make("c", vec![b.id]).await?;
    let put = |needs: Vec<plimsoll_core::id::ComponentId>| {
        let json = json!({"name": "a", "registryIntegrationId": hub, "repository": "a", "dependsOn": needs});
        let caller = world.caller(Op::ComponentUpdate);
        let app = std::sync::Arc::clone(&world.app);
        async move { app.component_update(&caller, a.id, replace(json)).await }
    };
    let refusal = put(vec![c.id]).await;
    assert!(refusal.as_ref().unwrap_err().message().contains("→"), "{refusal:?}");
    assert_eq!(fields(refusal), ["dependsOn"]);
    assert_eq!(fields(put(vec![a.id]).await), ["dependsOn[0]"]);
    put(vec![]).await?;
    Ok(())
}

async fn what_others_depend_on_stays(world: World) -> Result<()> {
    let hub = world.registry("http://127.0.0.1:1").await?.id;
    let db = world.component(json!({"name": "db", "registryIntegrationId": hub, "repository": "db"})).await?;
    let api = json!({"name": "api", "registryIntegrationId": hub, "repository": "api", "dependsOn": [db.id]});
    let api = world.component(api).await?;
    let caller = world.caller(Op::ComponentDelete);
    let refusal = world.app.component_delete(&caller, db.id).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "IN_USE");
    let expected = json!([{"type": "component", "id": api.id, "name": "api"}]);
    assert_eq!(refusal.public_details().unwrap()["references"], expected);
    world.app.component_delete(&caller, api.id).await?;
    world.app.component_delete(&caller, db.id).await?;
    assert_eq!(code(world.app.component_get(&caller, db.id).await), "NOT_FOUND");
    Ok(())
}

async fn two_halves_of_a_circle_at_once_are_not_both_made(world: World) -> Result<()> {
    let hub = world.registry("http://127.0.0.1:1").await?.id;
    for round in 0..5 {
        let name = |half: &str| format!("{half}{round}");
        let make = async |name: String| {
            world.component(json!({"name": name, "registryIntegrationId": hub, "repository": name})).await
        };
        let (a, b): (Component, Component) = (make(name("a")).await?, make(name("b")).await?);
        let tie = |one: &Component, other: &Component| {
            let json = json!({"name": one.name, "registryIntegrationId": hub, "repository": one.name, "dependsOn": [other.id]});
            let (caller, app, id) = (world.caller(Op::ComponentUpdate), std::sync::Arc::clone(&world.app), one.id);
            tokio::spawn(async move { app.component_update(&caller, id, replace(json)).await })
        };
        let (one, other) = (tie(&a, &b), tie(&b, &a));
        let outcomes = [one.await?, other.await?];
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for outcome in outcomes.into_iter().flatten() {
            assert_eq!(answer::<Component>(&outcome)?.depends_on.len(), 1);
        }
    }
    Ok(())
}
