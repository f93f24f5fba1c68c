//! A small world for use cases: an app over one of the databases, and callers.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use anyhow::{Context as _, Result};
use plimsoll_app::{
    App, Caller, Reply,
    registry::{OutboundPolicy, RegistryGateway},
    replace::Replace,
    settings::Settings,
};
use plimsoll_authority::seal::RootKey;
use plimsoll_core::{
    Timestamp,
    audit::{AuditEvent, Origin, Principal, PrincipalType},
    component::{Component, ComponentVersion, SyncResult},
    context::{Ambient, Context},
    id::{ComponentId, TenantId, UserId},
    integration::Integration,
    permission::{Grant, Grants, Permission},
};
use plimsoll_oci::{NetworkPolicy, ProxyUse};
use plimsoll_protocol::operation::OperationId;
use plimsoll_store::{
    Scope, Store, StoreConfig,
    component_version::StoredVersion,
    event::{self, Followed, PositionedEvent},
    resource::{ListQuery, Page, Resource},
    {SystemReason, Tx},
};
use plimsoll_testkit::{Postgres, TestDatabase};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Runs each test on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                Box::pin(super::$name($crate::support::World::sqlite()?)).await
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() -> anyhow::Result<()> {
                Box::pin(super::$name($crate::support::World::postgres()?)).await
            })+
        }
    };
}

/// An app and what it stands on.
pub struct World {
    pub app: Arc<App>,
    pub clock: Clock,
    pub tenant: TenantId,
    // Dropped after the app.
    _folder: Option<tempfile::TempDir>,
    _database: Option<TestDatabase>,
}

/// A clock that is set by hand, beginning at a round instant.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000_000)))
    }

    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

struct Manual(Clock, Context);

impl Ambient for Manual {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            let [random] = self.1.random::<1>();
            *byte = random;
        }
    }
}

impl World {
    pub fn sqlite() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = StoreConfig::Sqlite { path: folder.path().join("plimsoll.db"), readers: 2 };
        Self::over(&config, Some(folder), None)
    }

    pub fn postgres() -> Result<Self> {
        let database = Postgres::shared()?.fresh_database()?;
        let config = StoreConfig::Postgres { url: database.url(), connections: 4 };
        Self::over(&config, None, Some(database))
    }

    fn over(config: &StoreConfig, folder: Option<tempfile::TempDir>, database: Option<TestDatabase>) -> Result<Self> {
        let clock = Clock::new();
        let context = Context::new(Manual(clock.clone(), Context::system()));
        let root = RootKey::generate(&context);
        let outbound = OutboundPolicy { network: NetworkPolicy::with_loopback(), proxy: ProxyUse::Direct };
        let tenant = context.id();
        let settings = Settings { outbound, ..Settings::default() };
        let app = App::new(Store::open(config)?, context, root, settings);
        Ok(Self { app: Arc::new(app), clock, tenant, _folder: folder, _database: database })
    }

    /// Somebody of the world's tenant who may do everything, calling `operation`.
    pub fn caller(&self, operation: OperationId) -> Caller {
        self.caller_of(self.tenant, operation)
    }

    /// Somebody of another tenant.
    pub fn caller_of(&self, tenant: TenantId, operation: OperationId) -> Caller {
        let grants = Permission::ALL.iter().map(|&permission| Grant { permission, environment: None });
        let user: UserId = self.app.context.id();
        Caller {
            principal: Principal {
                tenant,
                kind: PrincipalType::User,
                id: plimsoll_core::id::TypedId::uuid(user),
                user,
                name: "ada".to_owned(),
                roles: vec!["admin".to_owned()],
                grants: Grants::new(grants),
                token_id: Uuid::nil().to_string(),
            },
            origin: Origin { request_id: "test".to_owned(), address: None, user_agent: None },
            operation,
            subject: None,
            now: self.clock.now(),
            idempotency: None,
            if_match: None,
        }
    }

    /// The audit trail, oldest first.
    pub async fn trail(&self) -> Result<Vec<AuditEvent>> {
        let caller = self.caller(OperationId::AuditEventList);
        let page = self.app.store.list::<AuditEvent>(caller.scope(), "test", everything::<AuditEvent>("at")?).await?;
        Ok(page.items)
    }

    /// All events of one kind of resource, in their order.
    pub async fn events(&self, topic: &'static str) -> Result<Vec<PositionedEvent>> {
        let now = self.clock.now();
        let sequenced = move |tx: &mut Tx<'_>| event::sequence(tx, "test", now);
        while self
            .app
            .store
            .write(Scope::System(SystemReason::Sequencer), "test", sequenced)
            .await?
            .is_some_and(|taken| taken > 0)
        {}
        let read = move |tx: &mut Tx<'_>| event::after(tx, &Followed::Topic(topic), 0, 1000);
        Ok(self.app.store.read(Scope::Tenant(self.tenant), "test", read).await?)
    }

    /// One number out of the database.
    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        let count = move |tx: &mut Tx<'_>| tx.query_one(sql, &[])?.first::<i64>();
        Ok(self.app.store.read(Scope::Tenant(self.tenant), "test", count).await?)
    }
}

