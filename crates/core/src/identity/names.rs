//! Names of users and roles.

use crate::rules::ensure;

/// A user's name: what one signs in with. Lower case alone, so that two names never look the same.
pub fn user<T: AsRef<str>>(name: &T, _: &()) -> garde::Result {
    let name = name.as_ref();
    let known =
        |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || matches!(one, b'.' | b'_' | b'-' | b'@' | b'+');
    let good = name.len() <= 128
        && name.bytes().all(known)
        && name.bytes().next().is_some_and(|one| one.is_ascii_lowercase() || one.is_ascii_digit());
    ensure(
        good,
        "must be 1 to 128 lower-case letters, digits, '.', '_', '-', '@' or '+', beginning with a letter or digit",
    )
}

/// The name of a client's service user. No person can have it, since [`user`] refuses the colon.
#[must_use]
pub fn service_user(client: &str) -> String {
    format!("client:{client}")
}

/// A role's name.
pub fn role<T: AsRef<str>>(name: &T, _: &()) -> garde::Result {
    let name = name.as_ref();
    let known = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || matches!(one, b'_' | b'-');
    let good =
        name.len() <= 63 && name.bytes().all(known) && name.bytes().next().is_some_and(|one| one.is_ascii_lowercase());
    ensure(good, "must be 1 to 63 lower-case letters, digits, '_' or '-', beginning with a letter")
}

/// An address that mail can be sent to. Whether it arrives only sending can tell.
pub fn email(address: Option<&str>) -> garde::Result {
    let Some(address) = address else { return Ok(()) };
    let plain = |text: &str| !text.is_empty() && !text.chars().any(|one| one.is_control() || one.is_whitespace());
    let good = address.len() <= 254
        && address
            .rsplit_once('@')
            .is_some_and(|(local, domain)| plain(local) && plain(domain) && !domain.contains(','));
    ensure(good, "must be an address such as ada@example.org")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_users() {
        for good in ["ada", "ada@example.org", "a.b-c_d+e", "0x"] {
            assert!(user(&good.to_owned(), &()).is_ok(), "{good}");
        }
        for bad in ["", "Ada", "@a", "a b", "a:b", "ä", &service_user("ci"), &"x".repeat(129)] {
            assert!(user(&(*bad).to_owned(), &()).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_roles_and_the_built_in_ones() {
        for built_in in crate::permission::BuiltInRole::ALL {
            assert!(role(&built_in.name().to_owned(), &()).is_ok());
        }
        for bad in ["", "Admin", "1st", "a b", "a.b", &"x".repeat(64)] {
            assert!(role(&(*bad).to_owned(), &()).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert!(email(None).is_ok());
        assert!(email(Some("ada@example.org")).is_ok());
        for bad in ["", "ada", "@example.org", "ada@", "a b@example.org", "a@b\r\nBcc: c"] {
            assert!(email(Some(bad)).is_err(), "{bad}");
        }
    }
}
