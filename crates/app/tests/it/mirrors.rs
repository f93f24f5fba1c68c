//! Mirrors of registries that targets name: they refer to an integration, and are told its password only
//! if the integration says so.

use anyhow::{Context as _, Result};
use plimsoll_core::inventory::Target;
use plimsoll_protocol::{agent::order::TaskOffer, operation::OperationId as Op};
use serde_json::{Value, json};

use crate::{
    hand::Hand,
    on_both_databases,
    shop::Shop,
    support::{World, replace},
};

const PASSWORD: &str = "canary-for-the-registry-alone";
const MIRROR: &str = "mirror.local:5000";

on_both_databases!(a_mirror_refers_to_an_integration, a_password_goes_to_no_mirror_that_the_integration_does_not_name);

async fn a_mirror_refers_to_an_integration(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let app = &shop.world.app;
    let nobody = app.context.uuid();
    let unknown = json!({"registryMirrors": {nobody.to_string(): MIRROR}});
    let refused = shop.target("web-2", unknown.clone()).await.expect_err("there is no such integration");
    let refused = refused.downcast::<plimsoll_core::Error>()?;
    let wrong = &refused.validation()[0];
    assert_eq!(
        (wrong.field.as_str(), wrong.code.as_str()),
        (&*format!("registryMirrors.{nobody}"), "unknown_reference")
    );
    let first = shop.targets().await?.remove(0);
    assert!(shop.assign(&first, unknown).await.is_err(), "a PUT is checked, too");

    let mirrored = shop.target("web-2", json!({"registryMirrors": {shop.integration.clone(): MIRROR}})).await?;
    let integration = shop.integration.parse()?;
    let delete = shop.world.caller(Op::IntegrationDelete);
    let refused = app.integration_delete(&delete, integration).await.expect_err("a mirror names it");
    assert_eq!(refused.code().as_str(), "IN_USE");
    let references = &refused.public_details().context("details")?["references"];
    assert_eq!(references, &json!([{"type": "target", "id": mirrored.id, "name": "web-2"}]));

    app.target_delete(&shop.world.caller(Op::TargetDelete), mirrored.id).await?;
    app.integration_delete(&delete, integration).await?;
    Ok(())
}

/// Gives the shop's registry an account, and mirrors that it trusts.
async fn sign_in(shop: &Shop, trusted: &[&str]) -> Result<()> {
    let config = json!({
        "url": "http://127.0.0.1:5000", "username": "robot", "insecure": true, "trustedMirrors": trusted
    });
    let put = json!({"name": "hub", "config": config, "secrets": {"password": PASSWORD}});
    let caller = shop.world.caller(Op::IntegrationUpdate);
    shop.world.app.integration_update(&caller, shop.integration.parse()?, replace(put)).await?;
    Ok(())
}

/// What the agent is answered when it asks for the registry's credentials to send them to `host`.
async fn ask(shop: &Shop, hand: &Hand, offer: &TaskOffer, host: &str) -> Result<String> {
    let secrets = json!([{"kind": "registry", "integrationId": shop.integration, "host": host}]);
    let asked = json!({"requestId": 1, "taskId": offer.task_id, "epoch": offer.epoch, "secrets": secrets});
    Ok(serde_json::to_string(&hand.say(&shop.world, "secret.request", asked).await?)?)
}

async fn a_password_goes_to_no_mirror_that_the_integration_does_not_name(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    sign_in(&shop, &[]).await?;
    let (hand, target) = shop.staffed().await?;
    let first: Target = shop.targets().await?.remove(0);
    shop.assign(&first, json!({"agentId": hand.id, "registryMirrors": {shop.integration.clone(): MIRROR}})).await?;

    shop.start("1.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let image = image_of(&offer)?;
    assert_eq!((&image["registry"], &image["authenticated"]), (&json!(MIRROR), &json!(false)), "{image}");
    for host in [MIRROR, "127.0.0.1:5000", ""] {
        let answer = ask(&shop, &hand, &offer, host).await?;
        assert!(answer.contains("unavailable") && !answer.contains(PASSWORD), "{host}: {answer}");
    }
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;

    // The integration names it: then it is told.
    sign_in(&shop, &["other.local", "Mirror.local:5000"]).await?;
    shop.start("1.1.0").await?;
    let offer = hand.take(&shop.world).await?;
    assert_eq!(image_of(&offer)?["authenticated"], json!(true));
    assert!(ask(&shop, &hand, &offer, MIRROR).await?.contains(PASSWORD));
    assert!(!ask(&shop, &hand, &offer, "other.local").await?.contains(PASSWORD), "the target does not name that one");

    // It does not any more: a spec that was made before does not help.
    sign_in(&shop, &[]).await?;
    let answer = ask(&shop, &hand, &offer, MIRROR).await?;
    assert!(answer.contains("trustedMirrors") && !answer.contains(PASSWORD), "{answer}");
    assert_eq!(shop.targets().await?[0].id, target);
    Ok(())
}

fn image_of(offer: &TaskOffer) -> Result<Value> {
    Ok(serde_json::to_value(offer.order()?)?["spec"]["components"][0]["image"].clone())
}
