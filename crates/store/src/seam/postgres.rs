//! PostgreSQL: a bounded pool of database threads, each with a connection and a runtime of its own.

use std::{collections::HashMap, time::Duration};

use plimsoll_core::{Error, ErrorCode, Result};
use tokio::runtime::Runtime;
use tokio_postgres::{
    Client, Config, Statement,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{
    connect::{Heard, connect},
    job::{Job, Jobs, Queue, Ran, run_caught},
    notify,
    row::{Column, Row},
    scope::Scope,
    sqlite::spawn,
    tx::{AfterCommit, Connection, Effects},
    value::Value,
};

/// Statements kept prepared on each connection.
const STATEMENTS: usize = 512;
/// How often a transaction that lost against another is tried again.
const RETRIES: u32 = 3;
/// The longest for one statement, waiting for a connection included.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);

/// Which role a connection takes: row-level security binds both, `system` has policies across tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    App,
    System,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::App => "plimsoll_app",
            Self::System => "plimsoll_system",
        }
    }
}

/// One connection and its prepared statements, on a runtime that only its thread drives.
pub(crate) struct PgConnection {
    runtime: Runtime,
    client: Client,
    statements: HashMap<String, Statement>,
    /// The SQLSTATE of the last failure in this transaction, to tell what may be retried.
    last_failure: Option<SqlState>,
    /// The connection must not be used again.
    broken: bool,
    /// The transaction was given less than the usual time for a statement.
    limited: bool,
}

impl PgConnection {
    fn open(config: &Config, role: Option<Role>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| Error::internal_defect(format!("no runtime for a database thread: {cause}")))?;
        let client = runtime.block_on(connect(config, Heard::Nothing))?;
        let mut this =
            Self { runtime, client, statements: HashMap::new(), last_failure: None, broken: false, limited: false };
        this.batch(
            "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s';
             SET timezone = 'UTC'; SET client_min_messages = 'warning'",
        )?;
        if let Some(role) = role {
            this.batch(&format!("SET ROLE {}", role.name()))?;
        }
        Ok(this)
    }

    fn is_closed(&self) -> bool {
        self.broken || self.client.is_closed()
    }

    fn wait<T>(
        &mut self,
        sql: &str,
        run: impl AsyncFnOnce(&mut Client) -> std::result::Result<T, tokio_postgres::Error>,
    ) -> Result<T> {
        let (runtime, client) = (&self.runtime, &mut self.client);
        match runtime.block_on(async { tokio::time::timeout(STATEMENT_LIMIT, run(client)).await }) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(cause)) => {
                self.last_failure = cause.code().cloned();
                Err(failed(&cause, sql, self.limited))
            }
            Err(_) => Err(Error::new(ErrorCode::Unavailable, "the database does not answer; repeat the call later")
                .internal(format!("no answer in {STATEMENT_LIMIT:?}: {sql}"))),
        }
    }

    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        self.wait(sql, async |client: &mut Client| client.batch_execute(sql).await)
    }

    fn prepared(&mut self, sql: &str) -> Result<Statement> {
        if let Some(known) = self.statements.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.wait(sql, async |client: &mut Client| client.prepare(sql).await)?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let statement = self.prepared(sql)?;
        check_binds(&statement, params, sql)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        self.wait(sql, async |client: &mut Client| client.execute(&statement, &params).await)
    }

    pub(crate) fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let statement = self.prepared(sql)?;
        check_binds(&statement, params, sql)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
        let rows = self.wait(sql, async |client: &mut Client| client.query(&statement, &params).await)?;
        rows.iter().map(row).collect()
    }
}

