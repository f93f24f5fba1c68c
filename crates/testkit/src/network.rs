//! Hosts on one machine: network namespaces that hang on a bridge. Made by a test, gone with it.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use anyhow::{Result, bail};

use crate::{program, reaper::Cleanup};

/// A network of test hosts. The test itself, with its servers and registries, is at the [gateway](Self::gateway).
#[derive(Clone, Debug)]
pub struct TestNetwork(Arc<Bridge>);

#[derive(Debug)]
struct Bridge {
    /// Which of the networks 10.213.0.0/24 to 10.213.255.0/24 it is; also in the names of everything in it.
    number: u8,
    hosts: AtomicU8,
    _cleanup: Cleanup,
}

/// A host: a network namespace with an address.
#[derive(Debug)]
pub struct TestHost {
    network: TestNetwork,
    number: u8,
    namespace: String,
    link: String,
    _cleanup: Cleanup,
}

impl TestNetwork {
    /// A network that no other test has.
    pub fn new() -> Result<Self> {
        program::ensure_root("a network of test hosts")?;
        let start = std::process::id() as u8;
        for number in (0..=u8::MAX).map(|step| start.wrapping_add(step)) {
            // Two tests that ask for the same number at once: the second one's name is taken.
            let name = bridge_name(number);
            if ip(&["link", "add", &name, "type", "bridge"]).is_err() {
                continue;
            }
            let cleanup = Cleanup::new(format!("ip link del {name}"))?;
            let network = Self(Arc::new(Bridge { number, hosts: AtomicU8::new(0), _cleanup: cleanup }));
            ip(&["address", "add", &format!("{}/24", network.gateway()), "dev", &name])?;
            ip(&["link", "set", &name, "up"])?;
            return Ok(network);
        }
        bail!("all 256 test networks are taken: `ip link show type bridge` shows them as {}…", bridge_name(0))
    }

    /// The address of this side: what listens here is reached by the hosts.
    #[must_use]
    pub fn gateway(&self) -> IpAddr {
        self.address(1).into()
    }

    /// All its addresses, as `10.213.7.0/24`.
    #[must_use]
    pub fn subnet(&self) -> String {
        format!("{}/24", self.address(0))
    }

    /// A new host in it.
    pub fn host(&self) -> Result<TestHost> {
        let number = self.0.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let namespace = format!("plimsoll-{}-{number}", self.0.number);
        let link = format!("plv{}x{number}", self.0.number);
        let cleanup = Cleanup::new(format!("ip netns del {namespace}; ip link del {link}"))?;
        ip(&["netns", "add", &namespace])?;
        ip(&["link", "add", &link, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
        ip(&["link", "set", &link, "master", &bridge_name(self.0.number), "up"])?;
        let host = TestHost { network: self.clone(), number, namespace, link, _cleanup: cleanup };
        ip(&["-n", &host.namespace, "link", "set", "lo", "up"])?;
        ip(&["-n", &host.namespace, "address", "add", &format!("{}/24", host.address()), "dev", "eth0"])?;
        host.connect()?;
        Ok(host)
    }

    fn address(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.0.number, last)
    }
}

impl TestHost {
    /// Where its published ports answer.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.network.address(10 + self.number)
    }

    /// The name of its namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// A command that will run on this host: its network, this machine's files.
    pub fn command(&self, program: impl AsRef<Path>) -> Result<Command> {
        let mut command = Command::new(program::find("nsenter")?);
        command.arg(format!("--net={}", self.namespace_file().display())).arg(program.as_ref());
        Ok(command)
    }

    /// Pulls its cable.
    pub fn partition(&self) -> Result<()> {
        ip(&["link", "set", &self.link, "down"])
    }

    /// Plugs the cable in again.
    pub fn heal(&self) -> Result<()> {
        ip(&["link", "set", &self.link, "up"])
    }

    /// Its side of the cable goes up, and everything beyond is reached through the gateway.
    fn connect(&self) -> Result<()> {
        ip(&["-n", &self.namespace, "link", "set", "eth0", "up"])?;
        ip(&["-n", &self.namespace, "route", "add", "default", "via", &self.network.gateway().to_string()])
    }

    fn namespace_file(&self) -> PathBuf {
        Path::new("/var/run/netns").join(&self.namespace)
    }
}

fn bridge_name(number: u8) -> String {
    format!("plimsoll{number}")
}

fn ip(arguments: &[&str]) -> Result<()> {
    program::run("ip", arguments).map(drop)
}
