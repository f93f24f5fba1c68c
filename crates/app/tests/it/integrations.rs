//! Integrations: secrets stay secret, tests really connect, what is used stays.

use anyhow::Result;
use plimsoll_core::{
    id::IntegrationId,
    integration::{DiscoverResult, Integration, IntegrationStatus, TestReport},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_testkit::{Image, Registry, RegistryAccess, RegistryOptions};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    on_both_databases,
    support::{World, answer, body, code, everything, fields, replace, text},
};

const CANARY: &str = "canary-9f31c0-in-a-coal-mine";

on_both_databases!(
    a_secret_is_never_seen_again,
    a_put_keeps_secrets_unless_they_are_sent,
    wrong_configurations_name_their_fields_and_change_nothing,
    a_test_really_connects,
    a_catalog_comes_in_pages,
    what_is_used_cannot_be_removed,
    another_tenant_sees_nothing,
    a_permission_in_one_environment_is_not_enough,
);

async fn create(world: &World, json: serde_json::Value) -> plimsoll_core::Result<Integration> {
    let reply = world.app.integration_create(&world.caller(Op::IntegrationCreate), body(json)).await?;
    Ok(answer(&reply).expect("an integration"))
}

fn with_password(url: &str, password: &str) -> serde_json::Value {
    json!({
        "name": "hub", "typeId": "oci_registry",
        "config": {"url": url, "username": Registry::USER, "insecure": true},
        "secrets": {"password": password},
    })
}

async fn stored_text(world: &World, id: IntegrationId) -> Result<String> {
    let rows = plimsoll_store::Scope::Tenant(world.tenant);
    let secrets = world.app.store.read(rows, "test", move |tx| plimsoll_store::integration::secrets(tx, id)).await?;
    Ok(secrets.iter().map(|secret| String::from_utf8_lossy(&secret.sealed).into_owned()).collect())
}

async fn a_secret_is_never_seen_again(world: World) -> Result<()> {
    let made = create(&world, with_password("http://127.0.0.1:1", CANARY)).await?;
    assert!(made.secrets["password"].set);
    assert_eq!(made.secrets["password"].updated_at, Some(world.clock.now()));
    let read = world.app.integration_get(&world.caller(Op::IntegrationGet), made.id).await?;
    assert_eq!(read, made);
    for seen in [text(&read), text(&world.trail().await?), format!("{:?}", world.events("integration").await?)] {
        assert!(seen.contains("hub") && !seen.contains(CANARY), "{seen}");
    }
    assert!(!stored_text(&world, made.id).await?.contains(CANARY));
    let credentials = world.app.registry_credentials(world.tenant, made.id, "127.0.0.1:1").await?.expect("credentials");
    assert_eq!(credentials.password.expose_secret(), CANARY);
    assert!(!format!("{credentials:?}").contains(CANARY));

    let caller = world.caller(Op::IntegrationDelete);
    world.app.integration_delete(&caller, made.id).await?;
    assert_eq!(world.count("SELECT count(*) FROM integration_secret").await?, 0);
    assert_eq!(code(world.app.integration_get(&caller, made.id).await), "NOT_FOUND");
    create(&world, with_password("http://127.0.0.1:1", CANARY)).await?;
    Ok(())
}

async fn a_put_keeps_secrets_unless_they_are_sent(world: World) -> Result<()> {
    let made = create(&world, with_password("http://127.0.0.1:1", CANARY)).await?;
    let put = async |json| {
        let caller = world.caller(Op::IntegrationUpdate);
        world.app.integration_update(&caller, made.id, replace(json)).await
    };
    let config = json!({"url": "http://127.0.0.1:2", "username": "u", "insecure": true});
    let password = async || -> Result<String> {
        let credentials = world.app.registry_credentials(world.tenant, made.id, "127.0.0.1:2").await?;
        Ok(credentials.map(|one| one.password.expose_secret().to_owned()).unwrap_or_default())
    };
    world.clock.forward(5);
    // Left out, and as a GET showed it.
    put(json!({"name": "hub", "config": config})).await?;
    assert_eq!(password().await?, CANARY);
    let shown = world.app.integration_get(&world.caller(Op::IntegrationGet), made.id).await?.secrets;
    assert_eq!(shown["password"].updated_at, Some(made.created_at));
    put(json!({"name": "hub", "config": config, "secrets": shown})).await?;
    assert_eq!(password().await?, CANARY);
    let forged = json!({"password": {"set": true, "updatedAt": "2020-01-01T00:00:00.000000Z"}});
    assert_eq!(fields(put(json!({"name": "hub", "config": config, "secrets": forged})).await), ["secrets.password"]);
    // Another value.
    put(json!({"name": "hub", "config": config, "secrets": {"password": "other"}})).await?;
    assert_eq!(password().await?, "other");
    // Removed: then the user has none.
    let removed = json!({"name": "hub", "config": config, "secrets": {"password": null}});
    assert_eq!(fields(put(removed).await), ["secrets.password"]);
    put(json!({"name": "hub", "config": {"url": "https://r.example"}, "secrets": {"password": null}})).await?;
    assert!(world.app.registry_credentials(world.tenant, made.id, "r.example").await?.is_none());
    assert_eq!(world.count("SELECT count(*) FROM integration_secret").await?, 0);
    Ok(())
}

