//! Permissions, the built-in roles that hold them, and the check.

use std::{collections::BTreeSet, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, ErrorCode, Result},
    id::{EnvironmentId, TypedId},
};

macro_rules! permissions {
    ($($name:ident = $text:literal: $meaning:literal, [$($role:ident)*];)+) => {
        /// One thing that a caller may do. Each operation declares exactly one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Permission { $(#[doc = $meaning] #[serde(rename = $text)] $name,)+ }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As tokens and roles spell it.
            #[must_use]
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)+ } }

            /// What it allows, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str { match self { $(Self::$name => $meaning,)+ } }

            const fn built_in_holders(self) -> &'static [BuiltInRole] {
                match self { $(Self::$name => &[$(BuiltInRole::$role),*],)+ }
            }
        }

        impl FromStr for Permission {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok(Self::$name),)+
                    other => Err(Error::new(ErrorCode::ValidationFailed, format!("{other:?} is not a permission"))),
                }
            }
        }
    };
}

// `Admin` holds every permission but the agents' own two, and `tenant:*` counts in tenant `default` alone.
permissions! {
    TenantRead = "tenant:read": "See the tenants", [Admin];
    TenantCreate = "tenant:create": "Make a tenant", [Admin];
    UserRead = "user:read": "See users", [Admin Auditor];
    UserWrite = "user:write": "Make, change and remove users", [Admin];
    ClientRead = "client:read": "See clients", [Admin Auditor];
    ClientWrite = "client:write": "Make, change and remove clients", [Admin];
    RoleRead = "role:read": "See roles and their bindings", [Admin Auditor];
    RoleWrite = "role:write": "Make, change, give and take roles", [Admin];
    AuditRead = "audit:read": "Read the audit trail", [Admin Auditor];
    IntegrationRead = "integration:read": "See integrations", [Admin ReleaseManager Deployer Operator Auditor Viewer];
    IntegrationWrite = "integration:write": "Make, change, test and remove integrations", [Admin Operator];
    EnvironmentRead = "environment:read": "See environments and freeze windows", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    EnvironmentWrite = "environment:write": "Make, change and remove environments", [Admin Operator];
    FreezeWrite = "freeze:write": "Make and remove freeze windows", [Admin Operator];
    GovernanceChange = "governance:change": "Change what decides about an environment", [Admin];
    TargetRead = "target:read": "See targets, stickers and drift", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    TargetWrite = "target:write": "Make, change, check and remove targets", [Admin Operator];
    AgentRead = "agent:read": "See agents", [Admin ReleaseManager Deployer Operator Auditor Viewer];
    AgentWrite = "agent:write": "Enrol, change and remove agents", [Admin Operator];
    AgentRegister = "agent:register": "Enrol one agent with a registration token", [];
    AgentSession = "agent:session": "An agent's own heartbeat and stream", [Agent];
    ComponentRead = "component:read": "See components and their versions", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    ComponentWrite = "component:write": "Make, change, sync and remove components", [Admin ReleaseManager];
    ReleaseRead = "release:read": "See releases", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    ReleaseCreate = "release:create": "Make, change, seal and deprecate releases", [Admin ReleaseManager];
    PromotionRead = "promotion:read": "See promotions, decisions and approvals", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    PromotionCreate = "promotion:create": "Request and cancel promotions", [Admin ReleaseManager Deployer];
    PromotionApprove = "promotion:approve": "Approve and reject promotions", [Admin Approver];
    PromotionOverride = "promotion:override": "Ask for an override of gates", [Admin];
    PolicyRead = "policy:read": "See approval policies", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    DeploymentRead = "deployment:read": "See jobs, tasks, logs and artifacts", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    DeploymentControl = "deployment:control": "Pause, resume, cancel and guide jobs", [Admin ReleaseManager Deployer];
    RollbackCreate = "rollback:create": "Roll an environment back", [Admin ReleaseManager];
    EvidenceRead = "evidence:read": "Read and download evidence", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    WorkflowRead = "workflow:read": "See workflow templates and runs", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    WorkflowWrite = "workflow:write": "Make, change and run workflows", [Admin ReleaseManager];
    ProgressiveRead = "progressive:read": "See progressive rollouts", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    ProgressiveWrite = "progressive:write": "Start and steer progressive rollouts", [Admin ReleaseManager];
    ReportRead = "report:read": "See audit reports", [Admin Auditor];
    ReportCreate = "report:create": "Make audit reports", [Admin Auditor];
    PluginRead = "plugin:read": "See plugins", [Admin Operator Auditor Viewer];
    PluginWrite = "plugin:write": "Enable, disable and configure plugins", [Admin Operator];
    DashboardRead = "dashboard:read": "Follow the dashboard", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
    SelfRead = "self:read": "See what concerns the caller", [Admin ReleaseManager Deployer Approver Operator Auditor Viewer];
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl utoipa::ToSchema for Permission {
    fn name() -> std::borrow::Cow<'static, str> {
        "Permission".into()
    }
}

