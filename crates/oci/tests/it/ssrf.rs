//! Names that lead where no call may go. A canary listens on loopback and must hear nothing.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use plimsoll_oci::{NetworkPolicy, RegistryError, network::AddressClass, outbound::Lookup};
use serde_json::json;

use crate::{
    fake::{self, Fake},
    support::{NINTH, client_of, config, only_ninth, repository},
};

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