async fn wrong_configurations_name_their_fields_and_change_nothing(world: World) -> Result<()> {
    for (json, wrong) in [
        (json!({"name": "a", "typeId": "fax", "config": {}}), vec!["typeId"]),
        (json!({"name": "a", "typeId": "oci_registry", "config": {"url": 1, "x": 2}}), vec!["config.url", "config.x"]),
        (
            json!({"name": "a", "typeId": "oci_registry", "config": {"url": "https://r.example", "username": "u"},
                "secrets": {"password": "vault:1/x#y"}}),
            vec!["secrets.password"],
        ),
    ] {
        let mut found = fields(create(&world, json).await);
        found.sort();
        assert_eq!(found, wrong);
    }
    create(&world, with_password("http://127.0.0.1:1", CANARY)).await?;
    assert_eq!(code(create(&world, with_password("http://127.0.0.1:1", CANARY)).await), "ALREADY_EXISTS");
    assert_eq!(world.count("SELECT count(*) FROM integration").await?, 1);
    assert_eq!(world.count("SELECT count(*) FROM integration_secret").await?, 1);
    Ok(())
}

async fn test(world: &World, id: IntegrationId) -> Result<(TestReport, Integration)> {
    let report = answer(&world.app.integration_test(&world.caller(Op::IntegrationTest), id).await?)?;
    Ok((report, world.app.integration_get(&world.caller(Op::IntegrationGet), id).await?))
}

async fn a_test_really_connects(world: World) -> Result<()> {
    let mut registry =
        Registry::start_with(RegistryOptions { access: RegistryAccess::Basic, ..RegistryOptions::default() })?;
    let made = create(&world, with_password(&registry.url(), Registry::PASSWORD)).await?;
    assert_eq!((made.status, made.last_tested_at), (IntegrationStatus::Unknown, None));
    world.clock.forward(5);
    let (report, after) = test(&world, made.id).await?;
    assert!(report.ok, "{report:?}");
    assert_eq!((after.status, after.last_tested_at), (IntegrationStatus::Healthy, Some(world.clock.now())));
    assert_eq!(after.updated_at, made.updated_at, "a test is no change of the configuration");

    let wrong = json!({"name": "hub", "config": made.config, "secrets": {"password": "wrong"}});
    world.app.integration_update(&world.caller(Op::IntegrationUpdate), made.id, replace(wrong)).await?;
    let (report, after) = test(&world, made.id).await?;
    let last = report.checks.last().expect("a check");
    assert_eq!((report.ok, last.name.as_str(), last.ok), (false, "authentication", false), "{report:?}");
    assert_eq!(after.status, IntegrationStatus::Unhealthy);
    assert!(!text(&world.trail().await?).contains(Registry::PASSWORD));

    registry.stop()?;
    let (report, _) = test(&world, made.id).await?;
    assert_eq!(report.checks.last().map(|check| check.name.as_str()), Some("connection"), "{report:?}");

    // Metadata services are not for us, whatever the configuration says.
    let metadata =
        json!({"name": "md", "typeId": "oci_registry", "config": {"url": "http://169.254.169.254", "insecure": true}});
    let made = create(&world, metadata).await?;
    let (report, _) = test(&world, made.id).await?;
    let check = &report.checks[0];
    assert!(!check.ok && check.message.contains("169.254.169.254"), "{report:?}");
    Ok(())
}

