//! An OCI registry: Debian's docker-registry on files of its own.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use rustix::process::Signal;
use serde_json::json;

use crate::{Process, free_port, program::find, reaper::Folder};

/// Who may use a registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegistryAccess {
    /// Everybody.
    #[default]
    Anonymous,
    /// [`Registry::USER`] with [`Registry::PASSWORD`], by HTTP basic authentication.
    Basic,
}

/// The files with which a registry serves TLS.
#[derive(Clone, Debug)]
pub struct RegistryTls {
    /// The certificate chain, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// The certificate that clients trust, PEM.
    pub authority: PathBuf,
}

/// How a registry runs. The default is plain HTTP for everybody on loopback.
#[derive(Clone, Debug)]
pub struct RegistryOptions {
    /// The address to listen on; a [`crate::TestNetwork`]'s gateway for engines in it.
    pub address: IpAddr,
    /// Who may use it.
    pub access: RegistryAccess,
    /// Plain HTTP without it.
    pub tls: Option<RegistryTls>,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), access: RegistryAccess::default(), tls: None }
    }
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    process: Process,
    folder: Folder,
    address: SocketAddr,
    options: RegistryOptions,
    client: reqwest::Client,
}

impl Registry {
    /// The user of a registry with [`RegistryAccess::Basic`].
    pub const USER: &'static str = "puller";
    /// The user's password.
    pub const PASSWORD: &'static str = "kZ7-plain-sailing-91";
    /// That user in the format of htpasswd; bcrypt is the one hash that docker-registry reads.
    const HTPASSWD: &'static str = "puller:$2y$05$Q7oPz1cF3sXv5nBw8dRk2uI01t3PRo979eW/R2MVqiCPY7uvnMDnm\n";

    /// A registry for everybody on loopback.
    pub fn start() -> Result<Self> {
        Self::start_with(RegistryOptions::default())
    }

    /// A registry as `options` say.
    pub fn start_with(options: RegistryOptions) -> Result<Self> {
        let folder = Folder::new("registry", &std::env::temp_dir())?;
        let address = SocketAddr::new(options.address, free_port()?);
        let configuration = configuration(folder.path(), address, &options);
        std::fs::write(folder.path().join("config.yml"), configuration.to_string())?;
        std::fs::write(folder.path().join("htpasswd"), Self::HTPASSWD)?;
        let client = client(&options)?;
        let process = spawn(folder.path(), address)?;
        Ok(Self { process, folder, address, options, client })
    }

    /// As image references name it: `127.0.0.1:20001`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port that it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.options.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// The folder with its blobs: `<folder>/docker/registry/v2/…`.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// Ends it. Its files stay.
    pub fn stop(&mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts it again on its files and its port.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.folder.path(), self.address)?;
        Ok(())
    }

    /// Its process: the log holds a line for each request, `Signal::STOP` makes it hang.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A request to it, with credentials if it asks for some. `path` begins with a slash, or is a whole URL.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = if path.starts_with('/') { format!("{}{path}", self.url()) } else { path.to_owned() };
        let request = self.client.request(method, url);
        match self.options.access {
            RegistryAccess::Anonymous => request,
            RegistryAccess::Basic => request.basic_auth(Self::USER, Some(Self::PASSWORD)),
        }
    }
}

fn spawn(folder: &Path, address: SocketAddr) -> Result<Process> {
    let mut command = Command::new(find("docker-registry")?);
    command.arg("serve").arg(folder.join("config.yml")).env("OTEL_TRACES_EXPORTER", "none");
    let mut process = Process::spawn(&mut command, "registry", folder)?.stopped_by(Signal::TERM);
    process.ready(|| TcpStream::connect(address).is_ok())?;
    Ok(process)
}

/// JSON is YAML, too.
fn configuration(folder: &Path, address: SocketAddr, options: &RegistryOptions) -> serde_json::Value {
    let mut configuration = json!({
        "version": "0.1",
        "log": { "level": "error" },
        "storage": { "filesystem": { "rootdirectory": folder.join("storage") }, "delete": { "enabled": true } },
        "http": { "addr": address.to_string() },
    });
    if let Some(tls) = &options.tls {
        configuration["http"]["tls"] = json!({ "certificate": tls.certificate, "key": tls.key });
    }
    if options.access == RegistryAccess::Basic {
        configuration["auth"] = json!({ "htpasswd": { "realm": "plimsoll", "path": folder.join("htpasswd") } });
    }
    configuration
}

fn client(options: &RegistryOptions) -> Result<reqwest::Client> {
    let mut trusted = Vec::new();
    if let Some(tls) = &options.tls {
        let pem = std::fs::read(&tls.authority).with_context(|| format!("cannot read {}", tls.authority.display()))?;
        trusted.push(reqwest::Certificate::from_pem(&pem)?);
    }
    Ok(reqwest::Client::builder().no_proxy().tls_certs_only(trusted).build()?)
}
