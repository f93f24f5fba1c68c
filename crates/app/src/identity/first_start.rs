//! The first start: the tenant `default`, the built-in roles and a system administrator.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use plimsoll_authority::{
    password,
    secret::{ExposeSecret, SecretString},
};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::{AuditOutcome, Origin, Principal, PrincipalType},
    id::{AuditEventId, RoleBindingId, RoleId, TenantId, TypedId, UserId},
    identity::{PrincipalRef, Role, RoleBinding, Tenant, User},
    permission::{BuiltInRole, Grants},
    rate::Tier,
};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx,
    audit::{self, AuditEntry},
    identity::{credential, installation, installation::Installation},
    resource,
};

use super::{AuthoritySettings, built_in};
use crate::App;

/// The tenant that administers the others.
pub const HOME: &str = "default";
/// The first system administrator.
pub const ADMINISTRATOR: &str = "admin";
/// Where the one-time password is written, in the data directory.
const PASSWORD_FILE: &str = "initial-admin-password";

/// The server itself, as it acts in a tenant.
pub(crate) fn server_principal(tenant: TenantId) -> Principal {
    Principal {
        tenant,
        kind: PrincipalType::System,
        id: uuid::Uuid::nil(),
        user: UserId::from_uuid(uuid::Uuid::nil()),
        name: "plimsoll".to_owned(),
        roles: Vec::new(),
        grants: Grants::default(),
        token_id: String::new(),
    }
}

/// Where the one-time password is while it was not used.
pub(super) fn password_file(data_directory: &Path) -> PathBuf {
    data_directory.join(PASSWORD_FILE)
}

/// Everything that the first start writes.
#[derive(Clone)]
struct Beginning {
    installation: Installation,
    tenant: Tenant,
    roles: Vec<Role>,
    administrator: User,
    password_hash: String,
    binding: RoleBinding,
    audit: AuditEventId,
}

/// How the administrator gets in.
enum FirstPassword {
    /// The operator chose it.
    Given(SecretString),
    /// It was made and stands in a file; it is changed at the first sign-in.
    Made(SecretString, PathBuf),
}

impl App {
    /// Makes what the first start makes, unless another replica was faster. Answers what the database
    /// remembers, and the file with the one-time password when this call wrote one.
    pub(super) async fn begin(
        &self,
        settings: &AuthoritySettings,
        passwords: &password::Passwords,
        root_key_check: String,
    ) -> Result<(Installation, Option<PathBuf>)> {
        let first = first_password(settings, self)?;
        let (secret, file) = match &first {
            FirstPassword::Given(secret) => (secret, None),
            FirstPassword::Made(secret, file) => (secret, Some(file.clone())),
        };
        let hash = passwords.hash(secret, &self.context)?;
        let beginning = self.beginning(settings, root_key_check, hash, file.is_some());
        if let Some(file) = &file {
            write_password(file, secret)?;
        }
        let scope = Scope::System(SystemReason::Administration);
        let ours = beginning.installation.clone();
        let outcome = self.store.write(scope, "first_start", move |tx| write(tx, &beginning)).await;
        let lost = !matches!(&outcome, Ok(installation) if *installation == ours);
        match file {
            // Nobody has this password.
            Some(file) if lost => {
                remove(&file)?;
                Ok((outcome?, None))
            }
            file => Ok((outcome?, file)),
        }
    }

