//! Tokens whose limited grants did not fit, and tickets for streams.

use plimsoll_authority::{
    secret::ExposeSecret as _,
    token::{Subject, VerifiedToken},
};
use plimsoll_core::{
    ErrorCode,
    audit::PrincipalType,
    id::{EnvironmentId, RoleBindingId, TypedId as _, UserId},
    identity::{PrincipalRef, Role, RoleBinding},
    permission::{BuiltInRole, Permission},
};
use plimsoll_store::{
    IntoValue, Scope,
    identity::access::{self, Concerned},
    resource,
};

use super::world::{Place, World};
use crate::on_both;

on_both! {
    hundreds_of_limited_grants_are_looked_up;
    a_ticket_opens_one_stream_once;
}

impl World {
    /// Somebody who approves in so many environments, and one of them.
    async fn approver(&self, environments: usize) -> (UserId, EnvironmentId) {
        let (context, now) = (&self.app.context, self.app.context.now());
        let user: UserId = context.id();
        let places: Vec<(RoleBindingId, EnvironmentId)> =
            (0..environments).map(|_| (context.id(), context.id())).collect();
        let first = places[0].1;
        let home = Scope::Tenant(self.app.authority().unwrap().home());
        self.app
            .store
            .write(home, "test", move |tx| {
                let roles: Vec<Role> = resource::find_by(tx, "name", BuiltInRole::Approver.name().into_value())?;
                for (id, environment) in &places {
                    let binding = RoleBinding {
                        id: *id,
                        role_id: roles[0].id,
                        role: roles[0].name.clone(),
                        principal: PrincipalRef::from(user),
                        environment_id: Some(*environment),
                        created_by: user,
                        created_at: now,
                        revision: 1,
                        deleted_at: None,
                    };
                    resource::insert(tx, &binding)?;
                }
                access::raise(tx, Concerned::Principal(user.uuid()), now)
            })
            .await
            .unwrap();
        (user, first)
    }

    /// A token as the grants issue it.
    async fn token_of(&self, user: UserId) -> String {
        let home = self.app.authority().unwrap().home();
        let read = move |tx: &mut plimsoll_store::Tx<'_>| access::load(tx, PrincipalRef::from(user));
        let access = self.app.store.read(Scope::Tenant(home), "test", read).await.unwrap();
        let subject = Subject {
            tenant: home,
            kind: PrincipalType::User,
            id: user.uuid(),
            user,
            name: "ada".to_owned(),
            roles: access.roles,
            grants: access.grants,
            client_id: "plimsoll-cli".to_owned(),
            scope: None,
            authz_version: access.version,
        };
        let issued = self.app.authority().unwrap().issuer().issue(&subject, 600, &self.app.context).unwrap();
        issued.token.expose_secret().to_owned()
    }
}

async fn hundreds_of_limited_grants_are_looked_up(place: Place) {
    let world = World::begin(place).await;
    let (user, first) = world.approver(300).await;
    let token = world.token_of(user).await;
    assert!(token.len() < 8 * 1024, "{}", token.len());
    let admitted = world.admit(&token).await.unwrap();
    let may = |token: &VerifiedToken, place| token.principal.grants.in_environment(Permission::PromotionApprove, place);
    assert!(may(&admitted, first));
    assert!(!may(&admitted, world.app.context.id()));
    assert!(!admitted.principal.grants.everywhere(Permission::PromotionApprove));

    // What was granted since is not in this token.
    let (home, now) = (world.app.authority().unwrap().home(), world.app.context.now());
    let raise = move |tx: &mut plimsoll_store::Tx<'_>| access::raise(tx, Concerned::Principal(user.uuid()), now);
    world.app.store.write(Scope::Tenant(home), "test", raise).await.unwrap();
    assert_eq!(world.admit(&token).await.unwrap_err().code(), ErrorCode::TokenStale);
}

async fn a_ticket_opens_one_stream_once(place: Place) {
    let world = World::begin(place).await;
    let (user, first) = world.approver(300).await;
    let token = world.admit(&world.token_of(user).await).await.unwrap();
    let stream = "/api/v1/deployment-jobs/01890a5d-ac96-774b-bcce-b302099a8057/stream";
    let ticket = || world.app.stream_ticket_create(&token, stream, Permission::PromotionApprove).unwrap();
    let one = ticket();
    let elsewhere = world.app.admit_ticket(one.ticket.expose(), "/api/v1/dashboard/stream").await;
    assert_eq!(elsewhere.unwrap_err().code(), ErrorCode::Unauthenticated);
    let admitted = world.app.admit_ticket(one.ticket.expose(), stream).await.unwrap();
    assert!(admitted.principal.grants.in_environment(Permission::PromotionApprove, first));
    assert!(!admitted.principal.grants.somewhere(Permission::ReleaseRead), "no more than the stream needs");
    assert_eq!((admitted.principal.id, admitted.expires_at), (token.principal.id, token.expires_at));
    let again = world.app.admit_ticket(one.ticket.expose(), stream).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::Unauthenticated);

    let late = ticket();
    world.clock.advance_seconds(31);
    assert!(world.app.admit_ticket(late.ticket.expose(), stream).await.is_err());
    // Neither is taken for the other.
    assert!(world.admit(ticket().ticket.expose()).await.is_err());
}
