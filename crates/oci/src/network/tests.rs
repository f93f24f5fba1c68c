//! The spellings and tricks by which addresses are smuggled past such a guard. Each goes through the URL
//! parser that the client uses, since that is what turns `0x7f.1` into an address.

use std::net::IpAddr;

use super::{AddressClass, NetworkPolicy};
use tricks::{NOT_A_HOST, REFUSED};

#[path = "tricks.rs"]
mod tricks;

const ALLOWED: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.1",
    "223.255.255.255",
    "192.0.1.1",
    "[2606:4700:4700::1111]",
    "[2001:4860:4860::8888]",
    "[::ffff:10.1.2.3]",
    "[64:ff9b::8.8.8.8]",
    "[2002:808:808::1]",
    "[fd12:3456:789a::1]",
];

fn address(host: &str) -> Option<IpAddr> {
    let url = url::Url::parse(&format!("https://{host}/v2/")).ok()?;
    match url.host()? {
        url::Host::Ipv4(v4) => Some(v4.into()),
        url::Host::Ipv6(v6) => Some(v6.into()),
        url::Host::Domain(_) => None,
    }
}

#[test]
fn every_trick_is_refused_for_its_reason() {
    let policy = NetworkPolicy::default();
    for (host, class) in REFUSED {
        let address = address(host).unwrap_or_else(|| panic!("{host} is no address"));
        let refusal = policy.check(address).expect_err(host);
        assert_eq!(refusal.class, *class, "{host} is {address}");
    }
    assert!(REFUSED.len() + NOT_A_HOST.len() >= 120);
}

#[test]
fn what_is_no_host_is_no_url() {
    for host in NOT_A_HOST {
        assert!(url::Url::parse(&format!("https://{host}/v2/")).is_err(), "{host}");
    }
}

#[test]
fn public_and_private_networks_are_reached() {
    let policy = NetworkPolicy::default();
    for host in ALLOWED {
        assert_eq!(policy.check(address(host).unwrap()), Ok(()), "{host}");
    }
}

#[test]
fn an_operator_allows_networks_in_all_their_spellings() {
    let policy = NetworkPolicy::try_from(vec!["127.0.0.0/8".to_owned(), "fd00:ec2::254".to_owned()]).unwrap();
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[fd00:ec2::254]"] {
        assert_eq!(policy.check(address(host).unwrap()), Ok(()), "{host}");
    }
    for host in ["[::1]", "169.254.169.254", "0.0.0.0", "[fd00:ec2::253]"] {
        assert!(policy.check(address(host).unwrap()).is_err(), "{host}");
    }
}

#[test]
fn it_is_written_as_a_list_of_networks() {
    let policy: NetworkPolicy = serde_json::from_str(r#"["127.0.0.0/8", "::1"]"#).unwrap();
    assert_eq!(policy, NetworkPolicy::with_loopback());
    assert_eq!(serde_json::to_string(&policy).unwrap(), r#"["127.0.0.0/8","::1/128"]"#);
    let error = serde_json::from_str::<NetworkPolicy>(r#"["10.0.0.0/33"]"#).unwrap_err();
    assert!(error.to_string().contains("10.0.0.0/33"), "{error}");
}
