//! A transaction, as repositories see it.

use plimsoll_core::{Error, ErrorCode, Result, id::TenantId};

use super::{
    lock::Lock, postgres::PgConnection, row::Row, scope::Scope, sqlite::SqliteConnection, value::Value, wake::Wake,
};
use crate::resource::{Key, Mark, Totals};

/// Which database runs the transaction, where a statement must differ (the claim alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

pub(crate) enum Connection<'c> {
    Sqlite(&'c SqliteConnection),
    Postgres(&'c mut PgConnection),
}

/// A running transaction. It can't be kept, cloned or sent: it lives as long as its closure.
pub struct Tx<'c> {
    /// What the connection runs as.
    root: Scope,
    /// What is done now: the same, or one tenant's part of a system transaction.
    scope: Scope,
    connection: Connection<'c>,
    totals: &'c Totals,
    begun: Mark,
    effects: Effects,
    failed: bool,
}

impl<'c> Tx<'c> {
    pub(crate) fn new(scope: Scope, connection: Connection<'c>, totals: &'c Totals) -> Self {
        let begun = totals.mark();
        Self { root: scope, scope, connection, totals, begun, effects: Effects::default(), failed: false }
    }

    /// The tenant this transaction works for.
    pub fn tenant(&self) -> Result<TenantId> {
        match self.scope {
            Scope::Tenant(tenant) => Ok(tenant),
            Scope::System(reason) => {
                Err(Error::internal_defect(format!("a tenant's query ran in a system transaction ({reason:?})")))
            }
        }
    }

    /// In a system transaction, does the part that belongs to one tenant.
    pub fn within<T>(&mut self, tenant: TenantId, body: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if matches!(self.root, Scope::Tenant(of) if of != tenant) {
            return Err(Error::internal_defect("a tenant's transaction reached for another tenant"));
        }
        let before = std::mem::replace(&mut self.scope, Scope::Tenant(tenant));
        let outcome = body(self);
        self.scope = before;
        outcome
    }

    /// For whom it runs.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// Which database runs it.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        match self.connection {
            Connection::Sqlite(_) => Dialect::Sqlite,
            Connection::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Locks an aggregate until the transaction ends. SQLite's one writer makes this a no-op.
    pub fn lock(&mut self, lock: &Lock<'_>) -> Result<()> {
        self.take(lock, "SELECT pg_advisory_xact_lock($1)")
    }

    /// Keeps everybody from [`Tx::lock`] on an aggregate until the transaction ends, but not from this: for those who
    /// only need it to stay as it is.
    pub fn lock_shared(&mut self, lock: &Lock<'_>) -> Result<()> {
        self.take(lock, "SELECT pg_advisory_xact_lock_shared($1)")
    }

    fn take(&mut self, lock: &Lock<'_>, sql: &str) -> Result<()> {
        let tenant = match self.scope {
            Scope::Tenant(tenant) => tenant.to_string(),
            Scope::System(_) => "system".to_owned(),
        };
        match &mut self.connection {
            Connection::Sqlite(_) => Ok(()),
            Connection::Postgres(connection) => connection.execute(sql, &[Value::Int(lock.key(&tenant))]).map(drop),
        }
    }

    /// After a statement that failed there may be no transaction any more: PostgreSQL refuses what follows, and SQLite
    /// would make it a change of its own.
    fn goes_on(&self) -> Result<()> {
        if self.failed { Err(Error::internal_defect("a transaction went on after a statement failed")) } else { Ok(()) }
    }

    /// Runs a statement that changes rows; answers how many.
    pub fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<u64> {
        self.goes_on()?;
        let outcome = match &mut self.connection {
            Connection::Sqlite(connection) => connection.execute(sql, params),
            Connection::Postgres(connection) => connection.execute(sql, params),
        };
        self.failed |= outcome.is_err();
        outcome
    }

    /// Runs several statements without parameters; for migrations alone.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<()> {
        match &mut self.connection {
            Connection::Sqlite(connection) => connection.batch(sql),
            Connection::Postgres(connection) => connection.batch(sql),
        }
    }

    /// Runs a statement that answers rows.
    pub fn query(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Vec<Row>> {
        self.goes_on()?;
        let outcome = match &mut self.connection {
            Connection::Sqlite(connection) => connection.query(sql, params),
            Connection::Postgres(connection) => connection.query(sql, params),
        };
        self.failed |= outcome.is_err();
        outcome
    }

    /// Runs a statement that answers at most one row.
    pub fn query_opt(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Option<Row>> {
        let mut rows = self.query(sql, params)?;
        if rows.len() > 1 {
            return Err(Error::internal_defect("a statement meant for one row answered several"));
        }
        Ok(rows.pop())
    }

    /// Runs a statement that answers exactly one row.
    pub fn query_one(&mut self, sql: &str, params: &[Value<'_>]) -> Result<Row> {
        self.query_opt(sql, params)?
            .ok_or_else(|| Error::internal_defect("a statement meant for one row answered none"))
    }

    /// Runs a guarded change of one row; zero rows is a conflict and never ignored.
    pub fn execute_guarded(&mut self, noun: &str, sql: &str, params: &[Value<'_>]) -> Result<()> {
        match self.execute(sql, params)? {
            1 => Ok(()),
            0 => Err(Error::new(
                ErrorCode::VersionMismatch,
                format!("the {noun} was changed by somebody else meanwhile; read it again and repeat"),
            )),
            many => Err(Error::internal_defect(format!("a guarded change of one {noun} hit {many} rows"))),
        }
    }

    /// After the commit, wakes whoever waits for events or background work.
    pub const fn wake_after_commit(&mut self) {
        self.effects.wake = true;
    }

    /// After the commit, totals of this table are counted anew.
    pub(crate) fn touched(&mut self, tenant: TenantId, table: &'static str) {
        if !self.effects.touched.contains(&(tenant, table)) {
            self.effects.touched.push((tenant, table));
        }
    }

    pub(crate) const fn totals(&self) -> &Totals {
        self.totals
    }

    /// Keeps a total that this transaction counted.
    pub(crate) fn keep_total(&self, key: Key, count: u64) {
        self.totals.put(key, count, self.begun);
    }

    /// Whether a statement failed. Such a transaction must not be committed: PostgreSQL would undo it and say nothing.
    pub(crate) const fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn into_effects(self) -> Effects {
        self.effects
    }
}

/// What happens in memory after a commit.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    wake: bool,
    touched: Vec<(TenantId, &'static str)>,
}

/// Carries out [`Effects`].
#[derive(Clone, Debug)]
pub(crate) struct AfterCommit {
    pub(crate) wake: Wake,
    pub(crate) totals: Totals,
}

impl AfterCommit {
    pub(crate) fn new(totals: Totals) -> Self {
        Self { wake: Wake::default(), totals }
    }

    pub(crate) fn run(&self, effects: Effects) {
        for (tenant, table) in effects.touched {
            self.totals.drop_table(tenant, table);
        }
        if effects.wake {
            self.wake.everybody();
        }
    }
}
