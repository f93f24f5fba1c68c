//! Names that lead where no call may go. A canary listens on loopback and must hear nothing.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use plimsoll_oci::{NetworkPolicy, RegistryConfig, RegistryError, network::AddressClass, outbound::Lookup};
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};
use tricks::{NOT_A_HOST, REFUSED};

use crate::{
    fake::{self, Fake},
    support::{NINTH, client_of, config, only_ninth, repository, user},
};

#[path = "../../src/network/tricks.rs"]
mod tricks;

/// A name server whose answers are given in turn, the last one for ever.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Names {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Names {
    fn lookup(&self, _: String) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        let answer = self.answers[turn].clone();
        Box::pin(async move { Ok(answer) })
    }
}

async fn canary() -> Fake {
    Fake::start(|_| fake::json(&json!({"tags": ["secret"]}))).await
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_not_called() {
    let canary = canary().await;
    for (addresses, class) in [
        (&["127.0.0.1"][..], AddressClass::Loopback),
        (&["::1"], AddressClass::Loopback),
        (&["::ffff:127.0.0.1"], AddressClass::Loopback),
        (&["0.0.0.0"], AddressClass::Unspecified),
        (&["169.254.169.254"], AddressClass::LinkLocal),
        // One good address does not make up for a bad one, whatever their order.
        (&["93.184.215.14", "127.0.0.1"], AddressClass::Loopback),
        (&["127.0.0.1", "93.184.215.14"], AddressClass::Loopback),
    ] {
        let mut config = config(&format!("http://registry.example:{}", canary.address.port()));
        config.outbound.network = NetworkPolicy::default();
        config.outbound.lookup = Names::new(&[addresses]);
        let client = client_of(config);
        let error = client.list_tags(&repository("shop/api")).await.unwrap_err();
        let RegistryError::Refused(refusal) = &error else { panic!("{addresses:?}: {error:?}") };
        assert_eq!((refusal.class, refusal.host.as_str()), (class, "registry.example"));
        let checks = client.ping(None).await;
        assert_eq!((checks.len(), checks[0].name.as_str(), checks[0].ok), (1, "name_resolution", false));
        assert!(checks[0].hint.as_deref().unwrap().contains("an operator can allow"), "{checks:?}");
    }
    assert_eq!(canary.targets(), Vec::<String>::new());
}

#[tokio::test]
async fn a_literal_address_is_not_called() {
    let canary = canary().await;
    let port = canary.address.port();
    for host in ["127.0.0.1", "127.1", "0x7f000001", "017700000001", "[::1]", "[::ffff:127.0.0.1]", "0", "localhost"] {
        let mut config = config(&format!("http://{host}:{port}"));
        config.outbound.network = NetworkPolicy::default();
        let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused(_)), "{host}: {error:?}");
    }
    assert_eq!(canary.targets(), Vec::<String>::new());
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    // The name changes its mind after the first question: whoever asks twice connects elsewhere.
    let at = format!("{NINTH}:0").parse().unwrap();
    let server = Fake::start_at(at, |_| fake::json(&json!({"tags": ["1"]}))).await;
    let port = server.address.port();
    let elsewhere = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let canary = Fake::start_at(elsewhere, |_| fake::json(&json!({"tags": ["secret"]}))).await;
    let names = Names::new(&[&[NINTH], &["127.0.0.1"]]);
    let mut config = config(&format!("http://registry.example:{port}"));
    config.outbound.network = only_ninth();
    config.outbound.lookup = Arc::<Names>::clone(&names);
    assert_eq!(client_of(config).list_tags(&repository("shop/api")).await.unwrap(), ["1"]);
    assert_eq!(names.asked.load(Ordering::SeqCst), 1);
    assert_eq!((server.seen().len(), canary.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_token_server_at_a_refused_address_is_not_called() {
    let canary = canary().await;
    let realm = format!("https://127.0.0.1:{}/token", canary.address.port());
    let challenge = format!("Bearer realm=\"{realm}\",service=s");
    let at = format!("{NINTH}:0").parse().unwrap();
    let registry = Fake::start_at(at, move |_| fake::answer(401, &[("www-authenticate", &challenge)], "")).await;
    let mut config = config(&registry.url());
    config.outbound.network = only_ninth();
    let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused(_)), "{error:?}");
    assert_eq!((registry.seen().len(), canary.seen().len()), (1, 0));
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    let mut config = config("http://registry.example");
    config.outbound.lookup = Names::new(&[&[]]);
    let client = client_of(config);
    let error = client.list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(error.to_string().contains("the name can't be resolved"), "{error}");
    assert_eq!(client.ping(None).await.len(), 1);
}

/// Listens on every address of this machine and counts who connects, whatever they speak.
struct Canary {
    port: u16,
    heard: watch::Receiver<usize>,
}

