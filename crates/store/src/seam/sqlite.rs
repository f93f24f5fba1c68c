//! SQLite: one writer thread with group commit, a few reader threads (WAL, `synchronous=FULL`).

use std::{
    cell::RefCell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use plimsoll_core::{Error, ErrorCode, Result};
use rusqlite::{Connection as Raw, OpenFlags, config::DbConfig, functions::FunctionFlags, types::ValueRef};

use super::{
    fold::fold,
    job::{Job, Queue, Ran, run_caught},
    row::{Column, Row},
    sql::to_sqlite,
    tx::{AfterCommit, Connection, Effects},
    value::Value,
};

/// Jobs that share one flush to disk.
const BATCH: usize = 128;
/// The longest look for damage at start.
const HEALTH: Duration = Duration::from_millis(100);
/// Statements kept prepared on each connection.
const STATEMENTS: usize = 512;

/// One connection and its rewritten statements.
pub(crate) struct SqliteConnection {
    raw: Raw,
    rewritten: RefCell<HashMap<String, Arc<(String, usize)>>>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl SqliteConnection {
    fn open(path: &Path, access: Access) -> Result<Self> {
        let flags = match access {
            Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
        } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut raw = Raw::open_with_flags(path, flags).map_err(failed)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS);
        raw.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        let pragmas = match access {
            Access::ReadWrite => {
                // A group of changes touches hundreds of pages, mostly the same ones as the group before: with SQLite's
                // usual 1000 pages nearly every commit would copy them back into the file.
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-32768;
                 PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=8192;"
            }
            Access::ReadOnly => {
                "PRAGMA query_only=ON; PRAGMA foreign_keys=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;"
            }
        };
        raw.execute_batch(pragmas).map_err(failed)?;
        // Otherwise a statement with a bound LIMIT is compiled anew whenever another value is bound to it.
        raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
        raw.create_scalar_function(
            "fold",
            1,
            FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
            |call| Ok(call.get::<Option<String>>(0)?.map(|text| fold(&text))),
        )
        .map_err(failed)?;
        let deadline = Arc::new(Mutex::new(None));
        if matches!(access, Access::ReadOnly) {
            let limit = Arc::clone(&deadline);
            let passed = move || held(&limit).is_some_and(|end| Instant::now() > end);
            raw.progress_handler(1000, Some(passed)).map_err(failed)?;
        }
        Ok(Self { raw, rewritten: RefCell::new(HashMap::new()), deadline })
    }

    fn rewritten(&self, sql: &str, binds: usize) -> Result<Arc<(String, usize)>> {
        let known = self.rewritten.borrow().get(sql).cloned();
        let entry = match known {
            Some(entry) => entry,
            None => {
                let entry = Arc::new(to_sqlite(sql));
                let mut cache = self.rewritten.borrow_mut();
                if cache.len() >= STATEMENTS {
                    cache.clear();
                }
                cache.insert(sql.to_owned(), Arc::clone(&entry));
                entry
            }
        };
        if entry.1 != binds {
            // A missing bind would silently be NULL.
            return Err(Error::internal_defect(format!("{} parameters wanted, {binds} bound: {sql}", entry.1)));
        }
        Ok(entry)
    }

    pub(crate) fn execute(&self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        let entry = self.rewritten(sql, params.len())?;
        let mut statement = self.raw.prepare_cached(&entry.0).map_err(|cause| in_statement(cause, sql))?;
        let changed =
            statement.execute(rusqlite::params_from_iter(params)).map_err(|cause| in_statement(cause, sql))?;
        Ok(changed as u64)
    }

    pub(crate) fn query(&self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        let entry = self.rewritten(sql, params.len())?;
        let mut statement = self.raw.prepare_cached(&entry.0).map_err(|cause| in_statement(cause, sql))?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(|cause| in_statement(cause, sql))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|cause| in_statement(cause, sql))? {
            let mut columns = Vec::with_capacity(width);
            for index in 0..width {
                columns.push(column(row.get_ref(index).map_err(|cause| in_statement(cause, sql))?)?);
            }
            out.push(Row(columns));
        }
        Ok(out)
    }

    /// Begins or ends a transaction; these few statements are never compiled twice.
    fn control(&self, sql: &'static str) -> Result<()> {
        let outcome = self.raw.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        outcome.map(drop).map_err(|cause| in_statement(cause, sql))
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<()> {
        self.raw.execute_batch(sql).map_err(|cause| in_statement(cause, sql))
    }

    /// Ends statements after `limit`, asked about every 1000 steps of SQLite's virtual machine.
    fn with_deadline<T>(&self, limit: Option<Duration>, run: impl FnOnce() -> T) -> T {
        *held(&self.deadline) = limit.map(|limit| Instant::now() + limit);
        let answer = run();
        *held(&self.deadline) = None;
        answer
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn column(value: ValueRef<'_>) -> Result<Column> {
    Ok(match value {
        ValueRef::Null => Column::Null,
        ValueRef::Integer(number) => Column::Int(number),
        ValueRef::Text(bytes) => Column::Text(
            std::str::from_utf8(bytes).map_err(|_| Error::internal_defect("stored text is not UTF-8"))?.to_owned(),
        ),
        ValueRef::Blob(bytes) => Column::Blob(bytes.to_owned()),
        ValueRef::Real(_) => return Err(Error::internal_defect("a column holds a floating-point number")),
    })
}

#[derive(Clone, Copy)]
enum Access {
    ReadWrite,
    ReadOnly,
}

fn failed(cause: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode as Sqlite;
    if let rusqlite::Error::SqliteFailure(failure, _) = &cause
        && failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE
    {
        return super::taken().internal(cause.to_string());
    }
    let away = Error::new(ErrorCode::Unavailable, "the database cannot be used now; see the server's log");
    match cause.sqlite_error_code() {
        Some(Sqlite::NotADatabase | Sqlite::DatabaseCorrupt) => Error::new(
            ErrorCode::Unavailable,
            "the database file is damaged or is no database; restore it from a backup, or point the server at another data directory",
        )
        .internal(cause.to_string()),
        Some(Sqlite::OperationInterrupted) => super::too_slow(),
        Some(Sqlite::ConstraintViolation) => Error::internal_defect(format!("a constraint refused a change: {cause}")),
        Some(_) => away.internal(cause.to_string()),
        None => Error::internal_defect(cause.to_string()),
    }
}

fn in_statement(cause: rusqlite::Error, sql: &str) -> Error {
    let text = format!("{cause} in: {sql}");
    failed(cause).internal(text)
}

/// The writer's and the readers' queues.
pub(crate) struct SqliteDatabase {
    pub(crate) writer: Queue,
    pub(crate) readers: Queue,
}

impl SqliteDatabase {
    /// Opens the file (made when absent) and starts the threads.
    pub(crate) fn start(path: &Path, readers: usize, after: &AfterCommit) -> Result<Self> {
        let connection = healthy(path).map_err(|error| about(path, error))?;
        let (writer, jobs) = Queue::new(4096);
        let (owned, done) = (path.to_owned(), after.clone());
        spawn("sqlite-writer", move || write_loop(connection, &owned, &jobs, &done))?;
        let (queue, jobs) = Queue::new(4096);
        for number in 0..readers.max(1) {
            let (path, jobs, done) = (path.to_owned(), jobs.clone(), after.clone());
            spawn(&format!("sqlite-reader-{number}"), move || read_loop(&path, &jobs, &done))?;
        }
        Ok(Self { writer, readers: queue })
    }
}

/// A file that can be used, with the schema of this program.
fn healthy(path: &Path) -> Result<SqliteConnection> {
    let connection = SqliteConnection::open(path, Access::ReadWrite)?;
    // On a connection of its own: the pages that were looked at would stay in the writer's memory.
    check_health(&mut SqliteConnection::open(path, Access::ReadOnly)?, HEALTH)?;
    crate::migrate::run(Connection::Sqlite(&connection))?;
    Ok(connection)
}

/// Whoever starts the server must know which file it is about.
fn about(path: &Path, error: Error) -> Error {
    let told = Error::new(error.code(), format!("{}: {}", path.display(), error.message()));
    match error.internal_text() {
        Some(text) => told.internal(text.to_owned()),
        None => told,
    }
}

/// Reads the schema and as much of the file as [`HEALTH`] allows, so that damage is mostly found at start and not in
/// the middle of the night. A start must not take longer the more there is: in a large file the rest is found when
/// it is read.
fn check_health(connection: &mut SqliteConnection, longest: Duration) -> Result<()> {
    connection.query("SELECT count(*) FROM sqlite_schema", &[])?;
    let end = Instant::now() + longest;
    connection.raw.progress_handler(100, Some(move || Instant::now() > end)).map_err(failed)?;
    let verdict = connection.raw.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.raw.progress_handler(0, None::<fn() -> bool>).map_err(failed)?;
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Err(cause) if cause.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => Ok(()),
        verdict => Err(Error::new(
            ErrorCode::Unavailable,
            "the database file is damaged; restore it from a backup, or point the server at another data directory",
        )
        .internal(format!("quick_check: {verdict:?}"))),
    }
}

pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
        .map_err(|cause| Error::internal_defect(format!("no thread for {name}: {cause}")))
}

fn write_loop(mut connection: SqliteConnection, path: &PathBuf, jobs: &super::job::Jobs, after: &AfterCommit) {
    let mut last_time = 1;
    while let Some(batch) = jobs.take_group(BATCH, last_time) {
        last_time = batch.len();
        match write_batch(&connection, &batch, after) {
            Ok(outcome) => {
                for effects in outcome.effects {
                    after.run(effects);
                }
                for (job, ran) in batch.into_iter().zip(outcome.ran) {
                    job.finish(ran);
                }
            }
            Err(cause) => {
                // Whether the batch is on disk is not known: answered 503, never repeated by us.
                tracing::error!(error = ?cause, jobs = batch.len(), "a batch of writes could not be committed");
                for job in batch {
                    job.abandon();
                }
                match SqliteConnection::open(path, Access::ReadWrite) {
                    Ok(fresh) => connection = fresh,
                    Err(cause) => tracing::error!(error = ?cause, "the database could not be opened again"),
                }
            }
        }
    }
    // Without this the last changes would lie in the file beside it, and a copy of the database file alone lack them.
    if let Err(cause) = connection.batch("PRAGMA wal_checkpoint(TRUNCATE)") {
        tracing::warn!(error = ?cause, "the write-ahead log was not copied back; it is at the next start");
    }
    drop(connection);
    jobs.closed();
}

struct Batch {
    ran: Vec<Ran>,
    effects: Vec<Effects>,
}

fn write_batch(connection: &SqliteConnection, batch: &[Job], after: &AfterCommit) -> Result<Batch> {
    connection.control("BEGIN IMMEDIATE")?;
    let out = match run_together(connection, batch, after)? {
        Some(out) => out,
        None => {
            connection.control("ROLLBACK")?;
            connection.control("BEGIN IMMEDIATE")?;
            run_apart(connection, batch, after)?
        }
    };
    connection.control("COMMIT")?;
    Ok(out)
}

/// Runs the jobs one after the other. Most that fail do so before they change anything, and need not be undone. `None`:
/// one failed later, and its changes can only be undone with those of the others.
fn run_together(connection: &SqliteConnection, batch: &[Job], after: &AfterCommit) -> Result<Option<Batch>> {
    let mut out = Batch { ran: Vec::with_capacity(batch.len()), effects: Vec::new() };
    for job in batch {
        if job.is_abandoned() {
            out.ran.push(Ran::expired());
            continue;
        }
        let before = connection.raw.total_changes();
        let (ran, effects) = run_caught(job, Connection::Sqlite(connection), after);
        if ran.is_done() {
            out.effects.push(effects);
        } else if connection.raw.is_autocommit() {
            // A full or failing disk makes SQLite itself undo the whole transaction; without one, each statement of the
            // jobs to come would be a change of its own.
            return Err(Error::new(ErrorCode::Unavailable, "the database gave the transaction up"));
        } else if connection.raw.total_changes() != before {
            return Ok(None);
        }
        out.ran.push(ran);
    }
    Ok(Some(out))
}

/// Runs the jobs so that each can be undone alone. A savepoint costs a copy of every page that is touched within it, so
/// they are not used before one is needed.
fn run_apart(connection: &SqliteConnection, batch: &[Job], after: &AfterCommit) -> Result<Batch> {
    let mut out = Batch { ran: Vec::with_capacity(batch.len()), effects: Vec::new() };
    for job in batch {
        if job.is_abandoned() {
            out.ran.push(Ran::expired());
            continue;
        }
        connection.control("SAVEPOINT job")?;
        let (ran, effects) = run_caught(job, Connection::Sqlite(connection), after);
        if ran.is_done() {
            connection.control("RELEASE job")?;
            out.effects.push(effects);
        } else {
            connection.control("ROLLBACK TO job")?;
            connection.control("RELEASE job")?;
        }
        out.ran.push(ran);
    }
    Ok(out)
}

fn read_loop(path: &Path, jobs: &super::job::Jobs, after: &AfterCommit) {
    let mut open: Option<SqliteConnection> = None;
    while let Some(mut batch) = jobs.take(1) {
        let Some(job) = batch.pop() else { continue };
        if open.is_none() {
            match SqliteConnection::open(path, Access::ReadOnly) {
                Ok(fresh) => open = Some(fresh),
                Err(cause) => {
                    tracing::error!(error = ?cause, "a reader could not open the database");
                    job.abandon();
                    continue;
                }
            }
        }
        let Some(connection) = &open else { continue };
        let ran = read_one(connection, &job, after);
        job.finish(ran);
    }
}

fn read_one(connection: &SqliteConnection, job: &Job, after: &AfterCommit) -> Ran {
    if job.is_abandoned() {
        return Ran::expired();
    }
    if let Err(cause) = connection.control("BEGIN") {
        return Ran::failed(cause);
    }
    let (ran, _) = connection.with_deadline(job.limit(), || run_caught(job, Connection::Sqlite(connection), after));
    match connection.control("COMMIT") {
        Ok(()) => ran,
        Err(cause) => Ran::failed(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of some hundred pages of which a few were overwritten: those that are looked at last.
    fn damaged(folder: &Path) -> SqliteConnection {
        let path = folder.join("plimsoll.db");
        let connection = SqliteConnection::open(&path, Access::ReadWrite).unwrap();
        connection
            .batch(
                "CREATE TABLE one (number INTEGER PRIMARY KEY, text TEXT) STRICT;
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
                 INSERT INTO one SELECT i, 'a text of some length' FROM n;
                 PRAGMA wal_checkpoint(TRUNCATE)",
            )
            .unwrap();
        drop(connection);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40 * 1024..80 * 1024].fill(0xAA);
        std::fs::write(&path, bytes).unwrap();
        SqliteConnection::open(&path, Access::ReadWrite).unwrap()
    }

    #[test]
    fn damage_is_found_within_the_time_that_a_start_has() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = damaged(folder.path());
        let error = check_health(&mut connection, Duration::from_mins(1)).unwrap_err();
        assert!(error.message().contains("damaged"), "{error}");
        // Out of time, it goes on; the connection is as good as before.
        check_health(&mut connection, Duration::ZERO).unwrap();
        assert!(connection.query("SELECT count(*) FROM sqlite_schema", &[]).is_ok());
    }
}