impl utoipa::PartialSchema for Permission {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(Self::ALL.iter().map(|one| one.as_str())))
            .build()
            .into()
    }
}

/// The roles that exist from the first start and that nobody edits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BuiltInRole {
    /// Everything.
    Admin,
    /// Components, releases, workflows, promotions, rollbacks.
    ReleaseManager,
    /// Requests promotions and watches.
    Deployer,
    /// Approves and rejects.
    Approver,
    /// Environments except their rules, targets, agents, integrations, plugins.
    Operator,
    /// Reads everything.
    Auditor,
    /// Reads what is not sensitive.
    Viewer,
    /// An agent's own heartbeat and stream.
    Agent,
}

impl BuiltInRole {
    /// Every built-in role.
    pub const ALL: &'static [Self] = &[
        Self::Admin,
        Self::ReleaseManager,
        Self::Deployer,
        Self::Approver,
        Self::Operator,
        Self::Auditor,
        Self::Viewer,
        Self::Agent,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::ReleaseManager => "release_manager",
            Self::Deployer => "deployer",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Viewer => "viewer",
            Self::Agent => "agent",
        }
    }

    /// What it may do.
    #[must_use]
    pub fn permissions(self) -> Vec<Permission> {
        Permission::ALL.iter().copied().filter(|one| one.built_in_holders().contains(&self)).collect()
    }
}

/// A permission as given: everywhere in the tenant, or in one environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    /// What.
    pub permission: Permission,
    /// Where; `None` is the whole tenant.
    pub environment: Option<EnvironmentId>,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.environment {
            None => fmt::Display::fmt(&self.permission, f),
            Some(environment) => write!(f, "{}@{environment}", self.permission),
        }
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once('@') {
            None => Ok(Self { permission: text.parse()?, environment: None }),
            Some((permission, place)) => {
                Ok(Self { permission: permission.parse()?, environment: Some(place.parse()?) })
            }
        }
    }
}

/// Everything that a caller may do. Each call carries it, so that clones share it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Arc<BTreeSet<Grant>>);

impl Grants {
    /// From single grants.
    #[must_use]
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        Self(Arc::new(grants.into_iter().collect()))
    }

    /// Whether `permission` is held in the whole tenant.
    #[must_use]
    pub fn everywhere(&self, permission: Permission) -> bool {
        self.0.contains(&Grant { permission, environment: None })
    }

    /// Whether `permission` is held in `environment`.
    #[must_use]
    pub fn in_environment(&self, permission: Permission, environment: EnvironmentId) -> bool {
        self.everywhere(permission) || self.0.contains(&Grant { permission, environment: Some(environment) })
    }

    /// Whether `permission` is held anywhere at all: the check at the door, before the environment is known.
    #[must_use]
    pub fn somewhere(&self, permission: Permission) -> bool {
        self.0.iter().any(|grant| grant.permission == permission)
    }

    /// Whether everything in `other` is held here too: nobody grants what they don't hold.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|grant| match grant.environment {
            None => self.everywhere(grant.permission),
            Some(environment) => self.in_environment(grant.permission, environment),
        })
    }

    /// The single grants in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }
}

/// The error for a missing permission, naming it and, where it matters, the environment.
#[must_use]
pub fn denied(permission: Permission, environment: Option<EnvironmentId>) -> Error {
    let place = environment.map(|id| format!(" in environment {id}")).unwrap_or_default();
    let mut details = serde_json::json!({ "permission": permission.as_str() });
    if let Some(environment) = environment {
        details["environmentId"] = environment.uuid().to_string().into();
    }
    Error::new(
        ErrorCode::PermissionDenied,
        format!("you lack the permission {permission}{place}; ask an administrator for a role that has it"),
    )
    .details(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_limited_grant_counts_in_its_environment_alone() {
        let (here, there) =
            (EnvironmentId::from_uuid(Uuid::from_u128(1)), EnvironmentId::from_uuid(Uuid::from_u128(2)));
        let grants = Grants::new([Grant { permission: Permission::PromotionApprove, environment: Some(here) }]);
        assert!(grants.somewhere(Permission::PromotionApprove));
        assert!(grants.in_environment(Permission::PromotionApprove, here));
        assert!(!grants.in_environment(Permission::PromotionApprove, there));
        assert!(!grants.everywhere(Permission::PromotionApprove));
    }

    #[test]
    fn grants_read_back_as_written() {
        for permission in Permission::ALL {
            let grant =
                Grant { permission: *permission, environment: Some(EnvironmentId::from_uuid(Uuid::from_u128(7))) };
            assert_eq!(grant.to_string().parse::<Grant>().unwrap(), grant);
        }
    }

    #[test]
    fn only_admin_changes_governance_and_nobody_but_agents_has_a_session() {
        for role in BuiltInRole::ALL {
            let held = role.permissions();
            assert_eq!(held.contains(&Permission::GovernanceChange), *role == BuiltInRole::Admin, "{role:?}");
            assert_eq!(held.contains(&Permission::AgentSession), *role == BuiltInRole::Agent, "{role:?}");
        }
    }
}
