//! The seam between the two databases: pools, parameter and row types, locks, wake-ups. Everything above
//! it is written once.

mod connect;
mod fold;
mod job;
pub(crate) mod lock;
mod notify;
mod postgres;
pub(crate) mod row;
pub(crate) mod scope;
mod sql;
mod sqlite;
pub(crate) mod tx;
pub(crate) mod value;
pub(crate) mod wake;

use std::{path::PathBuf, sync::Arc, time::Duration};

use plimsoll_core::{Error, ErrorCode, Result};

use job::Purpose;
use postgres::PostgresDatabase;
use scope::Scope;
use sqlite::SqliteDatabase;
use tx::{AfterCommit, Dialect, Tx};
use wake::Wake;

use crate::resource::Totals;

pub(crate) use fold::fold;
pub(crate) use postgres::Role;

/// Where the data is.
#[derive(Clone, Debug)]
pub enum StoreConfig {
    /// A file of ours.
    Sqlite {
        /// The file; made when absent.
        path: PathBuf,
        /// Reader threads.
        readers: usize,
    },
    /// A PostgreSQL server, 15 or later.
    Postgres {
        /// `postgres://…` of a role that owns the schema.
        url: String,
        /// Connections for tenants' transactions.
        connections: usize,
    },
}

enum Backend {
    Sqlite(SqliteDatabase),
    Postgres(PostgresDatabase),
}

/// A handle on the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
    after: AfterCommit,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.dialect())
    }
}

impl Store {
    /// Opens the database and brings its schema up to date. Refuses a schema that is newer than this
    /// program can read, and a damaged file.
    pub fn open(config: &StoreConfig) -> Result<Self> {
        let after = AfterCommit::new(match config {
            StoreConfig::Sqlite { .. } => Totals::alone(),
            StoreConfig::Postgres { .. } => Totals::among_replicas(),
        });
        let backend = match config {
            StoreConfig::Sqlite { path, readers } => Backend::Sqlite(SqliteDatabase::start(path, *readers, &after)?),
            StoreConfig::Postgres { url, connections } => {
                let config: tokio_postgres::Config = url.parse().map_err(|cause: tokio_postgres::Error| {
                    Error::new(
                        ErrorCode::ValidationFailed,
                        "database.url is not a PostgreSQL URL: expected postgres://user:password@host:port/database",
                    )
                    .internal(cause.to_string())
                })?;
                postgres::migrate_as_owner(&config)?;
                Backend::Postgres(PostgresDatabase::start(&config, *connections, &after)?)
            }
        };
        Ok(Self { backend: Arc::new(backend), after })
    }

    /// Which database it is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match &*self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// What wakes waiters after commits.
    #[must_use]
    pub const fn wake(&self) -> &Wake {
        &self.after.wake
    }

    /// Runs a transaction that changes rows and answers after its commit is durable. The closure may run
    /// more than once.
    pub async fn write<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        match &*self.backend {
            Backend::Sqlite(database) => database.writer.run(scope, operation, Purpose::Change, body).await,
            Backend::Postgres(database) => {
                self.postgres(database, scope).run(scope, operation, Purpose::Change, body).await
            }
        }
    }

    /// Runs a transaction that only reads, on one consistent snapshot.
    pub async fn read<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.reading(scope, operation, None, body).await
    }

    /// Like [`Store::read`], but a statement that takes longer than `limit` is ended with 422, and one that waits half
    /// of it for a lock with 503.
    pub async fn read_bounded<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        limit: Duration,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.reading(scope, operation, Some(limit), body).await
    }

    async fn reading<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        limit: Option<Duration>,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let purpose = Purpose::Read(limit);
        match &*self.backend {
            Backend::Sqlite(database) => database.readers.run(scope, operation, purpose, body).await,
            Backend::Postgres(database) => self.postgres(database, scope).run(scope, operation, purpose, body).await,
        }
    }

    /// Ends writing: what is queued is committed, later changes are refused with 503, and SQLite's file holds all
    /// that was written. PostgreSQL needs no goodbye.
    pub async fn close(&self) {
        if let Backend::Sqlite(database) = &*self.backend
            && database.writer.close().await.is_err()
        {
            tracing::warn!("the database was not closed in order; the next start reads its log");
        }
    }

    #[expect(clippy::unused_self, reason = "reads as a question to the store")]
    const fn postgres<'a>(&self, database: &'a PostgresDatabase, scope: Scope) -> &'a job::Queue {
        match scope {
            Scope::Tenant(_) => &database.app,
            Scope::System(_) => &database.system,
        }
    }
}

/// A read took longer than it may. Who knows what was asked says it better (`resource::list`).
fn too_slow() -> Error {
    Error::new(ErrorCode::FilterTooBroad, "the filter is too broad to be answered in time; add a condition to it")
}

/// A unique index refused a change: the name was given to another resource before, or just now.
fn taken() -> Error {
    Error::new(ErrorCode::AlreadyExists, "something with this name exists already; choose another name")
}
