//! A real `docker-registry` process on a free port, in its own directory.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// What the registry wants from whoever calls.
pub enum Auth<'a> {
    None,
    /// The user `robot` with the password [`PASSWORD`].
    Htpasswd,
    /// Tokens of the server at `realm`, signed with the certificate in `root`.
    Token {
        realm: &'a str,
        root: &'a Path,
    },
}

pub const PASSWORD: &str = "s3cret-word";
/// The registry's longest page of repositories; who asks for more is refused.
pub const MAX_CATALOG: usize = 3;
/// bcrypt of [`PASSWORD`] at the lowest cost.
const HTPASSWD: &str = "robot:$2b$04$UuW1G/Mf0Ync/BpO6uoyEeAGa7Q9p7NF7tqyy8uQSoawdJ.G8byTi\n";

/// What a registry holds; several may serve the same.
pub struct Storage(TempDir);

impl Storage {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Serves it until the registry is dropped.
    pub fn serve(&self, auth: &Auth<'_>) -> Registry {
        for _ in 0..5 {
            if let Some(registry) = self.try_serve(auth) {
                return registry;
            }
        }
        panic!("docker-registry did not come up in {}", self.path().display());
    }

    fn try_serve(&self, auth: &Auth<'_>) -> Option<Registry> {
        // Somebody may take the port before the registry does: then it ends, and another is tried.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let config = self.write_config(port, auth);
        let log = std::fs::File::create(self.path().join(format!("{port}.log"))).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("docker-registry must be installed for these tests");
        let mut registry = Registry { process, port };
        registry.came_up().then_some(registry)
    }

    fn write_config(&self, port: u16, auth: &Auth<'_>) -> PathBuf {
        let data = self.path().join("data");
        let auth = match auth {
            Auth::None => String::new(),
            Auth::Htpasswd => {
                let file = self.path().join("htpasswd");
                std::fs::write(&file, HTPASSWD).unwrap();
                format!("auth: {{htpasswd: {{realm: tests, path: {}}}}}\n", file.display())
            }
            Auth::Token { realm, root } => format!(
                "auth: {{token: {{realm: \"{realm}\", service: tests, issuer: token-server, rootcertbundle: {}}}}}\n",
                root.display()
            ),
        };
        let text = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             catalog: {{maxentries: {MAX_CATALOG}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n{auth}",
            data.display()
        );
        let file = self.path().join(format!("{port}.yml"));
        std::fs::write(&file, text).unwrap();
        file
    }
}

pub struct Registry {
    process: Child,
    port: u16,
}

impl Registry {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn came_up(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline && self.process.try_wait().unwrap().is_none() {
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