fn check_binds(statement: &Statement, params: &[Value<'_>], sql: &str) -> Result<()> {
    let wanted = statement.params().len();
    if wanted == params.len() {
        return Ok(());
    }
    Err(Error::internal_defect(format!("{wanted} parameters wanted, {} bound: {sql}", params.len())))
}

fn row(row: &tokio_postgres::Row) -> Result<Row> {
    let mut columns = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let unread = |cause: tokio_postgres::Error| {
            Error::internal_defect(format!("column {:?} cannot be read: {cause}", column.name()))
        };
        columns.push(match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map_err(unread)?.map_or(Column::Null, Column::Int),
            Type::INT4 => row
                .try_get::<_, Option<i32>>(index)
                .map_err(unread)?
                .map_or(Column::Null, |number| Column::Int(i64::from(number))),
            Type::BOOL => row
                .try_get::<_, Option<bool>>(index)
                .map_err(unread)?
                .map_or(Column::Null, |truth| Column::Int(i64::from(truth))),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index).map_err(unread)?.map_or(Column::Null, Column::Blob),
            Type::JSON => row
                .try_get::<_, Option<serde_json::Value>>(index)
                .map_err(unread)?
                .map_or(Column::Null, |json| Column::Text(json.to_string())),
            Type::VOID => Column::Null,
            _ => row.try_get::<_, Option<String>>(index).map_err(unread)?.map_or(Column::Null, Column::Text),
        });
    }
    Ok(Row(columns))
}

/// Ids are made to be unique: one that is not is a defect, and no name that somebody else took.
fn is_primary_key(cause: &tokio_postgres::Error) -> bool {
    cause.as_db_error().and_then(|db| db.constraint()).is_some_and(|name| name.ends_with("_pkey"))
}

fn failed(cause: &tokio_postgres::Error, sql: &str, limited: bool) -> Error {
    let text =
        cause.as_db_error().map_or_else(|| cause.to_string(), |db| format!("{} {}", db.code().code(), db.message()));
    let text = format!("{text} in: {sql}");
    match cause.code() {
        Some(code) if *code == SqlState::QUERY_CANCELED && limited => super::too_slow().internal(text),
        Some(code) if *code == SqlState::QUERY_CANCELED => {
            Error::new(ErrorCode::Unavailable, "the database takes too long now; repeat the call later").internal(text)
        }
        Some(code) if *code == SqlState::LOCK_NOT_AVAILABLE => {
            Error::new(ErrorCode::Unavailable, "somebody else holds what this call needs; repeat it").internal(text)
        }
        Some(code)
            if code.code().starts_with("08") || code.code().starts_with("57P") || code.code().starts_with("53") =>
        {
            Error::new(ErrorCode::Unavailable, "the database cannot be used now; repeat the call later").internal(text)
        }
        Some(code) if *code == SqlState::UNIQUE_VIOLATION && !is_primary_key(cause) => super::taken().internal(text),
        Some(_) => Error::internal_defect(text),
        None => {
            Error::new(ErrorCode::Unavailable, "the connection to the database broke; repeat the call").internal(text)
        }
    }
}

/// The queues of both roles.
pub(crate) struct PostgresDatabase {
    pub(crate) app: Queue,
    pub(crate) system: Queue,
}

impl PostgresDatabase {
    /// Starts the threads. Connections are opened when first needed and again after they broke.
    pub(crate) fn start(config: &Config, connections: usize, after: &AfterCommit) -> Result<Self> {
        let pool = |role: Role, size: usize| -> Result<Queue> {
            let (queue, jobs) = Queue::new(4096);
            for number in 0..size.max(1) {
                let (config, jobs, after) = (config.clone(), jobs.clone(), after.clone());
                spawn(&format!("pg-{role:?}-{number}"), move || serve(&config, role, &jobs, &after))?;
            }
            Ok(queue)
        };
        notify::start(config, &after.wake)?;
        Ok(Self { app: pool(Role::App, connections)?, system: pool(Role::System, 3)? })
    }
}

/// Migrates on a thread of its own: a runtime can't be driven from within another one.
pub(crate) fn migrate_as_owner(config: &Config) -> Result<()> {
    let config = config.clone();
    let migrating = std::thread::spawn(move || {
        let mut owner = PgConnection::open(&config, None)?;
        crate::migrate::run(Connection::Postgres(&mut owner))
    });
    migrating.join().map_err(|_| Error::internal_defect("the migration's thread panicked"))?
}

