//! Container hosts: engines in networks of their own.

use std::{
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use plimsoll_testkit::{
    ContainerHost, Engine, Image, PATIENCE, Registry, RegistryOptions, TestNetwork, eventually, program,
};

/// What a TCP server says to whoever connects.
fn greeting(address: Ipv4Addr, port: u16) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, port)), Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    anyhow::ensure!(!text.is_empty(), "it hung up without a word");
    Ok(text)
}

async fn greeter(network: &TestNetwork) -> (Registry, String) {
    let registry = Registry::start_with(RegistryOptions { address: network.gateway(), ..Default::default() }).unwrap();
    let image = Image::busybox().unwrap().command(&["/bin/nc", "-ll", "-p", "80", "-e", "/bin/echo", "ahoy"]);
    let pushed = image.push(&registry, "test/greeter", "1").await.unwrap();
    let reference = format!("{}/test/greeter@{}", registry.host(), pushed.digest);
    (registry, reference)
}

async fn a_container_by_digest_answers_at_its_hosts_address(engine: Engine) {
    let network = TestNetwork::new().unwrap();
    let (_registry, reference) = greeter(&network).await;
    let host = ContainerHost::start(&network, engine).unwrap();
    host.cli(&["pull", "--quiet", &reference]).unwrap();
    let id = host.cli(&["run", "--detach", "--publish", "8080:80", &reference]).unwrap();
    let said = eventually("the container answers", PATIENCE, || greeting(host.address(), 8080)).unwrap();
    assert_eq!(said, "ahoy\n");
    assert!(host.cli(&["ps", "--quiet", "--no-trunc"]).unwrap().contains(&id));
}

#[tokio::test]
async fn docker_runs_a_container_by_digest() {
    a_container_by_digest_answers_at_its_hosts_address(Engine::Docker).await;
}

#[tokio::test]
async fn podman_runs_a_container_by_digest() {
    a_container_by_digest_answers_at_its_hosts_address(Engine::Podman).await;
}

#[tokio::test]
async fn docker_runs_the_health_check_of_an_image() {
    let network = TestNetwork::new().unwrap();
    let registry = Registry::start_with(RegistryOptions { address: network.gateway(), ..Default::default() }).unwrap();
    let image = Image::busybox().unwrap().command(&["/bin/sleep", "1000"]).health_check(&["/bin/test", "-f", "/fit"]);
    let pushed = image.push(&registry, "test/patient", "1").await.unwrap();
    let host = ContainerHost::docker(&network).unwrap();
    let reference = format!("{}/test/patient@{}", registry.host(), pushed.digest);
    host.cli(&["run", "--detach", "--name", "patient", &reference]).unwrap();
    let health = || host.cli(&["inspect", "--format={{.State.Health.Status}}", "patient"]).unwrap();
    eventually("the container is unhealthy", PATIENCE, || health() == "unhealthy").unwrap();
    host.cli(&["exec", "patient", "/bin/touch", "/fit"]).unwrap();
    eventually("the container is healthy", PATIENCE, || health() == "healthy").unwrap();
    // What the engine calls the image is the digest of its config.
    let id = host.cli(&["inspect", "--format={{.Image}}", "patient"]).unwrap();
    assert_eq!(id, pushed.platforms[0].config.to_string());
}

#[tokio::test]
async fn two_hosts_of_a_network_have_nothing_in_common_and_a_cable_each() {
    let network = TestNetwork::new().unwrap();
    let (_registry, reference) = greeter(&network).await;
    let hosts = ContainerHost::start_several(&network, Engine::Docker, 2).unwrap();
    for host in &hosts {
        host.cli(&["run", "--detach", "--name", "greeter", "--publish", "8080:80", &reference]).unwrap();
        eventually("the container answers", PATIENCE, || greeting(host.address(), 8080)).unwrap();
    }
    let [cut, whole] = hosts.as_slice() else { unreachable!("two were started") };

    cut.host().partition().unwrap();
    assert!(greeting(cut.address(), 8080).is_err());
    assert_eq!(greeting(whole.address(), 8080).unwrap(), "ahoy\n");
    // Its socket is a file of this machine, so a test can look at a host that is cut off.
    assert_eq!(cut.cli(&["ps", "--format={{.Names}}"]).unwrap(), "greeter");

    cut.host().heal().unwrap();
    eventually("the container answers again", PATIENCE, || greeting(cut.address(), 8080)).unwrap();
}

#[test]
fn a_command_on_a_host_reaches_the_gateway_until_its_cable_is_pulled() {
    let network = TestNetwork::new().unwrap();
    let host = network.host().unwrap();
    let registry = Registry::start_with(RegistryOptions { address: network.gateway(), ..Default::default() }).unwrap();
    let port = registry.port();
    let connect = || {
        let mut command = host.command(Path::new("/bin/busybox")).unwrap();
        command.args(["nc", "-w", "2", &network.gateway().to_string(), &port.to_string(), "-e", "/bin/true"]);
        program::output(&mut command)
    };
    connect().unwrap();
    host.partition().unwrap();
    assert!(connect().is_err());
    host.heal().unwrap();
    eventually("the gateway is reached again", PATIENCE, connect).unwrap();
}

#[tokio::test]
async fn an_engine_that_crashed_is_started_again_on_its_files() {
    let network = TestNetwork::new().unwrap();
    let (_registry, reference) = greeter(&network).await;
    let mut host = ContainerHost::docker(&network).unwrap();
    host.cli(&["create", "--name", "kept", &reference]).unwrap();
    host.crash().unwrap();
    assert!(host.cli(&["ps"]).is_err());
    host.start_again().unwrap();
    assert_eq!(host.cli(&["ps", "--all", "--format={{.Names}}"]).unwrap(), "kept");
}

#[tokio::test]
async fn a_host_takes_all_of_it_away() {
    let network = TestNetwork::new().unwrap();
    let (_registry, reference) = greeter(&network).await;
    for engine in [Engine::Docker, Engine::Podman] {
        let host = ContainerHost::start(&network, engine).unwrap();
        host.cli(&["run", "--detach", "--network=host", &reference]).unwrap();
        let (socket, namespace) = (host.socket(), host.host().namespace().to_owned());
        let folder = socket.parent().unwrap().to_owned();
        let processes = program::run("ip", &["netns", "pids", &namespace]).unwrap();
        assert!(processes.lines().count() > 1, "{processes}");
        drop(host);

        assert!(!folder.exists(), "{}", folder.display());
        assert!(!Path::new("/var/run/netns").join(&namespace).exists());
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(&folder.display().to_string()), "{mounts}");
        for pid in processes.lines() {
            eventually("its processes are gone", PATIENCE, || !Path::new("/proc").join(pid).exists()).unwrap();
        }
    }
}

#[test]
fn a_network_is_gone_when_it_is_dropped() {
    let network = TestNetwork::new().unwrap();
    let gateway = network.gateway().to_string();
    let addresses = || program::output(Command::new("ip").args(["-brief", "address"])).unwrap();
    assert!(addresses().contains(&gateway));
    drop(network);
    assert!(!addresses().contains(&gateway));
}
