//! People in front of the sign-in page: who they are, and their passwords.

use plimsoll_authority::{
    password::{Attempts, PasswordCheck, admit_sign_in, check_new_password},
    secret::{ExposeSecret as _, SecretString},
};
use plimsoll_core::{
    Digest, Error, ErrorCode, Result, Timestamp,
    audit::{AuditOutcome, Origin, Principal, PrincipalType},
    id::{AuditEventId, TenantId, TypedId},
    identity::{Tenant, User},
    permission::Grants,
};
use plimsoll_store::{
    Lock, Scope, Tx,
    audit::{self, AuditEntry},
    identity::{browser, credential, tenant_by_name},
    resource,
};
use serde_json::json;

use super::{
    client::{SCOPE, address_subject, attempts, remember},
    refused::Account,
};
use crate::{App, identity::user::end_sessions};

/// How long the page remembers who signed in.
const BROWSER_SECONDS: i64 = 600;

/// What somebody typed.
#[derive(Debug)]
pub struct SignIn {
    /// The tenant's name.
    pub tenant: String,
    /// Their name.
    pub user: String,
    /// Their password.
    pub password: SecretString,
}

/// Who sits in front of the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Their tenant.
    pub tenant: Tenant,
    /// Who.
    pub user: User,
}

impl App {
    /// Checks a password, throttled by account and address. `cookie` is the digest of what the browser
    /// will show from then on.
    pub async fn sign_in(&self, typed: SignIn, cookie: Digest, origin: &Origin) -> Result<SignedIn> {
        let (now, account) = (self.context.now(), account_subject(&typed.tenant, &typed.user));
        let address = address_subject(origin);
        self.count_attempt(account.clone(), address.clone(), now).await?;
        let (tenant_name, user_name) = (typed.tenant, typed.user);
        let found = self.store.read(SCOPE, "sign_in_read", move |tx| find(tx, &tenant_name, &user_name)).await?;
        let tried =
            found.as_ref().map(|found| Account::user(found.tenant.id, found.user.as_ref().map(|(user, _)| user.id)));
        let found = found.and_then(|found| found.user.map(|(user, hash)| (found.tenant, user, hash)));
        let stored = found.as_ref().filter(|(_, user, _)| user.active).and_then(|(_, _, hash)| hash.clone());
        let authority = self.authority()?;
        let check = authority.check_password(typed.password.clone(), stored).await?;
        let Some((tenant, user, hash)) = found.filter(|_| check != PasswordCheck::Wrong) else {
            if let Some(tried) = tried {
                self.note_refused_sign_in(tried, origin).await?;
            }
            return Err(refused(&account, origin));
        };
        let rehashed = match check {
            PasswordCheck::CorrectButRehash => Some(authority.hash_password(typed.password, &self.context).await?),
            PasswordCheck::Correct | PasswordCheck::Wrong => None,
        };
        let audit = self.context.id();
        let begun = Begun { tenant, user, hash, rehashed, cookie, account: account.clone(), address, audit, now };
        let from = origin.clone();
        let begun = self.store.write(SCOPE, "sign_in", move |tx| begin(tx, &begun, &from)).await?;
        let who = begun.ok_or_else(|| refused(&account, origin))?;
        // Used up or changed: the one of the first start is good for nothing from now on.
        authority.forget_initial_password(who.user.id)?;
        Ok(who)
    }

    /// Counts an attempt before its password is checked, so that a thousand at once don't pass.
    pub(super) async fn count_attempt(&self, account: String, address: String, now: Timestamp) -> Result<()> {
        self.store
            .write(SCOPE, "sign_in_count", move |tx| {
                tx.lock(&Lock::Named("sign_in", &account))?;
                tx.lock(&Lock::Named("sign_in", &address))?;
                let known = (attempts(tx, &account)?, attempts(tx, &address)?);
                let (of_account, of_address) = admit_sign_in(known.0, known.1, now)?;
                remember(tx, &account, of_account, now)?;
                remember(tx, &address, of_address, now)
            })
            .await
    }

    /// Who signed in with the browser's cookie.
    pub async fn signed_in(&self, cookie: Digest) -> Result<Option<SignedIn>> {
        let now = self.context.now();
        self.store
            .read(SCOPE, "signed_in", move |tx| {
                let Some(who) = browser::find(tx, cookie, now)? else { return Ok(None) };
                let home = plimsoll_store::identity::installation::find(tx)?.map(|known| known.default_tenant);
                let Some(home) = home else { return Ok(None) };
                let tenant: Option<Tenant> = tx.within(home, |tx| resource::find(tx, who.tenant))?;
                let user: Option<User> = tx.within(who.tenant, |tx| resource::find(tx, who.user))?;
                Ok(tenant.zip(user.filter(|user| user.active)).map(|(tenant, user)| SignedIn { tenant, user }))
            })
            .await
    }