    fn beginning(
        &self,
        settings: &AuthoritySettings,
        root_key_check: String,
        hash: String,
        one_time: bool,
    ) -> Beginning {
        let (context, now) = (&self.context, self.context.now());
        let (tenant, user): (TenantId, UserId) = (context.id(), context.id());
        let ids: Vec<RoleId> = (0..built_in::COUNT).map(|_| context.id()).collect();
        let roles = built_in::rows(&ids, now);
        let binding = administrator_binding(&roles, context.id(), user, user, now);
        Beginning {
            installation: Installation {
                default_tenant: tenant,
                first_administrator: user,
                issuer: settings.issuer.clone(),
                root_key_check,
                created_at: now,
            },
            tenant: Tenant {
                id: tenant,
                name: HOME.to_owned(),
                display_name: None,
                tier: Tier::Standard,
                revision: 1,
                created_at: now,
                updated_at: now,
            },
            roles,
            administrator: User {
                id: user,
                name: ADMINISTRATOR.to_owned(),
                display_name: Some("System administrator".to_owned()),
                email: None,
                active: true,
                service_of: None,
                must_change_password: one_time,
                last_sign_in_at: None,
                revision: 1,
                created_at: now,
                updated_at: now,
                deleted_at: None,
            },
            password_hash: hash,
            binding,
            audit: context.id(),
        }
    }
}

/// The binding by which `user` holds `admin` everywhere.
pub(crate) fn administrator_binding(
    roles: &[Role],
    id: RoleBindingId,
    user: UserId,
    created_by: UserId,
    now: Timestamp,
) -> RoleBinding {
    let name = BuiltInRole::Admin.name();
    let nil = RoleId::from_uuid(uuid::Uuid::nil());
    RoleBinding {
        id,
        role_id: roles.iter().find(|role| role.name == name).map_or(nil, |role| role.id),
        role: name.to_owned(),
        principal: PrincipalRef::from(user),
        environment_id: None,
        created_by,
        created_at: now,
        revision: 1,
        deleted_at: None,
    }
}

fn write(tx: &mut Tx<'_>, beginning: &Beginning) -> Result<Installation> {
    tx.lock(&Lock::Named("installation", "first start"))?;
    if !installation::begin(tx, &beginning.installation)? {
        return installation::find(tx)?.ok_or_else(|| Error::internal_defect("the installation's row is gone"));
    }
    let now = beginning.installation.created_at;
    tx.within(beginning.tenant.id, |tx| {
        resource::insert(tx, &beginning.tenant)?;
        for role in &beginning.roles {
            resource::insert(tx, role)?;
        }
        resource::insert(tx, &beginning.administrator)?;
        credential::set_password_hash(tx, beginning.administrator.id, &beginning.password_hash)?;
        resource::insert(tx, &beginning.binding)?;
        let entry = AuditEntry {
            id: beginning.audit,
            at: now,
            action: "first_start",
            resource_type: "tenant",
            resource_id: Some(beginning.tenant.id.to_string()),
            outcome: AuditOutcome::Succeeded,
            error_code: None,
            change: Some(resource::as_json(&beginning.administrator)?),
        };
        audit::append(tx, &server_principal(beginning.tenant.id), &Origin::default(), entry)
    })?;
    Ok(beginning.installation.clone())
}

fn first_password(settings: &AuthoritySettings, app: &App) -> Result<FirstPassword> {
    let Some(path) = &settings.admin_password_file else {
        let secret = password::initial_password(&app.context);
        return Ok(FirstPassword::Made(secret, password_file(&settings.data_directory)));
    };
    let refuse = |cause: &dyn std::fmt::Display| {
        Error::new(
            ErrorCode::RuleViolated,
            format!("the administrator's password in {} cannot be used: {cause}", path.display()),
        )
    };
    let text = fs::read_to_string(path).map_err(|cause| refuse(&cause))?;
    let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
    password::check_new_password("password", &secret, ADMINISTRATOR).map_err(|cause| refuse(&cause.message()))?;
    Ok(FirstPassword::Given(secret))
}

fn write_password(path: &Path, secret: &SecretString) -> Result<()> {
    remove(path)?;
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
        file.write_all(secret.expose_secret().as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    });
    written
        .map_err(|cause| Error::new(ErrorCode::Unavailable, format!("{} cannot be written: {cause}", path.display())))
}

/// Removes the one-time password; that there is none is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::new(ErrorCode::Unavailable, format!("{} cannot be removed: {cause}", path.display())))
        }
        _ => Ok(()),
    }
}
