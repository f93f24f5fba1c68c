//! Releases in bulk: rows as the product writes them, inserted beneath it.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use plimsoll_core::{
    Digest, Timestamp,
    component::RuntimePatch,
    context::Context,
    id::{ReleaseId, TenantId},
    release::{Release, ReleaseComponent, ReleaseStatus},
};

use crate::world::Data;

/// Rows a statement.
const ROWS: usize = 500;
/// Releases that are asked for one by one.
const SAMPLED: usize = 10_000;

/// Inserts `rows` releases, tenant after tenant in turn; answers a sample of them.
pub async fn insert(
    folder: &Path,
    data: &Data,
    tenants: &[TenantId],
    rows: usize,
    context: &Context,
) -> Result<Vec<(usize, String)>> {
    let every = (rows / SAMPLED).max(1);
    let mut sample = Vec::new();
    let mut sink = Sink::open(folder, data).await?;
    let mut sql = String::new();
    for row in 0..rows {
        let index = row % tenants.len();
        let release = release(context, row);
        sql.push_str(if sql.is_empty() { INTO } else { "," });
        values(&mut sql, tenants[index], &release)?;
        if row.is_multiple_of(every) {
            sample.push((index, release.id.to_string()));
        }
        if (row + 1) % ROWS == 0 || row + 1 == rows {
            sink.run(&sql).await?;
            sql.clear();
        }
    }
    sink.end().await?;
    Ok(sample)
}

const INTO: &str = "INSERT INTO release (tenant_id, id, revision, created_at, body, name, version, status, digest, sealed_at, updated_at) VALUES ";

fn values(sql: &mut String, tenant: TenantId, release: &Release) -> Result<()> {
    use std::fmt::Write as _;
    let micros = |at: Timestamp| at.as_micros().to_string();
    let digest = release.digest.map_or("NULL".into(), |digest| format!("'{digest}'"));
    // Nothing in it holds a quote.
    write!(
        sql,
        "('{tenant}','{}',1,{},'{}','{}','{}','{}',{digest},{},{})",
        release.id,
        micros(release.created_at),
        serde_json::to_string(release)?,
        release.name,
        release.version,
        release.status.as_str(),
        release.sealed_at.map_or("NULL".into(), micros),
        micros(release.updated_at),
    )?;
    Ok(())
}

fn release(context: &Context, row: usize) -> Release {
    let status = match row / crate::world::TENANTS % 10 {
        0 | 1 => ReleaseStatus::Draft,
        2 => ReleaseStatus::Deprecated,
        _ => ReleaseStatus::Ready,
    };
    let at = Timestamp::from_seconds(1_760_000_000 + row as i64);
    let sealed = !matches!(status, ReleaseStatus::Draft);
    let user = context.id();
    let version = format!("1.{}.{}", row / 1000, row % 1000);
    let component = |name: &str| ReleaseComponent {
        component_id: context.id(),
        component: name.to_owned(),
        version_id: context.id(),
        tag: version.clone(),
        version: version.clone(),
        digest: Digest::of(name.as_bytes()),
        config: RuntimePatch::default(),
    };
    Release {
        id: context.id::<ReleaseId>(),
        name: format!("shop-{}", row / crate::world::TENANTS % 7),
        components: vec![component("api"), component("web")],
        version,
        status,
        variables: BTreeMap::default(),
        notes: None,
        source: None,
        channel: None,
        labels: BTreeMap::default(),
        digest: sealed.then(|| Digest::of(&row.to_be_bytes())),
        sealed_at: sealed.then_some(at),
        deprecation: None,
        created_by: user,
        makers: vec![user],
        revision: 1,
        created_at: at,
        updated_at: at,
        deleted_at: None,
    }
}

/// Either database, beneath the product.
enum Sink {
    Sqlite(rusqlite::Connection),
    Postgres(tokio_postgres::Client),
}

impl Sink {
    async fn open(folder: &Path, data: &Data) -> Result<Self> {
        match data.url() {
            None => {
                let connection = rusqlite::Connection::open(folder.join("data/plimsoll.db"))?;
                connection.execute_batch("PRAGMA synchronous=OFF; PRAGMA cache_size=-262144; BEGIN")?;
                Ok(Self::Sqlite(connection))
            }
            Some(url) => {
                let client = crate::bare::connect(&url).await?;
                client.batch_execute("SET synchronous_commit = off; BEGIN").await?;
                Ok(Self::Postgres(client))
            }
        }
    }

    async fn run(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute_batch(sql)?),
            Self::Postgres(client) => Ok(client.batch_execute(sql).await?),
        }
    }

    /// PostgreSQL gets what autovacuum would have done by then; SQLite what closing does.
    async fn end(self) -> Result<()> {
        match self {
            Self::Sqlite(connection) => {
                Ok(connection.execute_batch("COMMIT; PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(TRUNCATE)")?)
            }
            Self::Postgres(client) => {
                client.batch_execute("COMMIT").await?;
                client.batch_execute("VACUUM ANALYZE").await?;
                Ok(client.batch_execute("CHECKPOINT").await?)
            }
        }
    }
}
