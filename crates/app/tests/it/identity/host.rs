//! `plimsoll admin` on the server's host.

use plimsoll_app::{
    identity::{Account, HostAdministration},
    oauth::SignIn,
};
use plimsoll_authority::secret::SecretString;
use plimsoll_core::{Digest, ErrorCode, Result, audit::AuditEvent, context::Context, identity::User};
use plimsoll_store::{IntoValue, Scope, identity::administrators, resource};

use super::world::{Place, World};
use crate::on_both;

on_both! {
    a_forgotten_password_is_reset;
    somebody_who_waits_is_unlocked;
    an_administrator_is_made;
}

fn account(user: &str) -> Account {
    Account { tenant: "default".to_owned(), user: user.to_owned() }
}

impl World {
    fn host(&self) -> HostAdministration {
        HostAdministration::new(self.app.store.clone(), Context::new(self.clock.clone()))
    }

    async fn sign_in(&self, user: &str, password: SecretString) -> Result<User> {
        let typed = SignIn { tenant: "default".to_owned(), user: user.to_owned(), password };
        let cookie = Digest::of(&self.app.context.random::<32>());
        Ok(self.app.sign_in(typed, cookie, &plimsoll_core::audit::Origin::default()).await?.user)
    }

    async fn trail(&self, action: &'static str) -> Vec<AuditEvent> {
        let home = Scope::Tenant(self.app.authority().unwrap().home());
        let read = self.app.store.read(home, "test", move |tx| resource::find_by(tx, "action", action.into_value()));
        read.await.unwrap()
    }
}

async fn a_forgotten_password_is_reset(place: Place) {
    let world = World::begin(place).await;
    let password = world.host().reset_password(account("admin")).await.unwrap();
    let user = world.sign_in("admin", password).await.unwrap();
    assert!(user.must_change_password);
    let trail = world.trail("admin_reset_password").await;
    assert_eq!((trail.len(), trail[0].principal_name.as_str()), (1, "plimsoll admin"));

    let unknown = world.host().reset_password(account("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    let elsewhere = Account { tenant: "nowhere".to_owned(), ..account("admin") };
    assert_eq!(world.host().reset_password(elsewhere).await.unwrap_err().code(), ErrorCode::NotFound);
}

async fn somebody_who_waits_is_unlocked(place: Place) {
    let world = World::begin(place).await;
    let password = world.host().reset_password(account("admin")).await.unwrap();
    let mut refused = Vec::new();
    for _ in 0..7 {
        let outcome = world.sign_in("admin", SecretString::from("wrong")).await;
        refused.push(outcome.unwrap_err().code());
    }
    assert!(refused.contains(&ErrorCode::RateLimited), "{refused:?}");
    assert_eq!(world.sign_in("admin", password.clone()).await.unwrap_err().code(), ErrorCode::RateLimited);
    world.host().unlock(account("admin")).await.unwrap();
    world.sign_in("admin", password).await.unwrap();
}

async fn an_administrator_is_made(place: Place) {
    let world = World::begin(place).await;
    let home = Scope::Tenant(world.app.authority().unwrap().home());
    let context = Context::system();
    let (id, now) = (context.id(), context.now());
    let ada = User {
        id,
        name: "ada".to_owned(),
        display_name: None,
        email: None,
        active: true,
        service_of: None,
        must_change_password: false,
        last_sign_in_at: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    world.app.store.write(home, "test", move |tx| resource::insert(tx, &ada)).await.unwrap();
    let count = || world.app.store.read(home, "test", administrators);
    assert_eq!(count().await.unwrap().len(), 1);
    for _ in 0..2 {
        world.host().grant_admin(account("ada")).await.unwrap();
        assert_eq!(count().await.unwrap().len(), 2);
    }
    assert_eq!(world.trail("admin_grant_admin").await.len(), 2);
}