impl World {
    /// The same world with other registries behind it.
    pub fn with_registries(mut self, registries: impl RegistryGateway) -> Self {
        let app = Arc::get_mut(&mut self.app).expect("nobody else holds the app yet");
        app.registries = Arc::new(registries);
        self
    }

    /// An integration with a registry.
    pub async fn registry(&self, url: &str) -> Result<Integration> {
        let json = json!({"name": "hub", "typeId": "oci_registry", "config": {"url": url, "insecure": true}});
        answer(&self.app.integration_create(&self.caller(OperationId::IntegrationCreate), body(json)).await?)
    }

    /// A component, made of the fields of its body.
    pub async fn component(&self, json: Value) -> plimsoll_core::Result<Component> {
        let caller = self.caller(OperationId::ComponentCreate);
        let reply = self.app.component_create(&caller, body(json)).await?;
        Ok(answer(&reply).expect("a component"))
    }

    /// Syncs a component now.
    pub async fn sync(&self, id: ComponentId) -> plimsoll_core::Result<SyncResult> {
        let caller = self.caller(OperationId::ComponentSyncVersions);
        let reply = self.app.component_sync_versions(&caller, id).await?;
        Ok(answer(&reply).expect("what a sync did"))
    }

    /// All versions of a component, the highest first.
    pub async fn versions(&self, id: ComponentId) -> Result<Vec<ComponentVersion>> {
        let caller = self.caller(OperationId::ComponentVersions);
        let page = self.app.component_versions(&caller, id, everything::<StoredVersion>("-version")?).await?;
        Ok(page.items)
    }
}

/// The first hundred of a list.
pub fn everything<R: Resource>(sort: &str) -> Result<ListQuery> {
    Ok(ListQuery::new(&R::TABLE, &Page { page_size: Some(100), ..Page::default() }, sort)?)
}

/// A body, as it comes from the wire.
pub fn body<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("a body of this test fits its type")
}

/// The body of a PUT.
pub fn replace<T: DeserializeOwned>(json: Value) -> Replace<T> {
    Replace { body: body(json), read_only: Map::new() }
}

/// What a mutation answered.
pub fn answer<T: DeserializeOwned>(reply: &Reply) -> Result<T> {
    serde_json::from_slice(&reply.answer.answer).context("an answer fits its type")
}

/// A value as text, to search it for what must not be in it.
pub fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("JSON")
}

/// The code of a refusal.
pub fn code<T: std::fmt::Debug>(outcome: plimsoll_core::Result<T>) -> &'static str {
    outcome.expect_err("a refusal").code().as_str()
}

/// The fields that a refusal names.
pub fn fields<T: std::fmt::Debug>(outcome: plimsoll_core::Result<T>) -> Vec<String> {
    outcome.expect_err("a refusal").validation().iter().map(|one| one.field.clone()).collect()
}
