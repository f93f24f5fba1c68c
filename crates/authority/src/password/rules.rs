//! What a new password must be: long, and not among the first that anybody tries (NIST SP 800-63B, 5.1.1.2).

use plimsoll_core::{Error, Result};
use secrecy::ExposeSecret;

use crate::secret::SecretString;

/// The least number of characters.
pub const MIN_PASSWORD_CHARS: usize = 12;

/// The most bytes: room for any passphrase, and none for making the server work.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// The commonest words of leaked passwords, and the product's own, one a line.
const COMMON: &str = include_str!("common.txt");

/// Rows of keys and the usual sequences; a password that is a piece of one is no secret.
const SEQUENCES: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiop[]asdfghjkl;'zxcvbnm,./",
    "qwertzuiopasdfghjklyxcvbnm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "qazwsxedcrfvtgbyhnujmikolp",
];

/// Checks a password that somebody chose; `field` names it in the error, `user` is who chose it.
pub fn check_new_password(field: &str, password: &SecretString, user: &str) -> Result<()> {
    let text = password.expose_secret();
    let refuse = |code: &str, message: String| Err(Error::field(field, code, message));
    if text.chars().count() < MIN_PASSWORD_CHARS {
        return refuse(
            "too_short",
            format!("must have at least {MIN_PASSWORD_CHARS} characters; several words are easy"),
        );
    }
    if text.len() > MAX_PASSWORD_BYTES {
        return refuse("too_long", format!("must have at most {MAX_PASSWORD_BYTES} bytes"));
    }
    let lower = text.to_lowercase();
    if is_common(&lower) || is_sequence(&lower) || is_user(&lower, user) {
        return refuse(
            "too_common",
            "is among the first that anybody tries; take several words of your own".to_owned(),
        );
    }
    Ok(())
}

/// A common word, also repeated, decorated with digits and signs, or with letters exchanged for digits.
fn is_common(lower: &str) -> bool {
    let known = |text: &str| COMMON.lines().any(|word| word == text);
    let bare = |text: &str| text.trim_matches(|char: char| !char.is_alphabetic()).to_owned();
    [bare(lower), bare(&spelled_out(lower)), spelled_out(&bare(lower))]
        .iter()
        .any(|word| word.is_empty() || known(word) || known(unit(word)))
}

fn spelled_out(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// A piece of a well-known sequence, also repeated.
fn is_sequence(lower: &str) -> bool {
    let unit = unit(lower);
    unit.chars().count() <= 3 || SEQUENCES.iter().any(|sequence| sequence.contains(unit))
}

/// The user's own name, decorated.
fn is_user(lower: &str, user: &str) -> bool {
    let user = user.to_lowercase();
    let bare = lower.trim_matches(|char: char| !char.is_alphabetic());
    !user.is_empty() && (lower == user || unit(bare) == user || bare == user)
}

/// The shortest piece that the text is a repetition of: `abc` for `abcabcabc`.
fn unit(text: &str) -> &str {
    (1..=text.len() / 2)
        .filter(|length| text.len().is_multiple_of(*length) && text.is_char_boundary(*length))
        .map(|length| &text[..length])
        .find(|unit| unit.repeat(text.len() / unit.len()) == text)
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<()> {
        check_new_password("password", &SecretString::from(text), "ada.lovelace")
    }

    #[test]
    fn passphrases_and_random_ones_are_good() {
        for good in [
            "difference engine 1837",
            "x7$kq0Zp!mW2",
            "drei Äpfel im Korb",
            "ключ от квартиры",
            "the password is mine",
            "mypasswordsafe is blue",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn short_long_and_common_ones_are_refused_and_not_repeated() {
        let long = "x1".repeat(600);
        for bad in [
            "",
            "elevenchars",
            "äöüäöüäöüäö",
            long.as_str(),
            "password1234",
            "Password2026!",
            "P@ssw0rd!!!!",
            "!!!password!!!",
            "passwordpassword",
            "qwertyuiop12",
            "123456789012",
            "098765432109",
            "aaaaaaaaaaaaaaaa",
            "abcabcabcabc",
            "1q2w3e4r5t6y",
            "correcthorsebatterystaple",
            "Plimsoll2026",
            "administrator",
            "ada.lovelace",
            "Ada.Lovelace1815",
            "------------",
        ] {
            let error = check(bad).map(|()| bad.to_owned()).unwrap_err();
            assert_eq!(error.validation()[0].field, "password");
            assert!(bad.is_empty() || !format!("{error:?}").contains(bad), "{error:?}");
        }
    }
}