impl Canary {
    async fn start() -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(both) => both,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        let port = listener.local_addr().unwrap().port();
        let (count, heard) = watch::channel(0);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.send_modify(|count| *count += 1);
            }
        });
        Self { port, heard }
    }

    /// Nobody has connected: who does so now is the first. Connections are taken in their order.
    async fn heard_nobody(mut self) {
        tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let first = tokio::time::timeout(Duration::from_mins(1), self.heard.wait_for(|count| *count > 0)).await;
        assert_eq!(*first.unwrap().unwrap(), 1);
    }
}

/// A registry that may be reached, which leads to the trick whose number stands in the repository's name.
async fn leading(to: impl Fn(&str) -> axum::response::Response + Send + Sync + 'static) -> Fake {
    let at = format!("{NINTH}:0").parse().unwrap();
    Fake::start_at(at, move |seen| {
        let number = seen.path().split('/').find_map(|part| part.strip_prefix("trick-")?.parse::<usize>().ok());
        match number.filter(|_| seen.query("last").is_none()) {
            Some(number) => to(&sendable()[number]),
            None => fake::json(&json!({"tags": ["1"]})),
        }
    })
    .await
}

/// The tricks that fit into a header.
fn sendable() -> Vec<String> {
    let all = REFUSED.iter().map(|(host, _)| *host).chain(NOT_A_HOST.iter().copied());
    all.filter(|host| !host.bytes().any(|byte| byte < b' ' || byte == 0x7f)).map(str::to_owned).collect()
}

fn trick(number: usize) -> plimsoll_oci::Repository {
    repository(&format!("shop/trick-{number}"))
}

#[tokio::test]
async fn no_trick_in_an_address_reaches_the_canary() {
    let canary = Canary::start().await;
    for (host, class) in REFUSED {
        for scheme in ["http", "https"] {
            let mut config = config(&format!("{scheme}://{host}:{}", canary.port));
            config.outbound.network = NetworkPolicy::default();
            let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
            let RegistryError::Refused(refusal) = &error else { panic!("{host}: {error:?}") };
            assert_eq!(refusal.class, *class, "{host}");
        }
    }
    for host in NOT_A_HOST {
        assert!(RegistryConfig::new(&format!("http://{host}:{}", canary.port)).is_err(), "{host}");
    }
    canary.heard_nobody().await;
}

#[tokio::test]
async fn no_trick_in_a_redirect_reaches_the_canary() {
    let canary = Canary::start().await;
    let port = canary.port;
    for scheme in ["http", "https"] {
        let registry = leading(move |host| {
            let location = format!("{scheme}://{host}:{port}/x");
            fake::answer(307, &[("location", &location)], "")
        })
        .await;
        let mut config = config(&registry.url());
        config.outbound.network = only_ninth();
        let client = client_of(config);
        for (number, host) in sendable().iter().enumerate() {
            let error = client.list_tags(&trick(number)).await.unwrap_err();
            let known = REFUSED.iter().any(|(refused, _)| refused == host) && host.is_ascii();
            assert_eq!(matches!(error, RegistryError::Refused(_)), known, "{scheme}, {host}: {error:?}");
        }
    }
    canary.heard_nobody().await;
}

#[tokio::test]
async fn no_trick_in_a_token_servers_address_reaches_the_canary() {
    let canary = Canary::start().await;
    let port = canary.port;
    let registry = leading(move |host| {
        let challenge = format!("Bearer realm=\"https://{host}:{port}/token\",service=s");
        fake::answer(401, &[("www-authenticate", &challenge)], "")
    })
    .await;
    for (number, host) in sendable().iter().enumerate() {
        // A client of its own for each: the token server's address is remembered.
        let mut config = config(&registry.url());
        config.outbound.network = only_ninth();
        config.credentials = user("robot", "s3cret");
        let error = client_of(config).list_tags(&trick(number)).await.unwrap_err();
        let known = REFUSED.iter().any(|(refused, _)| refused == host) && host.is_ascii();
        assert_eq!(matches!(error, RegistryError::Refused(_)), known, "{host}: {error:?}");
    }
    canary.heard_nobody().await;
}

#[tokio::test]
async fn no_trick_in_a_link_reaches_the_canary() {
    let canary = Canary::start().await;
    let port = canary.port;
    let registry = leading(move |host| {
        let link = format!("<http://{host}:{port}/v2/shop/api/tags/list?n=1&last=0>; rel=\"next\"");
        fake::answer(200, &[("link", &link)], json!({"tags": ["0"]}).to_string())
    })
    .await;
    let mut config = config(&registry.url());
    config.outbound.network = only_ninth();
    let client = client_of(config);
    for (number, host) in sendable().iter().enumerate() {
        let found = client.list_tags(&trick(number)).await;
        let known = REFUSED.iter().any(|(refused, _)| refused == host) && host.is_ascii();
        // The next page is asked for where the first one was, whatever host the link names.
        assert!(!known || found.as_ref().is_ok_and(|tags| *tags == ["0", "1"]), "{host}: {found:?}");
    }
    canary.heard_nobody().await;
}