async fn a_catalog_comes_in_pages(world: World) -> Result<()> {
    let registry = Registry::start()?;
    for number in 0..5 {
        Image::empty().push(&registry, &format!("shop/part-{number}"), "1.0.0").await?;
    }
    Image::empty().push(&registry, "other", "1.0.0").await?;
    let json = json!({"name": "hub", "typeId": "oci_registry", "config": {"url": registry.url(), "insecure": true}});
    let made = create(&world, json).await?;
    let discover =
        async |json| world.app.integration_discover(&world.caller(Op::IntegrationDiscover), made.id, body(json)).await;
    let mut names = Vec::new();
    let mut cursor = None;
    for _ in 0..3 {
        let mut asked = json!({"kind": "repository", "query": "SHOP/", "limit": 2});
        if let Some(cursor) = &cursor {
            asked["cursor"] = json!(cursor);
        }
        let page: DiscoverResult = answer(&discover(asked).await?)?;
        names.extend(page.items.into_iter().map(|item| item.name));
        cursor = page.next_cursor;
    }
    assert_eq!(names, (0..5).map(|number| format!("shop/part-{number}")).collect::<Vec<_>>());
    assert_eq!(cursor, None);
    assert_eq!(fields(discover(json!({"kind": "job"})).await), ["kind"]);
    assert_eq!(fields(discover(json!({"kind": "repository", "cursor": "x"})).await), ["cursor"]);
    assert_eq!(world.trail().await?.iter().filter(|event| event.action == "integration_discover").count(), 3);
    Ok(())
}

async fn what_is_used_cannot_be_removed(world: World) -> Result<()> {
    let json = json!({"name": "hub", "typeId": "oci_registry", "config": {"url": "https://r.example"}});
    let made = create(&world, json).await?;
    let component = json!({"name": "api", "registryIntegrationId": made.id, "repository": "shop/api"});
    let caller = world.caller(Op::ComponentCreate);
    let component: plimsoll_core::component::Component =
        answer(&world.app.component_create(&caller, body(component)).await?)?;
    let refusal = world.app.integration_delete(&world.caller(Op::IntegrationDelete), made.id).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "IN_USE");
    let references = &refusal.public_details().expect("details")["references"];
    assert_eq!(references[0]["id"], json!(component.id));
    world.app.component_delete(&world.caller(Op::ComponentDelete), component.id).await?;
    world.app.integration_delete(&world.caller(Op::IntegrationDelete), made.id).await?;
    let refused = world.trail().await?.into_iter().find(|event| event.error_code.as_deref() == Some("IN_USE"));
    assert!(refused.is_some(), "a refused attempt stands in the trail");
    Ok(())
}

async fn another_tenant_sees_nothing(world: World) -> Result<()> {
    let made = create(&world, with_password("http://127.0.0.1:1", CANARY)).await?;
    let stranger =
        |operation| world.caller_of(plimsoll_core::id::TypedId::from_uuid(uuid::Uuid::from_u128(7)), operation);
    let app = &world.app;
    assert_eq!(code(app.integration_get(&stranger(Op::IntegrationGet), made.id).await), "NOT_FOUND");
    assert_eq!(code(app.integration_delete(&stranger(Op::IntegrationDelete), made.id).await), "NOT_FOUND");
    assert_eq!(code(app.integration_test(&stranger(Op::IntegrationTest), made.id).await), "NOT_FOUND");
    let update = replace(json!({"name": "x", "config": {}}));
    assert_eq!(code(app.integration_update(&stranger(Op::IntegrationUpdate), made.id, update).await), "NOT_FOUND");
    let listed = app.integration_list(&stranger(Op::IntegrationList), everything::<Integration>("name")?).await?;
    assert!(listed.items.is_empty());
    Ok(())
}

async fn a_permission_in_one_environment_is_not_enough(world: World) -> Result<()> {
    use plimsoll_core::permission::{Grant, Grants, Permission};
    let mut caller = world.caller(Op::IntegrationCreate);
    let environment = Some(world.app.context.id());
    caller.principal.grants = Grants::new([Grant { permission: Permission::IntegrationWrite, environment }]);
    let made = world.app.integration_create(&caller, body(with_password("http://127.0.0.1:1", CANARY))).await;
    assert_eq!(code(made), "PERMISSION_DENIED");
    assert_eq!(world.count("SELECT count(*) FROM integration").await?, 0);
    Ok(())
}
