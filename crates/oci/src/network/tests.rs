//! The spellings and tricks by which addresses are smuggled past such a guard. Each goes through the URL
//! parser that the client uses, since that is what turns `0x7f.1` into an address.

use std::net::IpAddr;

use super::AddressClass::{self, LinkLocal, Loopback, Metadata, Multicast, Reserved, Unspecified};
use super::NetworkPolicy;

/// Host as written in a URL, and the class for which it is refused.
const REFUSED: &[(&str, AddressClass)] = &[
    // Loopback: the whole /8, and every way to write it (WHATWG URL, inet_aton).
    ("127.0.0.1", Loopback),
    ("127.0.0.2", Loopback),
    ("127.1.2.3", Loopback),
    ("127.255.255.255", Loopback),
    ("127.1", Loopback),
    ("127.0.1", Loopback),
    ("2130706433", Loopback),
    ("0x7f000001", Loopback),
    ("0X7F000001", Loopback),
    ("0x7f.0.0.1", Loopback),
    ("0x7f.1", Loopback),
    ("0x7f.0x0.0x0.0x1", Loopback),
    ("0177.0.0.1", Loopback),
    ("0177.0.0.01", Loopback),
    ("00000177.0.0.1", Loopback),
    ("017700000001", Loopback),
    ("127.0.0.1.", Loopback),
    ("127.0x0.0.1", Loopback),
    ("127.00000000000.0.1", Loopback),
    ("127.0.0.0x1", Loopback),
    ("0x7f.65537", Loopback),
    ("127.16777215", Loopback),
    ("%31%32%37.0.0.1", Loopback),
    ("127%2e0%2e0%2e1", Loopback),
    ("127\u{3002}0\u{3002}0\u{3002}1", Loopback),
    ("127\u{ff0e}0\u{ff0e}0\u{ff0e}1", Loopback),
    ("127\u{ff61}0\u{ff61}0\u{ff61}1", Loopback),
    ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", Loopback),
    ("\u{2460}\u{2461}\u{2466}.0.0.1", Loopback),
    ("\u{1d7cf}27.0.0.1", Loopback),
    ("0x\u{ff17}f.1", Loopback),
    ("[::1]", Loopback),
    ("[0:0:0:0:0:0:0:1]", Loopback),
    ("[0000:0000:0000:0000:0000:0000:0000:0001]", Loopback),
    ("[::0:1]", Loopback),
    ("[0::1]", Loopback),
    // Loopback inside IPv6.
    ("[::ffff:127.0.0.1]", Loopback),
    ("[::ffff:7f00:1]", Loopback),
    ("[::FFFF:7F00:0001]", Loopback),
    ("[0:0:0:0:0:ffff:127.0.0.1]", Loopback),
    ("[::ffff:127.255.0.9]", Loopback),
    ("[::127.0.0.1]", Loopback),
    ("[::7f00:1]", Loopback),
    ("[::ffff:0:127.0.0.1]", Loopback),
    ("[::ffff:0:7f00:1]", Loopback),
    ("[64:ff9b::127.0.0.1]", Loopback),
    ("[64:ff9b::7f00:1]", Loopback),
    ("[0064:ff9b:0:0:0:0:7f00:0001]", Loopback),
    ("[2002:7f00:1::]", Loopback),
    ("[2002:7f00:0001:0:0:0:0:1]", Loopback),
    ("[2002:7f00:1:ffff:ffff:ffff:ffff:ffff]", Loopback),
    ("[2001:470::5efe:127.0.0.1]", Loopback),
    ("[2001:470:0:0:0200:5efe:7f00:1]", Loopback),
    ("[fd12:3456::5efe:7f00:1]", Loopback),
    // Link-local with the metadata services of AWS, Azure, Google Cloud, DigitalOcean, OpenStack, ECS.
    ("169.254.169.254", LinkLocal),
    ("169.254.170.2", LinkLocal),
    ("169.254.170.23", LinkLocal),
    ("169.254.42.42", LinkLocal),
    ("169.254.0.0", LinkLocal),
    ("169.254.255.255", LinkLocal),
    ("169.254.43518", LinkLocal),
    ("169.16689662", LinkLocal),
    ("2852039166", LinkLocal),
    ("0xa9fea9fe", LinkLocal),
    ("0xA9.0xFE.0xA9.0xFE", LinkLocal),
    ("0xa9.254.0251.0376", LinkLocal),
    ("0251.0376.0251.0376", LinkLocal),
    ("025177524776", LinkLocal),
    ("0251.254.169.254", LinkLocal),
    ("169.254.169.254.", LinkLocal),
    ("169%2E254%2E169%2E254", LinkLocal),
    ("169\u{3002}254\u{3002}169\u{3002}254", LinkLocal),
    ("\u{ff11}\u{ff16}\u{ff19}.254.169.254", LinkLocal),
    ("[::ffff:169.254.169.254]", LinkLocal),
    ("[::ffff:a9fe:a9fe]", LinkLocal),
    ("[0:0:0:0:0:ffff:a9fe:a9fe]", LinkLocal),
    ("[::a9fe:a9fe]", LinkLocal),
    ("[::ffff:0:a9fe:a9fe]", LinkLocal),
    ("[64:ff9b::169.254.169.254]", LinkLocal),
    ("[64:ff9b::a9fe:a9fe]", LinkLocal),
    ("[2002:a9fe:a9fe::]", LinkLocal),
    ("[2002:a9fe:a9fe::1]", LinkLocal),
    ("[2001:470::5efe:a9fe:a9fe]", LinkLocal),
    ("[fe80::1]", LinkLocal),
    ("[fe80::a9fe:a9fe]", LinkLocal),
    ("[fe80::5efe:8.8.8.8]", LinkLocal),
    ("[febf:ffff::1]", LinkLocal),
    // Metadata and control services elsewhere.
    ("100.100.100.200", Metadata),
    ("0x646464c8", Metadata),
    ("1684301000", Metadata),
    ("168.63.129.16", Metadata),
    ("192.0.0.192", Metadata),
    ("[::ffff:100.100.100.200]", Metadata),
    ("[64:ff9b::6464:64c8]", Metadata),
    ("[fd00:ec2::254]", Metadata),
    ("[fd00:ec2::23]", Metadata),
    ("[fd00:0ec2:0:0:0:0:0:0254]", Metadata),
    ("[fd20:ce::254]", Metadata),
    ("[fd00:42::42]", Metadata),
    ("[fd00:c1::a9fe:a9fe]", Metadata),
    // No address; Linux connects to loopback.
    ("0.0.0.0", Unspecified),
    ("0", Unspecified),
    ("00", Unspecified),
    ("0x0", Unspecified),
    ("0x", Unspecified),
    ("0.0", Unspecified),
    ("0.1.2.3", Unspecified),
    ("[::]", Unspecified),
    ("[0:0:0:0:0:0:0:0]", Unspecified),
    ("[::ffff:0.0.0.0]", Unspecified),
    ("[::2]", Unspecified),
    ("[64:ff9b::]", Unspecified),
    ("[2002::]", Unspecified),
    // Groups.
    ("224.0.0.1", Multicast),
    ("239.255.255.250", Multicast),
    ("[::ffff:224.0.0.1]", Multicast),
    ("[ff02::1]", Multicast),
    ("[ff05::2]", Multicast),
    ("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]", Multicast),
    // Set aside.
    ("240.0.0.1", Reserved),
    ("255.255.255.255", Reserved),
    ("4294967295", Reserved),
    ("[::ffff:255.255.255.255]", Reserved),
    ("192.0.0.1", Reserved),
    ("192.0.2.1", Reserved),
    ("192.88.99.1", Reserved),
    ("198.18.0.1", Reserved),
    ("198.19.255.255", Reserved),
    ("198.51.100.7", Reserved),
    ("203.0.113.9", Reserved),
    ("[64:ff9b:1::7f00:1]", Reserved),
    ("[64:ff9b:1:a9fe:a9:fe00::]", Reserved),
    ("[2001::1]", Reserved),
    ("[2001:0:7f00:1::]", Reserved),
    ("[2001:10::1]", Reserved),
    ("[2001:db8::1]", Reserved),
    ("[3fff::1]", Reserved),
    ("[100::1]", Reserved),
    ("[fec0::1]", Reserved),
    ("[5f00::1]", Reserved),
    ("[4000::1]", Reserved),
    ("[::1:0:0:0]", Reserved),
];

/// Hosts that no URL may have; the parser refuses them, so nothing is ever connected.
const NOT_A_HOST: &[&str] = &[
    "256.256.256.256",
    "127.0.0.256",
    "1.2.3.4.5",
    "4294967296",
    "0x100000000",
    "08.0.0.1",
    "127.0.0.1%00",
    "127.0.0.1%20",
    "127.0.0.1 ",
    "[::1%25lo]",
    "[fe80::1%25eth0]",
    "[::ffff:127.0.0.1.]",
    "[::ffff:0177.0.0.1]",
    "[:::1]",
    "[v1.127.0.0.1]",
    "[127.0.0.1]",
    "%00",
    "loc\u{0}alhost",
];

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
