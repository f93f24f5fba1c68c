//! Separation of duties behind machines: whoever answers or answered for a client, and whoever can act as it, made
//! what it makes.

use anyhow::Result;
use plimsoll_app::Caller;
use plimsoll_core::{
    audit::PrincipalType,
    environment::Environment,
    id::{ClientId, TypedId as _, UserId},
    identity::{Client, ClientAuthentication},
    promotion::{ApprovalPolicy, Promotion},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, resource};
use serde_json::json;

use crate::{
    on_both_databases,
    shop::Shop,
    support::{World, answer, body, code, replace},
};

on_both_databases!(
    the_owner_of_a_deleted_client_stays_a_maker,
    neither_the_owner_then_nor_the_one_since_approves,
    whoever_gave_a_client_away_before_may_approve,
    whoever_can_act_as_a_client_is_a_maker,
    the_newest_of_many_clients_has_an_owner,
    a_client_that_changed_the_rules_has_makers_behind_it,
);

const REFUSED: &str = "SEPARATION_OF_DUTIES";

async fn guarded(world: World) -> Result<Shop> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let rules = json!([{ "name": "one", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    let _: ApprovalPolicy = shop.policy(rules, Some(shop.environment.id)).await?;
    Ok(shop)
}

/// Somebody else's client, made by somebody who takes no other part.
async fn client(shop: &Shop, owner: &Caller) -> Result<Client> {
    let caller = shop.world.caller(Op::ClientCreate);
    let json = json!({"name": "robot", "ownerId": owner.principal.user});
    answer(&shop.world.app.client_create(&caller, body(json)).await?)
}

async fn change(shop: &Shop, by: &Caller, client: &Client, owner: UserId, rotate: bool) -> Result<Client> {
    let caller = shop.now(by, Op::ClientUpdate);
    let json = json!({"name": client.name, "ownerId": owner, "rotateSecret": rotate});
    answer(&shop.world.app.client_update(&caller, client.id, replace(json)).await?)
}

fn acting_as(shop: &Shop, client: &Client, operation: Op) -> Caller {
    let mut caller = shop.world.caller(operation);
    (caller.principal.kind, caller.principal.id) = (PrincipalType::Client, client.id.uuid());
    (caller.principal.user, caller.principal.name) = (client.service_user_id, client.name.clone());
    caller
}

async fn asked_by(shop: &Shop, client: &Client) -> Result<Promotion> {
    let release = shop.release("1.0.0").await?;
    Ok(shop.ask(&acting_as(shop, client, Op::PromotionCreate), &release, json!({})).await?)
}

async fn refused(shop: &Shop, caller: &Caller, asked: &Promotion) {
    assert_eq!(code(shop.approve(caller, asked, asked.subject_hash).await), REFUSED, "{}", caller.principal.name);
}

pub async fn the_owner_of_a_deleted_client_stays_a_maker(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (ada, bob) = (shop.approver("ada").await?, shop.approver("bob").await?);
    let robot = client(&shop, &ada).await?;
    let asked = asked_by(&shop, &robot).await?;
    refused(&shop, &ada, &asked).await;
    shop.world.app.client_delete(&shop.now(&ada, Op::ClientDelete), robot.id).await?;
    refused(&shop, &ada, &asked).await;
    shop.approve(&bob, &asked, asked.subject_hash).await?;
    Ok(())
}

pub async fn neither_the_owner_then_nor_the_one_since_approves(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (ada, bob, grace) = (shop.approver("ada").await?, shop.approver("bob").await?, shop.approver("grace").await?);
    let robot = client(&shop, &ada).await?;
    let asked = asked_by(&shop, &robot).await?;
    shop.world.clock.forward(1);
    change(&shop, &ada, &robot, bob.principal.user, false).await?;
    refused(&shop, &ada, &asked).await;
    refused(&shop, &bob, &asked).await;
    shop.approve(&grace, &asked, asked.subject_hash).await?;
    Ok(())
}

pub async fn whoever_gave_a_client_away_before_may_approve(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (ada, bob) = (shop.approver("ada").await?, shop.approver("bob").await?);
    let robot = client(&shop, &ada).await?;
    let by = shop.world.caller(Op::ClientUpdate);
    change(&shop, &by, &robot, bob.principal.user, false).await?;
    shop.world.clock.forward(8 * 86_400);
    let asked = asked_by(&shop, &robot).await?;
    refused(&shop, &bob, &asked).await;
    shop.approve(&ada, &asked, asked.subject_hash).await?;
    Ok(())
}

pub async fn whoever_can_act_as_a_client_is_a_maker(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (ada, eve, bob) = (shop.approver("ada").await?, shop.approver("eve").await?, shop.approver("bob").await?);
    let made: Client = {
        let caller = shop.now(&eve, Op::ClientCreate);
        let json = json!({"name": "robot", "ownerId": ada.principal.user});
        answer(&shop.world.app.client_create(&caller, body(json)).await?)?
    };
    let asked = asked_by(&shop, &made).await?;
    refused(&shop, &eve, &asked).await;
    shop.world.clock.forward(1);
    change(&shop, &bob, &made, ada.principal.user, true).await?;
    refused(&shop, &eve, &asked).await;
    refused(&shop, &bob, &asked).await;
    Ok(())
}

pub async fn the_newest_of_many_clients_has_an_owner(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let ada = shop.approver("ada").await?;
    let (context, now, owner) = (shop.world.app.context.clone(), shop.world.clock.now(), shop.world.app.context.id());
    let many: Vec<Client> = (0..1000)
        .map(|number| Client {
            id: context.id::<ClientId>(),
            name: format!("old-{number}"),
            description: None,
            owner_id: owner,
            service_user_id: context.id(),
            authentication: ClientAuthentication::ClientSecret,
            active: true,
            last_used_at: None,
            revision: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        })
        .collect();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| many.iter().try_for_each(|one| resource::insert(tx, one));
    shop.world.app.store.write(Scope::Tenant(shop.world.tenant), "test", insert).await?;
    shop.world.clock.forward(1);
    let robot = client(&shop, &ada).await?;
    let asked = asked_by(&shop, &robot).await?;
    refused(&shop, &ada, &asked).await;
    Ok(())
}

pub async fn a_client_that_changed_the_rules_has_makers_behind_it(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (asker, ada, bob) = (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("bob").await?);
    let robot = client(&shop, &ada).await?;
    let caller = acting_as(&shop, &robot, Op::EnvironmentUpdate);
    let json = json!({"name": "prod", "soakSeconds": 1, "reason": "it boils over"});
    let _: Environment =
        answer(&shop.world.app.environment_update(&caller, shop.environment.id, replace(json)).await?)?;
    shop.world.app.client_delete(&shop.now(&ada, Op::ClientDelete), robot.id).await?;
    shop.world.clock.forward(1);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    refused(&shop, &ada, &asked).await;
    shop.approve(&bob, &asked, asked.subject_hash).await?;
    Ok(())
}
