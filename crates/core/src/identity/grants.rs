//! Which grants follow from roles and bindings, and the rules that keep anyone from giving more than they
//! have.

use std::collections::{BTreeMap, BTreeSet};

use super::resource::{Role, RoleBinding};
use crate::{
    error::{Error, ErrorCode, Result},
    id::{EnvironmentId, RoleId},
    permission::{Grant, Grants, Permission, denied},
};

/// What a binding that is limited to an environment gives of a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It holds in that environment alone.
    Environment,
    /// It holds everywhere: a read of what all environments share, without which the rest of the role
    /// could not be used.
    Shared,
    /// It is not given at all: it would reach beyond the environment.
    Tenant,
}

/// Where a tenant stands on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Tenant `default`, to which the system administrators belong.
    Home,
    /// Any other.
    Guest,
}

const fn reach(permission: Permission) -> Reach {
    use Permission as P;
    match permission {
        P::EnvironmentRead
        | P::EnvironmentWrite
        | P::FreezeWrite
        | P::GovernanceChange
        | P::TargetRead
        | P::TargetWrite
        | P::PromotionRead
        | P::PromotionCreate
        | P::PromotionApprove
        | P::PromotionOverride
        | P::DeploymentRead
        | P::DeploymentControl
        | P::RollbackCreate
        | P::EvidenceRead
        | P::ProgressiveRead
        | P::ProgressiveWrite => Reach::Environment,
        P::ComponentRead
        | P::ReleaseRead
        | P::PolicyRead
        | P::IntegrationRead
        | P::AgentRead
        | P::WorkflowRead
        | P::PluginRead
        | P::DashboardRead
        | P::SelfRead => Reach::Shared,
        P::TenantRead
        | P::TenantCreate
        | P::UserRead
        | P::UserWrite
        | P::ClientRead
        | P::ClientWrite
        | P::RoleRead
        | P::RoleWrite
        | P::AuditRead
        | P::IntegrationWrite
        | P::AgentWrite
        | P::AgentRegister
        | P::AgentSession
        | P::ComponentWrite
        | P::ReleaseCreate
        | P::WorkflowWrite
        | P::ReportRead
        | P::ReportCreate
        | P::PluginWrite => Reach::Tenant,
    }
}

/// What `role` gives, everywhere or in `environment` alone. `tenant:*` counts in the home tenant only.
#[must_use]
pub fn grants_of(role: &Role, environment: Option<EnvironmentId>, standing: Standing) -> Grants {
    let granted = role.permissions.iter().copied().filter(|one| match one {
        Permission::TenantRead | Permission::TenantCreate => standing == Standing::Home,
        // What agents have they have by being agents; no role of a person or client gives it.
        Permission::AgentSession | Permission::AgentRegister => false,
        _ => true,
    });
    Grants::new(granted.filter_map(|permission| match (environment, reach(permission)) {
        (None, _) | (Some(_), Reach::Shared) => Some(Grant { permission, environment: None }),
        (Some(_), Reach::Environment) => Some(Grant { permission, environment }),
        (Some(_), Reach::Tenant) => None,
    }))
}

/// Everything that follows from the bindings of one principal. Deleted roles and bindings give nothing.
#[must_use]
pub fn effective_grants<'a>(
    roles: impl IntoIterator<Item = &'a Role>,
    bindings: impl IntoIterator<Item = &'a RoleBinding>,
    standing: Standing,
) -> Grants {
    let roles: BTreeMap<RoleId, &Role> =
        roles.into_iter().filter(|role| role.deleted_at.is_none()).map(|role| (role.id, role)).collect();
    let of_binding = |binding: &RoleBinding| {
        let role = roles.get(&binding.role_id).filter(|_| binding.deleted_at.is_none());
        role.map(|role| grants_of(role, binding.environment_id, standing)).unwrap_or_default()
    };
    Grants::new(bindings.into_iter().flat_map(|binding| of_binding(binding).iter().copied().collect::<Vec<_>>()))
}

/// Whether `holder` may bring about that somebody holds `given`: nobody grants what they don't hold. The
/// error names the first permission that is missing.
pub fn may_grant(holder: &Grants, given: &Grants) -> Result<()> {
    let missing = given.iter().find(|grant| !holder.covers(&Grants::new([**grant])));
    missing.map_or(Ok(()), |grant| Err(denied(grant.permission, grant.environment)))
}

/// Whether `holder` may make a role with `permissions`, which anyone may then be bound to everywhere.
pub fn may_make_role(holder: &Grants, permissions: &[Permission]) -> Result<()> {
    let wanted = permissions.iter().map(|one| Grant { permission: *one, environment: None });
    may_grant(holder, &Grants::new(wanted))
}

