//! The first start and those after it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use plimsoll_app::identity::{FirstStart, change_signing_keys};
use plimsoll_authority::keys::rotation::KeyCommand;
use plimsoll_core::{
    ErrorCode,
    identity::{Role, Tenant, User},
    permission::BuiltInRole,
};
use plimsoll_store::{Scope, Value, resource};

use super::world::{Clock, Place, World};
use crate::on_both;

on_both! {
    the_first_start_makes_an_administrator_and_the_next_ones_nothing;
    replicas_that_start_at_once_agree;
    a_start_with_another_root_key_is_refused;
    keys_rotate_while_replicas_serve;
}

async fn the_first_start_makes_an_administrator_and_the_next_ones_nothing(place: Place) {
    let clock = Clock::new();
    let started = place.start(&clock).await.unwrap();
    let file = place.path().join("initial-admin-password");
    assert_eq!(started.first, FirstStart::PasswordIn(file.clone()));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let written = fs::read_to_string(&file).unwrap();

    let home = started.app.authority().unwrap().home();
    let (tenants, users, roles) = started
        .app
        .store
        .read(Scope::Tenant(home), "test", |tx| {
            Ok((
                resource::find_where::<Tenant>(tx, "1 = 1", &[])?,
                resource::find_by::<User>(tx, "name", Value::Text("admin".into()))?,
                resource::find_where::<Role>(tx, "1 = 1", &[])?,
            ))
        })
        .await
        .unwrap();
    assert_eq!(tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["default"]);
    assert!(users[0].must_change_password && users[0].active);
    assert_eq!(roles.len(), BuiltInRole::ALL.len());

    drop(started);
    let again = place.start(&clock).await.unwrap();
    assert_eq!(again.first, FirstStart::Known);
    assert_eq!(again.app.authority().unwrap().home(), home);
    assert_eq!(fs::read_to_string(&file).unwrap(), written);
}

async fn replicas_that_start_at_once_agree(place: Place) {
    let clock = Clock::new();
    // The root key is there before: replicas share it.
    fs::write(place.path().join("root.key"), "plimsoll-root-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n")
        .unwrap();
    fs::set_permissions(place.path().join("root.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let (one, other) = tokio::join!(place.start(&clock), place.start(&clock));
    let (one, other) = (one.unwrap(), other.unwrap());
    let known = |started: &plimsoll_app::identity::Started| {
        let authority = started.app.authority().unwrap();
        (authority.home(), authority.issuer().keys().active().public().kid().to_owned())
    };
    assert_eq!(known(&one), known(&other));
    let firsts = [&one.first, &other.first].into_iter().filter(|first| **first != FirstStart::Known).count();
    assert!(firsts >= 1);
}

async fn a_start_with_another_root_key_is_refused(place: Place) {
    let clock = Clock::new();
    drop(place.start(&clock).await.unwrap());
    let key = place.path().join("root.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let missing = place.start(&clock).await.unwrap_err();
    assert!(missing.message().contains("is missing"), "{missing}");
    fs::write(&key, "plimsoll-root-key-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let other = place.start(&clock).await.unwrap_err();
    assert!(other.message().contains("another root key"), "{other}");
    fs::write(&key, kept).unwrap();
    place.start(&clock).await.unwrap();
}

async fn keys_rotate_while_replicas_serve(place: Place) {
    let world = World::begin(place).await;
    let replica = world.place.start(&world.clock).await.unwrap().app;
    let signer = |app: &plimsoll_app::App| app.authority().unwrap().issuer().keys().active().public().kid().to_owned();
    let published = |app: &plimsoll_app::App| app.authority().unwrap().issuer().keys().published().len();
    let first = signer(&world.app);

    // By somebody on the host, while the servers run.
    let (store, context) = (world.place.store(), world.app.context.clone());
    change_signing_keys(store, context, &world.place.settings(), KeyCommand::Rotate).await.unwrap();
    world.app.renew_authority().await.unwrap();
    let again = world.app.change_signing_keys(KeyCommand::Rotate).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::StateConflict);
    assert_eq!((signer(&replica), published(&replica)), (first.clone(), 1));
    replica.renew_authority().await.unwrap();
    assert_eq!((signer(&replica), published(&replica)), (first.clone(), 2), "announced, and not yet in force");

    world.clock.advance_seconds(601);
    replica.change_signing_keys(KeyCommand::Settle).await.unwrap();
    world.app.renew_authority().await.unwrap();
    assert_ne!(signer(&world.app), first);
    assert_eq!(signer(&world.app), signer(&replica));
    assert_eq!(published(&world.app), 2, "the old one's tokens still live");

    world.clock.advance_seconds(700);
    world.app.change_signing_keys(KeyCommand::Settle).await.unwrap();
    assert_eq!(published(&world.app), 1);
}
