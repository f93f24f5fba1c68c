//! Migrations: run at start, under a lock, each in one transaction.
//!
//! They expand first and contract one release later. The `schema_version` row holds `version` and
//! `readable_from`: a server refuses only a schema whose `readable_from` is newer than itself.
//!
//! One text serves both databases. Its few words in braces differ: `{text}` (ordered by bytes in both),
//! `{int}`, `{blob}`, `{strict}`. Tables with a `tenant_id` get row-level security on PostgreSQL.

use plimsoll_core::{Error, ErrorCode, Result};

use crate::{
    params,
    resource::Totals,
    seam::{
        Role,
        scope::{Scope, SystemReason},
        tx::{Connection, Dialect, Tx},
    },
};

struct Migration {
    version: i64,
    readable_from: i64,
    parts: &'static [&'static str],
}

/// The migrations in order; a released one never changes.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, readable_from: 1, parts: FIRST },
    Migration { version: 2, readable_from: 1, parts: SECOND },
    Migration { version: 3, readable_from: 1, parts: &[include_str!("migrations/0003/evidence.sql")] },
];

/// One file a noun.
const FIRST: &[&str] = &[
    include_str!("migrations/0001/base.sql"),
    include_str!("migrations/0001/sealing.sql"),
    include_str!("migrations/0001/identity.sql"),
    include_str!("migrations/0001/integration.sql"),
    include_str!("migrations/0001/component.sql"),
    include_str!("migrations/0001/release.sql"),
    include_str!("migrations/0001/promotion.sql"),
    include_str!("migrations/0001/deployment.sql"),
    include_str!("migrations/0001/rollback.sql"),
    include_str!("migrations/0001/inventory.sql"),
    include_str!("migrations/0001/evidence.sql"),
];

const SECOND: &[&str] = &[include_str!("migrations/0002/rate.sql")];

/// Tables that transactions across tenants may see (`Scope::System`), each with its reason in `scope.rs`.
const SYSTEM_TABLES: &[&str] = &[
    "tenant",
    "app_user",
    "client",
    "role",
    "role_binding",
    "agent",
    "agent_beat",
    "agent_identity",
    "registration_token",
    "revocation",
    "authz_counter",
    "authz_version",
    "session",
    "browser_session",
    "used_nonce",
    "label",
    "unsequenced",
    "event",
    "event_position",
    "event_floor",
    "task_log",
    "artifact",
    "audit_event",
    "work",
    "promotion",
    "deployment_job",
    "task",
    "target",
    "environment",
    "evidence_packet",
    "idempotency",
    "lease",
];

/// Tables without a tenant that no tenant's transaction may see.
const SYSTEM_ALONE: &[&str] = &["installation", "signing_key", "device_grant", "sign_in_attempt", "rate_spent"];

/// The newest schema that this program knows.
#[must_use]
pub fn current() -> i64 {
    MIGRATIONS.iter().map(|one| one.version).max().unwrap_or_default()
}

/// Refuses a schema that this program cannot read: a newer server may have migrated it while this one ran. In a
/// system transaction.
pub fn check_readable(tx: &mut Tx<'_>) -> Result<()> {
    let row = tx.query_one("SELECT version, readable_from FROM schema_version WHERE one = 1", params![])?;
    let mut row = row.reader();
    readable(row.next()?, row.next()?)
}

fn readable(version: i64, readable_from: i64) -> Result<()> {
    if readable_from <= current() {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::Unavailable,
        format!(
            "the database has schema {version}, which needs a server that knows schema {readable_from}; this one knows {}. Start the newer server, or restore a backup made by this one",
            current()
        ),
    ))
}

/// Brings the schema up to date on the connection of its owner.
pub(crate) fn run(connection: Connection<'_>) -> Result<()> {
    let totals = Totals::alone();
    let mut tx = Tx::new(Scope::System(SystemReason::Administration), connection, &totals);
    let dialect = tx.dialect();
    match dialect {
        Dialect::Sqlite => tx.batch("BEGIN IMMEDIATE")?,
        // One server migrates, the others wait; the number is ours by choice.
        Dialect::Postgres => {
            tx.batch("BEGIN; SET LOCAL lock_timeout = '60s'; SELECT pg_advisory_xact_lock(7305420512)")?;
        }
    }
    match migrate(&mut tx, dialect) {
        Ok(()) => tx.batch("COMMIT"),
        Err(cause) => {
            // The first error is the one to tell; an open transaction ends with the connection anyway.
            drop(tx.batch("ROLLBACK"));
            Err(cause)
        }
    }
}

