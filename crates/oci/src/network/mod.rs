//! Which addresses an outbound call may reach. Pure: callers resolve names and ask here about each address.

mod class;

#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use plimsoll_core::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

pub use class::AddressClass;

/// The addresses that outbound calls may reach: public and private networks, and beyond them only what
/// an operator named. Loopback, link-local, cloud metadata and reserved addresses are refused, also when
/// they hide inside an IPv6 address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct NetworkPolicy {
    allowed: Vec<IpNet>,
}

impl NetworkPolicy {
    /// Public and private networks, and `allowed` whatever they are.
    #[must_use]
    pub const fn allowing(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Public and private networks and this machine's loopback.
    #[must_use]
    pub fn with_loopback() -> Self {
        let v4 = ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8);
        let v6 = ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128);
        Self::allowing(vec![v4.into(), v6.into()])
    }

    /// Whether `address` may be reached.
    ///
    /// An address that carries another inside (IPv4-mapped, NAT64, 6to4 and the like) is judged as both.
    pub fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        let carried = class::carried(address);
        let mut forms = std::iter::once(address).chain(carried);
        if forms.any(|form| self.allowed.iter().any(|network| network.contains(&form))) {
            return Ok(());
        }
        match class::of(address).or_else(|| carried.and_then(class::of)) {
            None => Ok(()),
            Some(class) => Err(Refusal { host: String::new(), address, class }),
        }
    }
}

impl TryFrom<Vec<String>> for NetworkPolicy {
    type Error = Error;

    /// Networks (`127.0.0.0/8`) and single addresses (`::1`).
    fn try_from(list: Vec<String>) -> Result<Self, Error> {
        list.iter().map(|text| network(text)).collect::<Result<_, _>>().map(Self::allowing)
    }
}

impl From<NetworkPolicy> for Vec<String> {
    fn from(policy: NetworkPolicy) -> Self {
        policy.allowed.iter().map(ToString::to_string).collect()
    }
}

fn network(text: &str) -> Result<IpNet, Error> {
    IpNet::from_str(text).or_else(|_| IpAddr::from_str(text).map(IpNet::from)).map_err(|_| {
        Error::new(
            ErrorCode::ValidationFailed,
            format!("{text:?} is not a network: give an address and a prefix length, such as 127.0.0.0/8"),
        )
    })
}

/// An address was refused by the [`NetworkPolicy`]; nothing was sent to it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The name that led there; empty where the address itself was given.
    pub host: String,
    /// The address.
    pub address: IpAddr,
    /// Why it is refused.
    pub class: AddressClass,
}

impl Refusal {
    /// The refusal with the name that led to it.
    #[must_use]
    pub fn of_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            write!(f, "{} is a {} address", self.address, self.class)?;
        } else {
            write!(f, "{} leads to {}, a {} address", self.host, self.address, self.class)?;
        }
        f.write_str(", which outbound calls may not reach; an operator can allow its network in the configuration")
    }
}
