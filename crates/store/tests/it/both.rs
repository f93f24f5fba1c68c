//! One test body, two databases.

use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_core::{
    Timestamp,
    audit::{Origin, Principal, PrincipalType},
    component::Component,
    context::Context,
    id::{TenantId, UserId},
    permission::Grants,
};
use plimsoll_store::{Scope, Store, StoreConfig};
use plimsoll_testkit::postgres::{Postgres, TestDatabase};

/// A store and what keeps it alive.
pub struct World {
    pub store: Store,
    pub tenant: TenantId,
    pub context: Context,
    names: AtomicU64,
    _folder: tempfile::TempDir,
    database: Option<TestDatabase>,
}

impl World {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::Sqlite { path: folder.path().join("plimsoll.db"), readers: 2 };
        Self::new(Store::open(&config).unwrap(), folder, None)
    }

    pub fn postgres() -> Self {
        let database = Postgres::shared().unwrap().fresh_database().unwrap();
        let config = StoreConfig::Postgres { url: database.url(), connections: 4 };
        Self::new(Store::open(&config).unwrap(), tempfile::tempdir().unwrap(), Some(database))
    }

    fn new(store: Store, folder: tempfile::TempDir, database: Option<TestDatabase>) -> Self {
        let context = Context::system();
        let tenant = context.id();
        Self { store, tenant, context, names: AtomicU64::new(0), _folder: folder, database }
    }

    /// The database behind a store on PostgreSQL.
    pub const fn database(&self) -> Option<&TestDatabase> {
        self.database.as_ref()
    }

    pub const fn scope(&self) -> Scope {
        Scope::Tenant(self.tenant)
    }

    pub fn now(&self) -> Timestamp {
        self.context.now()
    }

    pub fn component(&self, name: &str) -> Component {
        let now = self.now();
        let json = serde_json::json!({
            "id": self.context.uuid(), "name": name, "registryIntegrationId": self.context.uuid(),
            "repository": format!("shop/{name}"), "instances": 1, "revision": 1, "createdAt": now, "updatedAt": now,
            "labels": {"team": "a"},
        });
        serde_json::from_value(json).unwrap()
    }

    pub fn any_component(&self) -> Component {
        self.component(&format!("c{}", self.names.fetch_add(1, Ordering::Relaxed)))
    }

    pub fn principal(&self) -> Principal {
        Principal {
            tenant: self.tenant,
            kind: PrincipalType::User,
            id: self.context.uuid(),
            user: self.context.id::<UserId>(),
            name: "ada".into(),
            roles: vec![],
            grants: Grants::default(),
            token_id: "t".into(),
        }
    }

    pub fn origin() -> Origin {
        Origin { request_id: "r-1".into(), ..Origin::default() }
    }
}

/// Makes `name::sqlite` and `name::postgres` out of one async body that takes a [`World`].
#[macro_export]
macro_rules! on_both {
    ($($name:ident => $body:expr;)+) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                ($body)($crate::both::World::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                ($body)($crate::both::World::postgres()).await;
            }
        }
    )+};
}
