//! The first administrator's one-time password.

use plimsoll_core::context::Context;
use zeroize::Zeroizing;

use crate::secret::SecretString;

/// 32 characters that nobody confuses: without `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 100 random bits as four groups of five characters, such as `7k3mq-0x9vd-ab2cd-ef4gh`.
#[must_use]
pub fn initial_password(context: &Context) -> SecretString {
    let bytes = Zeroizing::new(context.random::<20>());
    let mut text = String::with_capacity(23);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32, so that no character is likelier.
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    SecretString::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn it_passes_our_own_rules_and_differs_each_time() {
        let (one, other) = (initial_password(&Context::system()), initial_password(&Context::system()));
        assert_eq!(one.expose_secret().len(), 23);
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert!(super::super::check_new_password("password", &one, "admin").is_ok());
    }
}
