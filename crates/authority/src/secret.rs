//! Secrets in memory: wiped when dropped, never printed, never serialised; and random ones for clients.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_core::{Digest, context::Context};
pub use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Secret bytes: wiped when dropped, redacted in `Debug`.
pub type SecretBytes = secrecy::SecretSlice<u8>;

/// Random bytes of a secret that is shown once: 256 bits, so that a plain hash of it can be stored.
const ENTROPY_BYTES: usize = 32;

/// A fresh secret such as `plc_…`: the prefix lets people and secret scanners see what it is.
#[must_use]
pub fn generate(prefix: &str, context: &Context) -> SecretString {
    let bytes = Zeroizing::new(context.random::<ENTROPY_BYTES>());
    let mut text = String::with_capacity(prefix.len() + 1 + 43);
    text.push_str(prefix);
    text.push('_');
    URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
    SecretString::from(text)
}

/// What is stored of a secret that [`generate`] made. A slow hash would add nothing to 256 random bits.
/// Never for passwords: see [`crate::password`].
#[must_use]
pub fn fingerprint(secret: &SecretString) -> Digest {
    Digest::of(secret.expose_secret().as_bytes())
}

/// Whether `secret` is the one whose fingerprint was stored, in constant time.
#[must_use]
pub fn matches(secret: &SecretString, stored: &Digest) -> bool {
    same_digest(&fingerprint(secret), stored)
}

/// Equality of digests in constant time.
#[must_use]
pub(crate) fn same_digest(one: &Digest, other: &Digest) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only while `$secret` does not implement `$forbidden`: otherwise the call is ambiguous.
    macro_rules! never_implements {
        ($secret:ty, $forbidden:path) => {
            const _: fn() = || {
                trait AmbiguousIfImplemented<A> {
                    fn probe() {}
                }
                impl<T: ?Sized> AmbiguousIfImplemented<()> for T {}
                struct Forbidden;
                impl<T: ?Sized + $forbidden> AmbiguousIfImplemented<Forbidden> for T {}
                let _ = <$secret as AmbiguousIfImplemented<_>>::probe;
            };
        };
    }
    never_implements!(SecretString, std::fmt::Display);
    never_implements!(SecretString, serde::Serialize);
    never_implements!(SecretBytes, std::fmt::Display);
    never_implements!(SecretBytes, serde::Serialize);
    never_implements!(crate::keys::SigningKey, serde::Serialize);
    never_implements!(crate::keys::SigningKey, std::fmt::Display);
    never_implements!(crate::seal::RootKey, serde::Serialize);
    never_implements!(crate::seal::RootKey, std::fmt::Display);
    never_implements!(crate::seal::DataKey, serde::Serialize);
    never_implements!(crate::seal::DataKey, std::fmt::Display);

    #[test]
    fn a_secret_is_recognised_by_its_fingerprint_and_not_printed() {
        let secret = generate("plc", &Context::system());
        assert!(secret.expose_secret().starts_with("plc_"));
        assert_eq!(secret.expose_secret().len(), 4 + 43);
        assert!(matches(&secret, &fingerprint(&secret)));
        assert!(!matches(&generate("plc", &Context::system()), &fingerprint(&secret)));
        assert!(!format!("{secret:?}").contains(&secret.expose_secret()[4..]));
    }
}
