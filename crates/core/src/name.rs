//! Names that people and URLs use.

use crate::error::{Error, Result};

/// The longest name.
pub const MAX_NAME: usize = 63;

/// Checks a slug: 1-63 of lower-case letters, digits and `-`, beginning and ending with a letter or digit.
/// Such a name is safe in a container's name, a DNS alias, a file name and a URL.
pub fn check_slug(field: &str, text: &str) -> Result<()> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b'-');
    let bytes = text.as_bytes();
    if bytes.len() <= MAX_NAME && bytes.iter().all(|byte| inner(*byte)) && edge(bytes.first()) && edge(bytes.last()) {
        return Ok(());
    }
    Err(Error::field(
        field,
        "slug",
        "must be 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit",
    ))
}

#[cfg(test)]
mod tests {
    use super::check_slug;

    #[test]
    fn slugs() {
        for good in ["a", "shop", "shop-api2", "0"] {
            assert!(check_slug("name", good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Shop", "a_b", "a.b", "ä", &"x".repeat(64)] {
            assert!(check_slug("name", bad).is_err(), "{bad}");
        }
    }
}