fn serve(config: &Config, role: Role, jobs: &Jobs, after: &AfterCommit) {
    let mut open: Option<PgConnection> = None;
    while let Some(mut batch) = jobs.take(1) {
        let Some(job) = batch.pop() else { continue };
        if job.is_abandoned() {
            job.finish(Ran::expired());
            continue;
        }
        match run(&mut open, || PgConnection::open(config, Some(role)), &job, after) {
            Attempt::Ended(ran, effects) => {
                after.run(effects);
                job.finish(ran);
            }
            Attempt::NotBegun(cause) => {
                tracing::error!(error = ?cause, "no connection to PostgreSQL");
                job.finish(Ran::failed(cause));
            }
            Attempt::Broken(cause) => {
                tracing::error!(error = ?cause, "a transaction's end is not known; the connection is given up");
                open = None;
                job.abandon();
            }
        }
    }
}

/// Runs a job on the open connection, or on a new one. That a connection died while nobody used it shows only when
/// the next transaction begins: nothing was done, and a new connection may serve it.
fn run(
    open: &mut Option<PgConnection>,
    connect: impl Fn() -> Result<PgConnection>,
    job: &Job,
    after: &AfterCommit,
) -> Attempt {
    let mut kept = open.take().filter(|connection| !connection.is_closed());
    loop {
        let (mut connection, fresh) = match kept.take() {
            Some(connection) => (connection, false),
            None => match connect() {
                Ok(connection) => (connection, true),
                Err(cause) => return Attempt::NotBegun(cause),
            },
        };
        match attempt_with_retries(&mut connection, job, after) {
            Attempt::NotBegun(cause) if !fresh => {
                tracing::info!(error = ?cause, "a connection to PostgreSQL died; another one is opened");
            }
            Attempt::NotBegun(cause) => return Attempt::NotBegun(cause),
            attempt @ (Attempt::Ended(..) | Attempt::Broken(_)) => {
                *open = Some(connection);
                return attempt;
            }
        }
    }
}

enum Attempt {
    Ended(Ran, Effects),
    /// The transaction did not begin: nothing was done.
    NotBegun(Error),
    Broken(Error),
}

fn attempt_with_retries(connection: &mut PgConnection, job: &Job, after: &AfterCommit) -> Attempt {
    let mut tried = 0;
    loop {
        connection.last_failure = None;
        let attempt = attempt(connection, job, after);
        let lost = connection
            .last_failure
            .as_ref()
            .is_some_and(|code| [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code));
        let failed = matches!(&attempt, Attempt::Ended(ran, _) if !ran.is_done());
        if !(lost && failed) || tried == RETRIES {
            return attempt;
        }
        tried += 1;
        std::thread::sleep(Duration::from_millis(jitter(tried)));
    }
}

/// 5-20 ms times the number of the attempt. Not a secret, so the thread's own identity is enough to
/// set two losers apart.
fn jitter(tried: u32) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let spread = RandomState::new().hash_one(tried) % 16;
    (5 + spread) * u64::from(tried)
}

fn attempt(connection: &mut PgConnection, job: &Job, after: &AfterCommit) -> Attempt {
    let begin = match (job.scope(), job.limit()) {
        (Scope::Tenant(tenant), None) => format!("BEGIN; SET LOCAL plimsoll.tenant = '{tenant}'"),
        (Scope::Tenant(tenant), Some(limit)) => format!(
            "BEGIN; SET LOCAL plimsoll.tenant = '{tenant}'; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = {}",
            limit.as_millis(),
            // Who waits for a lock asked for nothing broad.
            (limit / 2).as_millis().max(1)
        ),
        (Scope::System(_), _) => "BEGIN".to_owned(),
    };
    connection.limited = job.limit().is_some();
    if let Err(cause) = connection.batch(&begin) {
        return Attempt::NotBegun(cause);
    }
    let (ran, effects) = run_caught(job, Connection::Postgres(connection), after);
    let end = if ran.is_done() { "COMMIT" } else { "ROLLBACK" };
    match connection.batch(end) {
        Ok(()) if ran.is_done() => Attempt::Ended(ran, effects),
        Ok(()) => Attempt::Ended(ran, Effects::default()),
        Err(cause) if ran.is_done() => Attempt::Broken(cause),
        Err(_) => {
            // The transaction failed and so did its rollback: PostgreSQL undoes it when the connection goes.
            connection.broken = true;
            Attempt::Ended(ran, Effects::default())
        }
    }
}
