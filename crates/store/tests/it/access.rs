//! What a principal may do follows from roles, bindings and the tenant's standing.

use plimsoll_core::{
    id::{EnvironmentId, TenantId, UserId},
    identity::{PrincipalRef, Role, RoleBinding, Tenant},
    permission::{BuiltInRole, Grants, Permission},
    rate::Tier,
};
use plimsoll_store::{Scope, identity::access, resource};

use crate::{both::World, on_both};

on_both! {
    limited_bindings_stay_in_their_environment => limited_bindings_stay_in_their_environment;
    tenants_are_managed_from_the_home_tenant_alone => tenants_are_managed_from_the_home_tenant_alone;
}

/// Gives a fresh user of `tenant` the permissions of `built_in`, and reads what they may do.
async fn granted(world: &World, tenant: TenantId, built_in: BuiltInRole, place: Option<EnvironmentId>) -> Grants {
    let (now, user) = (world.now(), world.context.id::<UserId>());
    let role = Role {
        id: world.context.id(),
        name: world.context.uuid().to_string(),
        description: None,
        permissions: built_in.permissions(),
        built_in: false,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    let binding = RoleBinding {
        id: world.context.id(),
        role_id: role.id,
        role: role.name.clone(),
        principal: PrincipalRef::from(user),
        environment_id: place,
        created_by: user,
        created_at: now,
        revision: 1,
        deleted_at: None,
    };
    let scope = Scope::Tenant(tenant);
    let write = move |tx: &mut plimsoll_store::Tx<'_>| {
        resource::insert(tx, &role)?;
        resource::insert(tx, &binding)
    };
    world.store.write(scope, "bind", write).await.unwrap();
    world.store.read(scope, "access", move |tx| access::load(tx, PrincipalRef::from(user))).await.unwrap().grants
}

async fn limited_bindings_stay_in_their_environment(world: World) {
    let (prod, staging) = (world.context.id(), world.context.id());
    let grants = granted(&world, world.tenant, BuiltInRole::Admin, Some(prod)).await;
    assert!(grants.in_environment(Permission::PromotionApprove, prod));
    assert!(!grants.in_environment(Permission::PromotionApprove, staging));
    assert!(grants.everywhere(Permission::ReleaseRead), "what all environments share can be read");
    assert!(!grants.somewhere(Permission::RoleWrite), "what reaches beyond the environment is not given");
}

async fn tenants_are_managed_from_the_home_tenant_alone(world: World) {
    let (home, guest, now) = (world.tenant, world.context.id(), world.now());
    let row = |id, name: &str| Tenant {
        id,
        name: name.to_owned(),
        display_name: None,
        tier: Tier::Standard,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    for tenant in [row(home, "default"), row(guest, "other")] {
        world.store.write(world.scope(), "tenant", move |tx| resource::insert(tx, &tenant)).await.unwrap();
    }
    assert!(granted(&world, home, BuiltInRole::Admin, None).await.everywhere(Permission::TenantCreate));
    let grants = granted(&world, guest, BuiltInRole::Admin, None).await;
    assert!(grants.everywhere(Permission::UserWrite) && !grants.somewhere(Permission::TenantCreate));
}