/// Whether `holder`, who holds the roles `held`, may give `role` the permissions `wanted`. Built-in roles
/// are nobody's to edit, the own ones neither; only what is added must be held.
pub fn may_edit_role(holder: &Grants, held: &BTreeSet<RoleId>, role: &Role, wanted: &[Permission]) -> Result<()> {
    if role.built_in {
        return Err(Error::new(
            ErrorCode::RuleViolated,
            format!("the role {} came with the product and cannot be edited; make a role of your own", role.name),
        ));
    }
    if held.contains(&role.id) {
        return Err(Error::new(
            ErrorCode::PermissionDenied,
            format!("you hold the role {} yourself, so somebody else must edit it", role.name),
        )
        .details(serde_json::json!({ "role": role.name })));
    }
    let added: Vec<_> = wanted.iter().copied().filter(|one| !role.permissions.contains(one)).collect();
    may_make_role(holder, &added)
}

/// Whether `holder` may do what lets them act as `subject`: set its password, make it a new secret, become
/// its owner. That would give them whatever the subject holds.
pub fn may_act_as(holder: &Grants, subject: &Grants) -> Result<()> {
    may_grant(holder, subject)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Timestamp, id::TypedId, identity::resource::PrincipalRef, permission::BuiltInRole, release::testing::id,
    };

    fn role(number: u128, permissions: &[Permission]) -> Role {
        Role {
            id: id(number),
            name: format!("role-{number}"),
            description: None,
            permissions: permissions.to_vec(),
            built_in: false,
            revision: 1,
            created_at: Timestamp::from_seconds(0),
            updated_at: Timestamp::from_seconds(0),
            deleted_at: None,
        }
    }

    fn binding(role: &Role, principal: u128, environment: Option<EnvironmentId>) -> RoleBinding {
        RoleBinding {
            id: id(1_000),
            role_id: role.id,
            role: role.name.clone(),
            principal: PrincipalRef::from(id::<crate::id::UserId>(principal)),
            environment_id: environment,
            created_by: id(1),
            created_at: Timestamp::from_seconds(0),
            revision: 1,
            deleted_at: None,
        }
    }

    #[test]
    fn an_approver_of_one_environment_approves_there_and_can_read_what_is_needed() {
        let approver = role(1, &BuiltInRole::Approver.permissions());
        let (prod, staging) = (id::<EnvironmentId>(1), id::<EnvironmentId>(2));
        let grants = effective_grants([&approver], [&binding(&approver, 1, Some(prod))], Standing::Guest);
        assert!(grants.in_environment(Permission::PromotionApprove, prod));
        assert!(!grants.in_environment(Permission::PromotionApprove, staging));
        assert!(grants.everywhere(Permission::ReleaseRead) && grants.everywhere(Permission::SelfRead));
        assert!(!grants.everywhere(Permission::TargetRead));
    }

    #[test]
    fn a_limited_binding_never_changes_what_all_environments_share() {
        let admin = role(1, Permission::ALL);
        let prod = id::<EnvironmentId>(1);
        let grants = grants_of(&admin, Some(prod), Standing::Home);
        for grant in grants.iter() {
            let name = grant.permission.as_str();
            assert!(grant.environment.is_some() || name.ends_with(":read"), "{name} everywhere");
        }
        for kept_out in [Permission::UserWrite, Permission::RoleWrite, Permission::AuditRead, Permission::ReleaseCreate]
        {
            assert!(!grants.somewhere(kept_out), "{kept_out}");
        }
    }

    #[test]
    fn tenants_are_seen_and_made_from_the_home_tenant_alone_and_agents_rights_from_no_role() {
        let all = role(1, Permission::ALL);
        let home = grants_of(&all, None, Standing::Home);
        let guest = grants_of(&all, None, Standing::Guest);
        assert!(home.everywhere(Permission::TenantCreate) && !guest.somewhere(Permission::TenantCreate));
        assert!(!home.somewhere(Permission::AgentSession) && !home.somewhere(Permission::AgentRegister));
        assert_eq!(guest.iter().count(), Permission::ALL.len() - 4);
    }

    #[test]
    fn deleted_roles_and_bindings_give_nothing() {
        let mut gone = role(1, &[Permission::ReleaseRead]);
        let live = binding(&gone, 1, None);
        let deleted = RoleBinding { deleted_at: Some(Timestamp::from_seconds(1)), ..live.clone() };
        assert_eq!(effective_grants([&gone], [&deleted], Standing::Home), Grants::default());
        assert_ne!(effective_grants([&gone], [&live], Standing::Home), Grants::default());
        gone.deleted_at = Some(Timestamp::from_seconds(1));
        assert_eq!(effective_grants([&gone], [&live], Standing::Home), Grants::default());
        assert_eq!(effective_grants([], [&live], Standing::Home), Grants::default());
    }

    #[test]
    fn nobody_grants_what_they_do_not_hold() {
        let prod = id::<EnvironmentId>(1);
        let here = Grants::new([Grant { permission: Permission::PromotionApprove, environment: Some(prod) }]);
        let everywhere = Grants::new([Grant { permission: Permission::PromotionApprove, environment: None }]);
        assert!(may_grant(&everywhere, &here).is_ok());
        assert!(may_grant(&here, &here).is_ok());
        let error = may_grant(&here, &everywhere).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied);
        assert!(error.message().contains("promotion:approve"));
        assert!(may_act_as(&Grants::default(), &here).is_err());
        assert!(may_act_as(&here, &Grants::default()).is_ok());
    }

    #[test]
    fn roles_are_edited_by_others_and_built_in_ones_by_nobody() {
        let holder = Grants::new([Grant { permission: Permission::ReleaseRead, environment: None }]);
        let mine = role(1, &[Permission::TargetRead]);
        let none = BTreeSet::new();
        assert!(may_edit_role(&holder, &none, &mine, &[Permission::TargetRead, Permission::ReleaseRead]).is_ok());
        assert!(may_edit_role(&holder, &none, &mine, &[]).is_ok());
        let error = may_edit_role(&holder, &none, &mine, &[Permission::AuditRead]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PermissionDenied);
        assert!(may_edit_role(&holder, &BTreeSet::from([mine.id]), &mine, &[]).is_err());
        let built_in = Role { built_in: true, ..mine };
        assert_eq!(may_edit_role(&holder, &none, &built_in, &[]).unwrap_err().code(), ErrorCode::RuleViolated);
    }

    /// One thing that a principal tries.
    #[derive(Clone, Debug)]
    enum Attempt {
        Make(Vec<usize>),
        Edit(usize, Vec<usize>),
        Bind(usize, u128, Option<u128>),
        TakeOver(u128),
    }

    fn attempt() -> impl Strategy<Value = Attempt> {
        let permissions = || proptest::collection::vec(0..Permission::ALL.len(), 0..4);
        prop_oneof![
            permissions().prop_map(Attempt::Make),
            (0..6usize, permissions()).prop_map(|(role, wanted)| Attempt::Edit(role, wanted)),
            (0..6usize, 0..4u128, proptest::option::of(1..3u128))
                .prop_map(|(role, who, place)| Attempt::Bind(role, who, place)),
            (0..4u128).prop_map(Attempt::TakeOver),
        ]
    }

    struct World {
        roles: Vec<Role>,
        bindings: Vec<(u128, RoleBinding)>,
        acts_as: BTreeMap<u128, BTreeSet<u128>>,
    }

    impl World {
        /// What `who` can do: its own grants and those of everyone it took over.
        fn grants(&self, who: u128) -> Grants {
            let mut selves = self.acts_as.get(&who).cloned().unwrap_or_default();
            selves.insert(who);
            let bindings = self.bindings.iter().filter(|(holder, _)| selves.contains(holder)).map(|(_, one)| one);
            effective_grants(&self.roles, bindings, Standing::Guest)
        }

        fn attempt(&mut self, who: u128, what: &Attempt) {
            let holder = self.grants(who);
            let pick = |list: &[usize]| list.iter().map(|index| Permission::ALL[*index]).collect::<Vec<_>>();
            match what {
                Attempt::Make(wanted) => {
                    if may_make_role(&holder, &pick(wanted)).is_ok() {
                        self.roles.push(role(self.roles.len() as u128, &pick(wanted)));
                    }
                }
                Attempt::Edit(index, wanted) => {
                    let held =
                        self.bindings.iter().filter(|(one, _)| *one == who).map(|(_, one)| one.role_id).collect();
                    if let Some(role) = self.roles.get_mut(*index)
                        && may_edit_role(&holder, &held, role, &pick(wanted)).is_ok()
                    {
                        role.permissions = pick(wanted);
                    }
                }
                Attempt::Bind(index, to, place) => {
                    let Some(role) = self.roles.get(*index) else { return };
                    let place = place.map(|number| EnvironmentId::from_uuid(uuid::Uuid::from_u128(number)));
                    if may_grant(&holder, &grants_of(role, place, Standing::Guest)).is_ok() {
                        self.bindings.push((*to, binding(role, *to, place)));
                    }
                }
                Attempt::TakeOver(whom) => {
                    if may_act_as(&holder, &self.grants(*whom)).is_ok() {
                        self.acts_as.entry(who).or_default().insert(*whom);
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_sequence_of_calls_gives_anyone_more_than_all_held_together(
            start in proptest::collection::vec(proptest::collection::vec(0..Permission::ALL.len(), 0..6), 3),
            limited in proptest::collection::vec(proptest::option::of(1..3u128), 3),
            calls in proptest::collection::vec((0..4u128, attempt()), 0..40),
        ) {
            let roles: Vec<Role> = (0..).zip(&start)
                .map(|(number, list)| role(number, &list.iter().map(|index| Permission::ALL[*index]).collect::<Vec<_>>()))
                .collect();
            let bindings = (0..).zip(roles.iter().zip(&limited))
                .map(|(who, (role, place))| {
                    let place = place.map(|number| EnvironmentId::from_uuid(uuid::Uuid::from_u128(number)));
                    (who, binding(role, who, place))
                })
                .collect();
            let mut world = World { roles, bindings, acts_as: BTreeMap::new() };
            // A role that exists may have been made by an administrator with more than its holders hold, so
            // what counts is what the principals hold together.
            let together = Grants::new((0..4).flat_map(|who| world.grants(who).iter().copied().collect::<Vec<_>>()));
            for (who, what) in &calls {
                world.attempt(*who, what);
                for one in 0..4 {
                    prop_assert!(together.covers(&world.grants(one)), "{who} {what:?}");
                }
            }
        }
    }
}