fn migrate(tx: &mut Tx<'_>, dialect: Dialect) -> Result<()> {
    tx.batch(&text_for(
        dialect,
        "CREATE TABLE IF NOT EXISTS schema_version (one {int} NOT NULL PRIMARY KEY CHECK (one = 1),
           version {int} NOT NULL, readable_from {int} NOT NULL) {strict}",
    ))?;
    let found = tx.query_opt("SELECT version, readable_from FROM schema_version WHERE one = 1", params![])?;
    let (version, readable_from) = match found {
        None => (0, 0),
        Some(row) => {
            let mut row = row.reader();
            (row.next::<i64>()?, row.next::<i64>()?)
        }
    };
    readable(version, readable_from)?;
    let wanted: Vec<&Migration> = MIGRATIONS.iter().filter(|one| one.version > version).collect();
    for migration in &wanted {
        for part in migration.parts {
            tx.batch(&text_for(dialect, part))?;
        }
    }
    if let Some(last) = wanted.last() {
        tx.execute(
            "INSERT INTO schema_version (one, version, readable_from) VALUES (1, $1, $2)
             ON CONFLICT (one) DO UPDATE SET version = excluded.version, readable_from = excluded.readable_from",
            params![last.version, last.readable_from],
        )?;
        match dialect {
            Dialect::Postgres => raise_walls(tx)?,
            Dialect::Sqlite => crate::resource::count_living(tx)?,
        }
    }
    Ok(())
}

fn text_for(dialect: Dialect, sql: &str) -> String {
    let words = match dialect {
        Dialect::Sqlite => [("{text}", "TEXT"), ("{int}", "INTEGER"), ("{blob}", "BLOB"), ("{strict}", "STRICT")],
        Dialect::Postgres => {
            [("{text}", "TEXT COLLATE \"C\""), ("{int}", "BIGINT"), ("{blob}", "BYTEA"), ("{strict}", "")]
        }
    };
    let text: String = words.iter().fold(sql.to_owned(), |text, (word, by)| text.replace(word, by));
    // A section between `--sqlite` or `--postgres` and `--both` is for that database alone.
    let mut wanted = true;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match line.trim() {
            "--sqlite" => wanted = dialect == Dialect::Sqlite,
            "--postgres" => wanted = dialect == Dialect::Postgres,
            "--both" => wanted = true,
            _ if wanted => {
                out.push_str(line);
                out.push('\n');
            }
            _ => {}
        }
    }
    out
}

/// The second wall: roles, grants and row-level security on every table with a tenant.
fn raise_walls(tx: &mut Tx<'_>) -> Result<()> {
    for role in [Role::App, Role::System] {
        let name = role.name();
        // Roles are the whole server's; another database's migration may make them at the same moment.
        tx.batch(&format!(
            "DO $$ BEGIN CREATE ROLE {name} NOLOGIN NOSUPERUSER NOBYPASSRLS;
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
             GRANT USAGE ON SCHEMA public TO {name}"
        ))?;
    }
    let tables = tx.query(
        "SELECT c.relname::text, EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
         FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1",
        params![],
    )?;
    for row in tables {
        let mut row = row.reader();
        let (table, tenanted) = (row.next::<String>()?, row.next::<bool>()?);
        wall(tx, &table, tenanted)?;
    }
    Ok(())
}

fn wall(tx: &mut Tx<'_>, table: &str, tenanted: bool) -> Result<()> {
    let rights = match table {
        "audit_event" | "event" | "event_position" => "SELECT, INSERT",
        "schema_version" => "SELECT",
        _ => "SELECT, INSERT, UPDATE, DELETE",
    };
    let (app, system) = (Role::App.name(), Role::System.name());
    // Nobody changes events; they are forgotten when they are old.
    let system_rights = match table {
        "event" | "event_position" => "SELECT, INSERT, DELETE",
        _ => rights,
    };
    if SYSTEM_ALONE.contains(&table) {
        return tx.batch(&format!("GRANT {rights} ON {table} TO {system}"));
    }
    if !tenanted {
        return tx.batch(&format!("GRANT {rights} ON {table} TO {app}, {system}"));
    }
    tx.batch(&format!(
        "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
         GRANT {rights} ON {table} TO {app};
         DROP POLICY IF EXISTS tenant_wall ON {table};
         CREATE POLICY tenant_wall ON {table} TO {app}
           USING (tenant_id = nullif(current_setting('plimsoll.tenant', true), ''))
           WITH CHECK (tenant_id = nullif(current_setting('plimsoll.tenant', true), ''))"
    ))?;
    if !SYSTEM_TABLES.contains(&table) {
        return Ok(());
    }
    tx.batch(&format!(
        "GRANT {system_rights} ON {table} TO {system}; DROP POLICY IF EXISTS across_tenants ON {table};
         CREATE POLICY across_tenants ON {table} TO {system} USING (true) WITH CHECK (true)"
    ))
}
