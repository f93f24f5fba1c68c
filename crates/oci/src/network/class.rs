//! Kinds of addresses that are refused by default, from the IANA special-purpose registries
//! (RFC 6890) and the clouds' documentation of their metadata services.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A kind of address that outbound calls have no business with unless an operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// This machine.
    Loopback,
    /// The local wire (RFC 3927, RFC 4291), where metadata services live too.
    LinkLocal,
    /// A cloud's metadata or control service outside the link-local range.
    Metadata,
    /// No address, which many systems take for this machine.
    Unspecified,
    /// A group of machines.
    Multicast,
    /// Set aside for protocols, documentation or the future.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Metadata => "cloud metadata",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        })
    }
}

/// The class of `address`, none for public and private ones.
pub(super) fn of(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(v4) => of_v4(v4),
        IpAddr::V6(v6) => of_v6(v6),
    }
}

fn of_v4(address: Ipv4Addr) -> Option<AddressClass> {
    match address.octets() {
        [0, ..] => Some(AddressClass::Unspecified),
        [127, ..] => Some(AddressClass::Loopback),
        [169, 254, ..] => Some(AddressClass::LinkLocal),
        // Alibaba, Azure's wire server, Oracle Cloud.
        [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => Some(AddressClass::Metadata),
        [224..=239, ..] => Some(AddressClass::Multicast),
        [240..=255, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Some(AddressClass::Reserved),
        _ => None,
    }
}

fn of_v6(address: Ipv6Addr) -> Option<AddressClass> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some(AddressClass::Unspecified),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(AddressClass::Loopback),
        [0xfe80..=0xfebf, ..] => Some(AddressClass::LinkLocal),
        // AWS, Google Cloud, Scaleway, Oracle Cloud.
        [0xfd00, 0xec2, ..]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        | [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => Some(AddressClass::Metadata),
        [0xff00..=0xffff, ..] => Some(AddressClass::Multicast),
        // Protocol assignments with Teredo, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Some(AddressClass::Reserved),
        // Global unicast, unique local; and what is judged by the IPv4 address it carries.
        [0x2000..=0x3fff | 0xfc00..=0xfdff, ..]
        | [0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => None,
        // All else is not assigned.
        _ => Some(AddressClass::Reserved),
    }
}

/// The IPv4 address that a gateway or the kernel would really reach through `address`.
pub(super) fn carried(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = address else { return None };
    let low = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
    };
    match v6.segments() {
        // Unspecified and loopback are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible (RFC 4291, deprecated), IPv4-mapped, IPv4-translated (RFC 2765), NAT64 (RFC 6052),
        // 6to4 (RFC 3056), ISATAP (RFC 5214) in any prefix.
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b]
        | [0, 0, 0, 0, 0xffff, 0, a, b]
        | [0x64, 0xff9b, 0, 0, 0, 0, a, b]
        | [0x2002, a, b, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => low(a, b),
        _ => None,
    }
}
