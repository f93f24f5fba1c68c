//! A whole estate of real parts: the server and the agents as processes, a real registry, either database.

mod agent;
mod person;
mod setup;

use std::{
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub use plimsoll_testkit::breath;
use plimsoll_testkit::{
    Postgres, Process, Registry, RegistryOptions, TestDatabase, eventually_async, free_port, reaper::Cleanup,
};
use serde_json::Value;

pub use agent::AgentProcess;
pub use person::Person;
pub use setup::{id, web};

/// The first administrator's password, and everybody else's.
pub const PASSWORD: &str = "correct horse battery staple";

/// Which database holds the server's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// What an estate is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub database: Database,
    /// Where the server and the registry listen.
    pub address: IpAddr,
    pub heartbeat_seconds: u32,
    pub lease_seconds: u32,
}

impl Plan {
    pub fn on(database: Database) -> Self {
        Self { database, address: Ipv4Addr::LOCALHOST.into(), heartbeat_seconds: 1, lease_seconds: 15 }
    }
}

pub struct Estate {
    // Dropped in this order.
    pub agents: Vec<AgentProcess>,
    server: Option<Process>,
    pub registry: Registry,
    pub plan: Plan,
    pub url: String,
    pub http: reqwest::Client,
    database: Option<TestDatabase>,
    _deployed: Cleanup,
    folder: tempfile::TempDir,
}

impl Estate {
    /// The server and the registry, and nothing in them.
    pub async fn new(plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Processes of other users run below it.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(folder.path().join("password"), PASSWORD).unwrap();
        let database = match plan.database {
            Database::Sqlite => None,
            Database::Postgres => Some(Postgres::shared().unwrap().fresh_database().unwrap()),
        };
        let registry = Registry::start_with(RegistryOptions { address: plan.address, ..RegistryOptions::default() });
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        let url = format!("http://{}:{}", plan.address, free_port().unwrap());
        let registry = registry.unwrap();
        // What agents deployed outlives them: each such process has the folder in its environment.
        let deployed =
            format!("grep -lsF {} /proc/[0-9]*/environ | cut -d/ -f3 | xargs -r kill -9", folder.path().display());
        let deployed = Cleanup::new(deployed).unwrap();
        let mut estate =
            Self { agents: Vec::new(), server: None, registry, plan, url, http, database, _deployed: deployed, folder };
        estate.start_server(None).await;
        estate
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server, to abort at a fail point if one is named, and waits until it answers.
    pub async fn start_server(&mut self, fail_point: Option<&str>) {
        let mut command = plimsoll(self.folder());
        let listen = self.url.trim_start_matches("http://").to_owned();
        command.args(["serve", "--listen", &listen, "--allow-insecure-listen", "--public-url", &self.url]);
        command.args(["--allow-process-hosts", "--admin-password-file", "password", "--log", "info"]);
        command.args(["--outbound-allow", "127.0.0.0/8,10.0.0.0/8"]);
        command.args(["--heartbeat-seconds", &self.plan.heartbeat_seconds.to_string()]);
        command.args(["--lease-seconds", &self.plan.lease_seconds.to_string()]);
        if let Some(database) = &self.database {
            command.args(["--database-url", &database.url(), "--database-connections", "6"]);
        }
        if let Some(point) = fail_point {
            command.env("PLIMSOLL_FAILPOINT", point);
        }
        let mut process = Process::spawn(&mut command, "server", self.folder()).unwrap();
        let address: std::net::SocketAddr = listen.parse().unwrap();
        process.ready(|| std::net::TcpStream::connect(address).is_ok()).unwrap();
        self.server = Some(process);
    }

    pub fn server(&mut self) -> &mut Process {
        self.server.as_mut().expect("the server was started")
    }

    /// The file that the demo application appends its starts to; every user may.
    pub fn ledger(&self, name: &str) -> PathBuf {
        let path = self.folder().join(format!("ledger-{name}"));
        if !path.exists() {
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        }
        path
    }
}

/// `plimsoll` with nothing of this machine's own configuration, in `home`.
pub fn plimsoll(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.env_clear().env("HOME", home).env("PATH", std::env::var_os("PATH").unwrap()).current_dir(home);
    command
}

/// Polls a resource until `done` says so; the deadline only ends what hangs.
pub async fn until(person: &Person, path: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    eventually_async(&format!("{path} {what}"), Duration::from_mins(1), async || {
        breath().await;
        let seen = person.try_get(path).await?;
        if done(&seen) { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await
    .unwrap()
}