    /// Sets a new password in place of one that was good once: only the browser that signed in with it can. Other sessions of the user end; `cookie` is the
    /// digest of what this browser shows.
    pub async fn change_own_password(
        &self,
        who: &SignedIn,
        password: SecretString,
        repeated: &SecretString,
        cookie: Digest,
        origin: &Origin,
    ) -> Result<SignedIn> {
        if password.expose_secret() != repeated.expose_secret() {
            return Err(Error::field("repeated", "differs", "the two passwords differ; type the same one twice"));
        }
        check_new_password("password", &password, &who.user.name)?;
        let (tenant, id) = (Scope::Tenant(who.tenant.id), who.user.id);
        let stored = self.store.read(tenant, "password_read", move |tx| credential::used_password_hash(tx, id)).await?;
        let authority = self.authority()?;
        if authority.check_password(password.clone(), stored).await? != PasswordCheck::Wrong {
            return Err(Error::field(
                "password",
                "unchanged",
                "this is the password that was good once; choose another",
            ));
        }
        let hash = authority.hash_password(password, &self.context).await?;
        let (now, audit_id, origin) = (self.context.now(), self.context.id::<AuditEventId>(), origin.clone());
        let of = who.tenant.clone();
        let user = self
            .store
            .write(tenant, "own_password_change", move |tx| {
                tx.lock(&Lock::Tenant(of.id))?;
                let mut user: User = resource::get(tx, id)?;
                (user.must_change_password, user.updated_at) = (false, now);
                credential::set_password_hash(tx, id, &hash)?;
                end_sessions(tx, id, now)?;
                browser::insert(tx, cookie, id, now.plus_seconds(BROWSER_SECONDS))?;
                resource::update(tx, &mut user)?;
                let change = json!({ "password": "[changed]", "mustChangePassword": false });
                record(tx, &of, &user, "own_password_change", audit_id, &origin, now, Some(change))?;
                Ok(user)
            })
            .await?;
        Ok(SignedIn { tenant: who.tenant.clone(), user })
    }
}

/// What a right password begins.
struct Begun {
    tenant: Tenant,
    user: User,
    hash: Option<String>,
    rehashed: Option<String>,
    cookie: Digest,
    account: String,
    address: String,
    audit: AuditEventId,
    now: Timestamp,
}

/// `None` when the password was good once, and somebody used it a moment ago.
fn begin(tx: &mut Tx<'_>, begun: &Begun, origin: &Origin) -> Result<Option<SignedIn>> {
    let now = begun.now;
    let user: User = tx.within(begun.tenant.id, |tx| resource::get(tx, begun.user.id))?;
    let once = begun.hash.as_deref().filter(|_| user.must_change_password);
    if let Some(hash) = once
        && !tx.within(begun.tenant.id, |tx| credential::use_up_password(tx, user.id, hash))?
    {
        return Ok(None);
    }
    credential::forget_attempts(tx, &begun.account)?;
    let address: Attempts = attempts(tx, &begun.address)?;
    remember(tx, &begun.address, address.forgiven(), now)?;
    tx.within(begun.tenant.id, |tx| {
        browser::insert(tx, begun.cookie, begun.user.id, now.plus_seconds(BROWSER_SECONDS))?;
        let mut user = user;
        user.last_sign_in_at = Some(now);
        credential::note_use(tx, &user)?;
        if let Some(hash) = begun.rehashed.as_ref().filter(|_| once.is_none()) {
            credential::set_password_hash(tx, user.id, hash)?;
        }
        record(tx, &begun.tenant, &user, "sign_in", begun.audit, origin, now, None)?;
        Ok(Some(SignedIn { tenant: begun.tenant.clone(), user }))
    })
}

/// The tenant of a name, and its user of a name with the password's hash.
struct Found {
    tenant: Tenant,
    user: Option<(User, Option<String>)>,
}

/// Who these names mean. A client's service user cannot sign in.
fn find(tx: &mut Tx<'_>, tenant: &str, user: &str) -> Result<Option<Found>> {
    let Some(tenant) = tenant_by_name(tx, tenant)? else { return Ok(None) };
    let found = tx.within(tenant.id, |tx| credential::user_by_name(tx, user))?;
    Ok(Some(Found { tenant, user: found.filter(|(user, _)| user.service_of.is_none()) }))
}

/// By what failed attempts of an account are known, whether it exists or not.
pub(crate) fn account_subject(tenant: &str, user: &str) -> String {
    format!("account:{}", Digest::of(format!("{tenant}\0{user}").as_bytes()))
}

/// The log names an account by its digest: what was typed as a name may be a password.
fn refused(account: &str, origin: &Origin) -> Error {
    tracing::warn!(request_id = origin.request_id, account, "a sign-in was refused");
    Error::new(ErrorCode::Unauthenticated, "tenant, name or password is wrong; try again")
}

/// Writes what a person did on the page to their tenant's trail.
#[expect(clippy::too_many_arguments, reason = "an audit line has this many parts")]
pub(super) fn record(
    tx: &mut Tx<'_>,
    tenant: &Tenant,
    user: &User,
    action: &'static str,
    id: AuditEventId,
    origin: &Origin,
    at: Timestamp,
    change: Option<serde_json::Value>,
) -> Result<()> {
    let entry = AuditEntry {
        id,
        at,
        action,
        resource_type: "user",
        resource_id: Some(user.id.to_string()),
        outcome: AuditOutcome::Succeeded,
        error_code: None,
        change,
    };
    audit::append(tx, &person(tenant.id, user), origin, entry)
}

fn person(tenant: TenantId, user: &User) -> Principal {
    Principal {
        tenant,
        kind: PrincipalType::User,
        id: user.id.uuid(),
        user: user.id,
        name: user.name.clone(),
        roles: Vec::new(),
        grants: Grants::default(),
        token_id: String::new(),
    }
}
