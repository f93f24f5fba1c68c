//! A server with fifty tenants, a thousand principals and any number of releases.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use plimsoll_authority::{
    secret::ExposeSecret as _,
    token::{Issuer, Subject},
};
use plimsoll_core::{
    Timestamp,
    audit::PrincipalType,
    context::Context,
    id::{IntegrationId, TenantId, TypedId as _, UserId},
    identity::{Tenant, User},
    integration::{Integration, IntegrationStatus},
    permission::{Grant, Grants, Permission},
    rate::Tier,
};
use plimsoll_server::{config::Config, start};
use plimsoll_store::{Scope, Store, SystemReason, Tx, resource};
use plimsoll_testkit::{Postgres, TestDatabase, free_port};

use crate::{
    process::{Running, binary},
    releases,
};

/// How many tenants share the rows.
pub const TENANTS: usize = 50;
/// Tokens in rotation, each of a principal of its own.
pub const TOKENS: usize = 1_000;
/// A token outlives its row's measurement.
const TOKEN_SECONDS: i64 = 3_600;

/// Where the data is.
pub enum Data {
    Sqlite,
    Postgres(TestDatabase),
}

/// A prepared data directory, not served.
pub struct World {
    pub folder: PathBuf,
    pub data: Data,
    pub address: SocketAddr,
    pub tenants: Vec<TenantId>,
    /// A registry integration of each tenant.
    pub registries: Vec<IntegrationId>,
    /// Releases to ask for: which tenant's, and the id.
    pub releases: Vec<(usize, String)>,
    /// The administrator of the first start, with their tenant.
    administrator: (TenantId, UserId),
    issuer: Arc<Issuer>,
    context: Context,
}

/// One principal's token.
pub struct Token {
    pub tenant: usize,
    pub text: String,
}

impl World {
    /// Makes the database, fifty tenants, and `rows` releases.
    pub async fn prepare(place: &Path, name: &str, postgres: Option<&Postgres>, rows: usize) -> Result<Self> {
        Self::of(TENANTS, place, name, postgres, rows).await
    }

    /// The same for another number of tenants.
    pub async fn of(count: usize, place: &Path, name: &str, postgres: Option<&Postgres>, rows: usize) -> Result<Self> {
        let folder = place.join(name);
        std::fs::create_dir_all(&folder)?;
        let data = match postgres {
            None => Data::Sqlite,
            Some(server) => Data::Postgres(server.fresh_database()?),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let context = Context::system();
        let config = Config {
            listen: address,
            data_directory: folder.join("data"),
            database_url: data.url(),
            ..Config::defaults()
        };
        let server = start(&config, context.clone()).await?;
        let authority = server.app().authority()?;
        let (issuer, home) = (authority.issuer(), authority.home());
        let (mut tenants, mut registries) = (Vec::new(), Vec::new());
        for number in 0..count {
            let (tenant, integration) = (tenant(&context, number), registry(&context));
            tenants.push(tenant.id);
            registries.push(integration.id);
            let id = tenant.id;
            let store = &server.app().store;
            store
                .write(Scope::System(SystemReason::Tenants), "seed", move |tx| {
                    tx.within(home, |tx| resource::insert(tx, &tenant))
                })
                .await?;
            store.write(Scope::Tenant(id), "seed", move |tx| resource::insert(tx, &integration)).await?;
        }
        let administrator = (home, administrator(&server.app().store, home).await?);
        server.stop().await;
        let releases = releases::insert(&folder, &data, &tenants, rows, &context).await?;
        Ok(Self { folder, data, address, tenants, registries, releases, administrator, issuer, context })
    }

    /// The release binary on this data; answers how long it took until it was ready.
    pub async fn serve(&self, flags: &[&str]) -> Result<(Running, Duration)> {
        let mut command = Command::new(binary("plimsoll")?);
        command.env_clear().env("HOME", &self.folder).current_dir(&self.folder);
        command.args(["serve", "--listen", &self.address.to_string(), "--data-directory", "data"]);
        command.args(flags);
        if let Some(url) = self.data.url() {
            command.args(["--database-url", &url]);
        }
        let begun = Instant::now();
        let mut running = Running::spawn(&mut command, &self.folder.join("server.log"))?;
        let took = running.ready(self.address, "/readyz", begun).await?;
        Ok((running, took))
    }

    /// Tokens of principals spread evenly over the tenants, signed by the server's own key.
    pub fn tokens(&self) -> Result<Vec<Token>> {
        (0..TOKENS).map(|number| self.token(number % self.tenants.len())).collect()
    }

    fn token(&self, tenant: usize) -> Result<Token> {
        let id = *self.tenants.get(tenant).context("no such tenant")?;
        Ok(Token { tenant, text: self.signed(id, self.context.id())? })
    }

    /// A token of the administrator, who is in the database: what they make outlives the call.
    pub fn administrator(&self) -> Result<String> {
        let (tenant, user) = self.administrator;
        self.signed(tenant, user)
    }

    fn signed(&self, tenant: TenantId, user: UserId) -> Result<String> {
        let grants = Permission::ALL.iter().map(|one| Grant { permission: *one, environment: None });
        let subject = Subject {
            tenant,
            kind: PrincipalType::User,
            id: user.uuid(),
            user,
            name: "speed".into(),
            roles: vec!["admin".into()],
            grants: Grants::new(grants),
            client_id: "speed".into(),
            scope: None,
            authz_version: 1_000_000,
        };
        let issued = self.issuer.issue(&subject, TOKEN_SECONDS, &self.context)?;
        Ok(issued.token.expose_secret().to_owned())
    }
}

impl Data {
    /// The superuser's URL of a PostgreSQL database.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(database) => Some(database.url()),
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

async fn administrator(store: &Store, home: TenantId) -> Result<UserId> {
    let find =
        |tx: &mut Tx<'_>| resource::find_where::<User>(tx, "deleted_at IS NULL ORDER BY created_at, id LIMIT 1", &[]);
    let found = store.read(Scope::Tenant(home), "seed", find).await?;
    Ok(found.first().context("the first start makes an administrator")?.id)
}

/// A tenant of the premium tier: 5000 requests a minute for each principal.
fn tenant(context: &Context, number: usize) -> Tenant {
    let now: Timestamp = context.now();
    Tenant {
        id: context.id(),
        name: format!("tenant-{number}"),
        display_name: None,
        tier: Tier::Premium,
        revision: 1,
        created_at: now,
        updated_at: now,
    }
}

/// A registry that refuses at once without any traffic: loopback is not allowed by default.
fn registry(context: &Context) -> Integration {
    let now = context.now();
    let config = [("url".to_owned(), "http://127.0.0.1:9".into()), ("insecure".to_owned(), true.into())];
    Integration {
        id: context.id(),
        name: "hub".into(),
        type_id: "oci_registry".into(),
        config: config.into_iter().collect(),
        secrets: std::collections::BTreeMap::default(),
        enabled: true,
        via: None,
        status: IntegrationStatus::Unknown,
        last_tested_at: None,
        labels: plimsoll_core::label::Labels::default(),
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}
