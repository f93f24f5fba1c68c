//! PostgreSQL: one server for all tests of a run, a database for each of them.

mod server;
mod shared;

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Result;
pub use server::Server;

/// Numbers the databases of this process.
static DATABASES: AtomicU64 = AtomicU64::new(0);

/// A PostgreSQL server, or a handle on the one that all tests of this run share.
#[derive(Debug)]
pub struct Postgres {
    /// Where the templates' locks lie.
    folder: PathBuf,
    port: u16,
    /// Absent when the server is shared.
    own: Option<Server>,
}

/// A database of one test; gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    port: u16,
}

impl Postgres {
    /// The server of this run of tests, started by the first one that asks. It ends with the run.
    pub fn shared() -> Result<Self> {
        let (folder, port) = shared::join()?;
        Ok(Self { folder, port, own: None })
    }

    /// A server of one's own, to be stopped and started at will.
    pub fn start() -> Result<Self> {
        let server = Server::start()?;
        Ok(Self { folder: server.folder().to_owned(), port: server.port(), own: Some(server) })
    }

    /// A server of one's own whose commits are on disk in `place` before they are answered, as in production: for
    /// measurements. Its memory settings are PostgreSQL's own.
    pub fn durable(place: &Path) -> Result<Self> {
        let server = Server::durable(place)?;
        Ok(Self { folder: server.folder().to_owned(), port: server.port(), own: Some(server) })
    }

    /// The server behind a handle that owns it.
    pub fn server(&mut self) -> Result<&mut Server> {
        self.own
            .as_mut()
            .ok_or_else(|| anyhow::anyhow!("this server is shared: Postgres::start() gives one to play with"))
    }

    /// An empty database.
    pub fn fresh_database(&self) -> Result<TestDatabase> {
        self.database_from("template0")
    }

    /// A database as `prepare` left the template of this name. Only the first test of a run to ask for the template
    /// prepares it; it is handed the template's URL and must have closed its connections when it is done.
    pub async fn fresh_database_like(
        &self,
        template: &str,
        prepare: impl AsyncFnOnce(String) -> Result<()>,
    ) -> Result<TestDatabase> {
        {
            let lock = File::create(self.folder.join(format!("{template}.lock")))?;
            lock.lock()?;
            let ready = self.folder.join(format!("{template}.ready"));
            if !ready.exists() {
                self.sql(&format!("DROP DATABASE IF EXISTS {template}"))?;
                self.sql(&format!("CREATE DATABASE {template} TEMPLATE template0"))?;
                prepare(url(self.port, template)).await?;
                File::create(ready)?;
            }
        }
        self.database_from(template)
    }

    /// The URL of the server's own database, as its superuser.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port, "postgres")
    }

    /// Runs SQL as the superuser; answers rows as lines, columns separated by `|`.
    pub fn sql(&self, sql: &str) -> Result<String> {
        server::sql(self.port, "postgres", sql)
    }

    fn database_from(&self, template: &str) -> Result<TestDatabase> {
        let name = format!("test_{}_{}", std::process::id(), DATABASES.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(TestDatabase { name, port: self.port })
    }
}

impl TestDatabase {
    /// Its URL, as the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port, &self.name)
    }

    /// Its URL as another role, which must exist; no password is asked.
    #[must_use]
    pub fn url_as(&self, role: &str) -> String {
        url(self.port, &self.name).replace("postgres@", &format!("{role}@"))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs SQL as the superuser; answers rows as lines, columns separated by `|`.
    pub fn sql(&self, sql: &str) -> Result<String> {
        server::sql(self.port, &self.name, sql)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A server that is stopped already takes its databases with it.
        let _ = server::sql(self.port, "postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}
