//! Names of images, checked once: repository, tag, reference (OCI Distribution specification 1.1,
//! "Pulling manifests").

use std::{fmt, str::FromStr};

use plimsoll_core::{Digest, Error};

/// A repository's name within a registry, such as `shop/api`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

/// A tag, such as `2.4.1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(String);

/// What a manifest is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(Tag),
    /// Its content.
    Digest(Digest),
}

/// Longest repository name: with a host it must fit into 255 characters everywhere.
const MAX_REPOSITORY: usize = 255;
const MAX_TAG: usize = 128;

impl Repository {
    /// The name as it stands in URLs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Tag {
    /// The tag as it stands in URLs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() <= MAX_REPOSITORY && text.split('/').all(is_component) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::field(
            "repository",
            "repository",
            format!(
                "{text:?} is no repository name: use lower-case letters and digits, separated by '.', '_', '-' or '/', such as shop/api, without the registry's host"
            ),
        ))
    }
}

impl FromStr for Tag {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let bytes = text.as_bytes();
        let first = bytes.first().is_some_and(|byte| word(*byte));
        if first && bytes.len() <= MAX_TAG && bytes.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-')) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::field(
            "tag",
            "tag",
            format!(
                "{text:?} is no tag: use 1 to 128 letters, digits, '_', '.' and '-', beginning with neither '.' nor '-'"
            ),
        ))
    }
}

impl FromStr for Reference {
    type Err = Error;

    /// A digest if there is a colon in it, else a tag.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.contains(':') { text.parse().map(Self::Digest) } else { text.parse().map(Self::Tag) }
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, the specification's rule for what stands between slashes.
fn is_component(text: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let edges = [text.bytes().next(), text.bytes().last()];
    edges.into_iter().all(|byte| byte.is_some_and(alphanumeric))
        && separators
            .into_iter()
            .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|byte| byte == b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repositories() {
        for good in ["a", "shop/api", "library/nginx", "a.b_c__d---e/0", "x/y/z", &"a".repeat(255)] {
            assert_eq!(good.parse::<Repository>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "shop/Api",
            "a..b",
            "a___b",
            "a.-b",
            "-a",
            "a-",
            "a b",
            "../v2",
            "a/../b",
            "a%2fb",
            "a?b",
            "a#b",
            "a:b",
            "a@b",
            "\u{e4}",
            "a\n",
            &"a".repeat(256),
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tags() {
        for good in ["1", "latest", "v1.2.3-rc.1_x", "_", &"t".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a b", "a:b", "\u{e4}", "a?n=1", &"t".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_with_a_colon_is_a_digest_or_nothing() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Reference>().unwrap(), Reference::Digest(digest));
        assert!("sha512:00".parse::<Reference>().is_err());
        assert_eq!("1.0".parse::<Reference>().unwrap().to_string(), "1.0");
    }

    proptest! {
        /// Whatever passes can stand in a path: it changes neither host, path depth, query nor fragment.
        #[test]
        fn a_name_never_escapes_its_place(text in "[a-z0-9./_:@?#%&=\\\\ -]{1,40}") {
            if let Ok(name) = text.parse::<Repository>() {
                let url = url::Url::parse(&format!("https://r.example/v2/{name}/tags/list")).unwrap();
                prop_assert_eq!(url.path(), format!("/v2/{text}/tags/list"));
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }
    }
}
