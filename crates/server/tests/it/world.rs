//! A server of its own for each test, with two tenants and tokens for whoever is needed.

use plimsoll_app::App;
use plimsoll_authority::{secret::ExposeSecret as _, token::Subject};
use plimsoll_core::{
    audit::PrincipalType,
    context::Context,
    id::{TenantId, TypedId as _, UserId},
    permission::{Grant, Grants, Permission},
};
use plimsoll_server::{Running, config::Config, start};
use plimsoll_testkit::postgres::{Postgres, TestDatabase};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

pub struct World {
    pub server: Running,
    pub context: Context,
    pub client: reqwest::Client,
    /// The tenant `default`.
    pub home: TenantId,
    /// Holds everything in `home`.
    pub admin: String,
    pub admin_id: UserId,
    /// Holds everything in a tenant of its own.
    pub stranger: String,
    pub stranger_tenant: TenantId,
    /// On PostgreSQL.
    pub database: Option<TestDatabase>,
    folder: tempfile::TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn data(&self) -> &Value {
        assert!(self.status.is_success(), "{self:?}");
        &self.body["data"]
    }

    pub fn id(&self) -> String {
        self.data()["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.body);
        self
    }
}

impl World {
    pub async fn sqlite() -> Self {
        Self::new(None).await
    }

    pub async fn postgres() -> Self {
        let database = Postgres::shared().unwrap().fresh_database().unwrap();
        Self::new(Some(database)).await
    }

    async fn new(database: Option<TestDatabase>) -> Self {
        Self::in_folder(database, tempfile::tempdir().unwrap()).await
    }

    /// One like this, with its data in this folder.
    pub async fn again_in(&self, folder: tempfile::TempDir) -> Self {
        let database = self.database.as_ref().map(|_| Postgres::shared().unwrap().fresh_database().unwrap());
        Self::in_folder(database, folder).await
    }

    async fn in_folder(database: Option<TestDatabase>, folder: tempfile::TempDir) -> Self {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            data_directory: folder.path().join("data"),
            database_url: database.as_ref().map(TestDatabase::url),
            database_connections: 4,
            outbound_allow: vec!["127.0.0.0/8".into()],
            allow_process_hosts: true,
            // Agents here do not beat, and none counts as silent in a slow test.
            heartbeat_seconds: 600,
            ..Config::defaults()
        };
        let context = Context::system();
        let server = start(&config, context.clone()).await.unwrap();
        let home = server.app().authority().unwrap().home();
        let client = reqwest::Client::builder().build().unwrap();
        let mut world = Self {
            client,
            home,
            admin: String::new(),
            admin_id: context.id(),
            stranger: String::new(),
            stranger_tenant: context.id(),
            context,
            server,
            database,
            folder,
        };
        world.admin = world.token(home, world.admin_id, all());
        let document = world.client.get(format!("{}/openapi.json", world.server.url)).send().await.unwrap();
        crate::document::keep(document.json().await.unwrap());
        world.stranger = world.token(world.stranger_tenant, world.context.id(), all());
        world
    }

    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(TestDatabase::url)
    }

    pub fn data_directory(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn app(&self) -> &App {
        self.server.app()
    }

    /// A user's token with these grants. Signed by the server's own key, as if it had been fetched.
    pub fn token(&self, tenant: TenantId, user: UserId, grants: Grants) -> String {
        issue(self, tenant, user, grants, 600)
    }

    /// The same, signed by another clock.
    pub fn token_by(&self, context: &Context, tenant: TenantId, user: UserId, grants: Grants) -> String {
        issue_by(self, context, tenant, user, grants, 600)
    }

    pub async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path, token);
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::read(request).await
    }

    pub fn request(&self, method: &str, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.server.url);
        let request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn read(request: reqwest::RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or(json!({ "raw": String::from_utf8_lossy(&bytes) }))
        };
        let answer = Answer { status, headers, body };
        crate::document::check(&method, &path, &answer);
        answer
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Some(&self.admin), None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(&self.admin), Some(body)).await
    }

    /// Somebody new who may everything in the tenant: nobody's bucket of calls runs dry.
    pub fn anybody(&self, tenant: TenantId) -> String {
        self.token(tenant, self.context.id(), all())
    }

    pub async fn get_in(&self, tenant: TenantId, path: &str) -> Answer {
        self.call("GET", path, Some(&self.anybody(tenant)), None).await
    }

    pub async fn post_in(&self, tenant: TenantId, path: &str, body: &Value) -> Answer {
        self.call("POST", path, Some(&self.anybody(tenant)), Some(body)).await
    }

    /// The audit trail, newest first.
    pub async fn audit(&self) -> Vec<Value> {
        use plimsoll_store::{Scope, params};
        let tenant = self.home;
        let texts = self
            .app()
            .store
            .read(Scope::Tenant(tenant), "test_audit", move |tx| {
                let rows = tx.query(
                    "SELECT body FROM audit_event WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC",
                    params![tenant],
                )?;
                rows.into_iter().map(plimsoll_store::Row::first::<String>).collect::<Result<Vec<_>, _>>()
            })
            .await
            .unwrap();
        texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    pub async fn stop(self) {
        self.server.stop().await;
        drop(self.database);
        drop(self.folder);
    }
}

/// A user's token that is good for so many seconds.
pub fn issue(world: &World, tenant: TenantId, user: UserId, grants: Grants, seconds: i64) -> String {
    issue_by(world, &world.context, tenant, user, grants, seconds)
}

fn issue_by(world: &World, context: &Context, tenant: TenantId, user: UserId, grants: Grants, seconds: i64) -> String {
    let subject = Subject {
        tenant,
        kind: PrincipalType::User,
        id: user.uuid(),
        user,
        name: "ada".into(),
        roles: vec!["admin".into()],
        grants,
        client_id: "tests".into(),
        scope: None,
        authz_version: 1_000_000,
    };
    let issued = world.app().authority().unwrap().issuer().issue(&subject, seconds, context).unwrap();
    issued.token.expose_secret().to_owned()
}

/// Every permission, everywhere.
pub fn all() -> Grants {
    Grants::new(Permission::ALL.iter().map(|permission| Grant { permission: *permission, environment: None }))
}

/// Every permission but one.
pub fn all_but(missing: Permission) -> Grants {
    let held = Permission::ALL.iter().filter(|permission| **permission != missing);
    Grants::new(held.map(|permission| Grant { permission: *permission, environment: None }))
}

/// Makes `name::sqlite` and `name::postgres` out of one async body that takes a [`World`].
#[macro_export]
macro_rules! on_both {
    ($($name:ident;)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = $crate::world::World::sqlite().await;
                super::$name(&world).await;
                world.stop().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                let world = $crate::world::World::postgres().await;
                super::$name(&world).await;
                world.stop().await;
            }
        }
    )+};
}
