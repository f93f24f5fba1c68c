//! The statements that creating a component runs, with texts of the same length: those of a component that the
//! product made before.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use plimsoll_core::context::Context;
use tokio_postgres::{Client, Statement};

const INTEGRATION: &str = "SELECT body FROM integration WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
const COMPONENT: &str = "INSERT INTO component (tenant_id, id, revision, created_at, body, name, repository, registry_integration_id, updated_at)
  VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $3) ON CONFLICT DO NOTHING";
const DEPENDENCIES: &str = "DELETE FROM component_dependency WHERE tenant_id = $1 AND component_id = $2";
const WORK: &str =
    "INSERT INTO work (tenant_id, kind, subject, run_at, epoch, attempts) VALUES ($1, 'component_sync', $2, $3, 0, 0)
  ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET run_at = excluded.run_at";
const AUDIT: &str =
    "INSERT INTO audit_event (tenant_id, id, revision, created_at, body, principal_type, principal_id, action,
    resource_type, resource_id, outcome, request_id, canonical, digest)
  VALUES ($1, $2, 1, $3, $4, 'user', $2, 'component_create', 'component', $5, 'succeeded', $2, $6, $7)";
const EVENT: &str = "INSERT INTO event (tenant_id, id, at, topic, resource_id, type, data) VALUES ($1, $2, $3, 'component', $4, 'component.created', $5)";
const UNSEQUENCED: &str = "INSERT INTO unsequenced (tenant_id, event_id, at) VALUES ($1, $2, $3)";

/// What the product stored of its own component.
pub struct Templates {
    /// Tenants with their registries, which take turns.
    registries: Vec<(String, String)>,
    turn: AtomicUsize,
    component: String,
    audit: String,
    canonical: Vec<u8>,
    digest: String,
    repository: String,
}

const FIND: [&str; 3] = [
    "SELECT tenant_id, id FROM integration",
    "SELECT body, repository FROM component LIMIT 1",
    "SELECT body, canonical, digest FROM audit_event WHERE action = 'component_create' LIMIT 1",
];

/// One component to be stored.
pub struct Created {
    ids: [String; 3],
    at: i64,
    name: String,
    tenant: String,
    integration: String,
    repository: String,
    pub component: String,
    audit: String,
    canonical: Vec<u8>,
    digest: String,
}

impl Templates {
    pub fn of_sqlite(connection: &rusqlite::Connection) -> Result<Self> {
        let [integrations, component, audit] = FIND;
        let mut statement = connection.prepare(integrations)?;
        let registries =
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        let (component, repository) = connection.query_row(component, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (audit, canonical, digest) =
            connection.query_row(audit, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self { registries, turn: AtomicUsize::new(0), component, audit, canonical, digest, repository })
    }

    pub async fn of_postgres(client: &Client) -> Result<Self> {
        let [integrations, component, audit] = FIND;
        let (one, two) = (client.query_one(component, &[]).await?, client.query_one(audit, &[]).await?);
        let rows = client.query(integrations, &[]).await?;
        Ok(Self {
            registries: rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
            turn: AtomicUsize::new(0),
            component: one.get(0),
            repository: one.get(1),
            audit: two.get(0),
            canonical: two.get(1),
            digest: two.get(2),
        })
    }

    /// What the body of a request makes; `None` when it has no name.
    pub fn create(&self, body: &[u8], context: &Context) -> Option<Created> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.registries.len().max(1);
        let (tenant, integration) = self.registries.get(turn)?.clone();
        Some(Created {
            ids: std::array::from_fn(|_| context.uuid().to_string()),
            at: context.now().as_micros(),
            name: body.get("name")?.as_str()?.to_owned(),
            tenant,
            integration,
            repository: self.repository.clone(),
            component: self.component.clone(),
            audit: self.audit.clone(),
            canonical: self.canonical.clone(),
            digest: self.digest.clone(),
        })
    }
}

impl Created {
    pub fn in_sqlite(&self, connection: &rusqlite::Connection) -> Result<()> {
        use rusqlite::params;
        let [id, audit, event] = &self.ids;
        let (tenant, at) = (&self.tenant, self.at);
        let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> Result<()> {
            connection.prepare_cached(sql)?.execute(params)?;
            Ok(())
        };
        let mut integration = connection.prepare_cached(INTEGRATION)?;
        integration.query_row(params![tenant, self.integration], |row| row.get::<_, String>(0))?;
        // rusqlite numbers `$n` by its first appearance; these texts name them in order.
        run(COMPONENT, params![tenant, id, at, self.component, self.name, self.repository, self.integration])?;
        run(DEPENDENCIES, params![tenant, id])?;
        run(WORK, params![tenant, id, at])?;
        run(AUDIT, params![tenant, audit, at, self.audit, id, self.canonical, self.digest])?;
        run(UNSEQUENCED, params![tenant, audit, at])?;
        run(EVENT, params![tenant, event, at, id, self.component])?;
        run(UNSEQUENCED, params![tenant, event, at])
    }

    pub async fn in_postgres(&self, client: &Client, prepared: &Prepared) -> Result<()> {
        let [id, audit, event] = &self.ids;
        let (tenant, at) = (&self.tenant, &self.at);
        let [integration, component, dependencies, work, audit_event, event_row, unsequenced] = &prepared.0;
        client.batch_execute("BEGIN").await?;
        client.query_opt(integration, &[tenant, &self.integration]).await?.context("no integration")?;
        client
            .execute(component, &[tenant, id, at, &self.component, &self.name, &self.repository, &self.integration])
            .await?;
        client.execute(dependencies, &[tenant, id]).await?;
        client.execute(work, &[tenant, id, at]).await?;
        client.execute(audit_event, &[tenant, audit, at, &self.audit, id, &self.canonical, &self.digest]).await?;
        client.execute(unsequenced, &[tenant, audit, at]).await?;
        client.execute(event_row, &[tenant, event, at, id, &self.component]).await?;
        client.execute(unsequenced, &[tenant, event, at]).await?;
        Ok(client.batch_execute("COMMIT").await?)
    }
}

/// The statements, prepared on one connection.
pub struct Prepared([Statement; 7]);

impl Prepared {
    pub async fn new(client: &Client) -> Result<Self> {
        Ok(Self([
            client.prepare(INTEGRATION).await?,
            client.prepare(COMPONENT).await?,
            client.prepare(DEPENDENCIES).await?,
            client.prepare(WORK).await?,
            client.prepare(AUDIT).await?,
            client.prepare(EVENT).await?,
            client.prepare(UNSEQUENCED).await?,
        ]))
    }
}
