//! Start: the root key, what the first start makes, the keys that sign, what is revoked.

use std::{path::PathBuf, sync::Arc};

use plimsoll_authority::{
    keys::rotation::KeyCommand,
    password::{PasswordCost, Passwords},
    seal::{RootKey, root_file},
    token::{MAX_CACHED, RevocationState, TokenGate, VerifiedTokenCache},
};
use plimsoll_core::{Error, ErrorCode, Result, Timestamp, context::Context};
use plimsoll_store::{
    Scope, Store, SystemReason,
    identity::installation::{self, Installation},
};

use super::{Authority, first_start};
use crate::{App, settings::Settings};

const SCOPE: Scope = Scope::System(SystemReason::Administration);

/// What an operator says of the authority.
#[derive(Clone, Debug)]
pub struct AuthoritySettings {
    /// How clients reach the server, without a slash at the end: `iss` of its tokens.
    pub issuer: String,
    /// Where the root key and the one-time password are.
    pub data_directory: PathBuf,
    /// Another place of the root key.
    pub root_key_file: Option<PathBuf>,
    /// A file whose text is the first administrator's password.
    pub admin_password_file: Option<PathBuf>,
    /// What one hash of a password costs.
    pub password_cost: PasswordCost,
}

impl AuthoritySettings {
    /// With everything in `data_directory`.
    pub fn new(issuer: impl Into<String>, data_directory: impl Into<PathBuf>) -> Self {
        Self {
            issuer: issuer.into().trim_end_matches('/').to_owned(),
            data_directory: data_directory.into(),
            root_key_file: None,
            admin_password_file: None,
            password_cost: PasswordCost::RECOMMENDED,
        }
    }
}

/// Whether this was the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstStart {
    /// No: the database was there.
    Known,
    /// Yes, and the operator chose the administrator's password.
    PasswordGiven,
    /// Yes: the administrator's one-time password stands in this file. Say so, and print it on a terminal
    /// alone.
    PasswordIn(PathBuf),
}

/// What [`start`] made.
#[derive(Debug)]
pub struct Started {
    /// The use cases.
    pub app: Arc<App>,
    /// Whether it was the first time.
    pub first: FirstStart,
}

/// Opens the root key, makes what the first start makes, loads the keys and what is revoked. The data
/// directory must be locked by this process.
pub async fn start(store: Store, context: Context, settings: &AuthoritySettings, of_app: Settings) -> Result<Started> {
    let known = store.read(SCOPE, "installation_read", installation::find).await?;
    let (root, path) = root_key(known.as_ref(), settings, &context)?;
    let root_key_check = root.check_value();
    let app = App::new(store, context, root, of_app);
    let passwords = Passwords::new(settings.password_cost, &app.context)?;
    let (installation, first) = match known {
        Some(known) => (known, FirstStart::Known),
        None => {
            let (made, file) = app.begin(settings, &passwords, root_key_check.to_string()).await?;
            // Another replica may have been faster, with another root key.
            if made.root_key_check != root_key_check.to_string() {
                return Err(other_root_key(&path.display().to_string()));
            }
            (made, file.map_or(FirstStart::PasswordGiven, FirstStart::PasswordIn))
        }
    };
    app.settle_issuer(&installation, &settings.issuer).await?;
    app.settle_built_in_roles().await?;
    app.settle_keys(KeyCommand::Settle).await?;
    let keys = app.load_keys(&settings.issuer).await?;
    // Older than anything: nothing may be changed before the first renewal.
    let nothing = RevocationState::new(Timestamp::from_seconds(0));
    let gate = TokenGate::new(keys.issuer.verifier(), nothing, VerifiedTokenCache::new(MAX_CACHED));
    let authority = Authority::new(
        keys,
        gate,
        passwords,
        installation.default_tenant,
        installation.first_administrator,
        first_start::password_file(&settings.data_directory),
    );
    app.authority.set(authority).map_err(|_| Error::internal_defect("the authority was started twice"))?;
    app.renew_authority().await?;
    Ok(Started { app: Arc::new(app), first })
}

/// The root key that the installation is known by; one is made when there is no installation yet.
fn root_key(
    known: Option<&Installation>,
    settings: &AuthoritySettings,
    context: &Context,
) -> Result<(RootKey, PathBuf)> {
    let check = known.map(|known| known.root_key_check.parse()).transpose()?;
    let path = settings.root_key_file.clone().unwrap_or_else(|| settings.data_directory.join("root.key"));
    let root = root_file::open_or_create(&path, check.as_ref(), context)?.into_key();
    Ok((root, path))
}

/// Changes the keys that sign tokens from outside of a server, which may run meanwhile and follows within
/// seconds: `plimsoll authority rotate-keys`.
pub async fn change_signing_keys(
    store: Store,
    context: Context,
    settings: &AuthoritySettings,
    command: KeyCommand,
) -> Result<()> {
    let known = store.read(SCOPE, "installation_read", installation::find).await?;
    let known = known.ok_or_else(|| {
        Error::new(ErrorCode::StateConflict, "there are no keys yet; start the server once, and it makes the first one")
    })?;
    let (root, _) = root_key(Some(&known), settings, &context)?;
    App::new(store, context, root, Settings::default()).settle_keys(command).await
}

impl App {
    /// Tokens of before are refused when the server is reached by another name.
    async fn settle_issuer(&self, installation: &Installation, issuer: &str) -> Result<()> {
        if installation.issuer == issuer {
            return Ok(());
        }
        tracing::info!(before = installation.issuer, now = issuer, "the server has another URL; tokens of before end");
        let issuer = issuer.to_owned();
        self.store.write(SCOPE, "issuer_set", move |tx| installation::set_issuer(tx, &issuer)).await
    }
}

fn other_root_key(path: &str) -> Error {
    Error::new(
        ErrorCode::RuleViolated,
        format!(
            "another server began this database at the same moment with a root key of its own; copy its root key to {path}, and start again"
        ),
    )
}
