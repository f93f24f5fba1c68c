//! The code that a person types to let a device in (RFC 8628, section 6.1).

use std::fmt;

use plimsoll_core::context::Context;

/// Consonants alone (RFC 8628, section 6.1): no code spells a word, no letter looks like a digit.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

const CODE_CHARS: u32 = 8;

/// The code that the user types, such as `WDJB-MJHT`. 34 bits: guesses are throttled by address.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UserCode(String);

impl UserCode {
    /// A fresh code.
    #[must_use]
    pub fn generate(context: &Context) -> Self {
        // 20^8 divides 2^64 but for a part in 10^9: no code is noticeably likelier.
        let mut number = u64::from_be_bytes(context.random()) % 20_u64.pow(CODE_CHARS);
        let mut text = String::with_capacity(CODE_CHARS as usize);
        for _ in 0..CODE_CHARS {
            text.push(char::from(ALPHABET[(number % 20) as usize]));
            number /= 20;
        }
        Self(text)
    }

    /// As a person typed it: case, spaces and dashes don't matter. `None` if it can't be a code.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let bare: String =
            text.chars().filter(|char| !matches!(char, '-' | ' ')).map(|char| char.to_ascii_uppercase()).collect();
        let good = bare.len() == CODE_CHARS as usize && bare.bytes().all(|byte| ALPHABET.contains(&byte));
        good.then_some(Self(bare))
    }

    /// The eight letters, as stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, two) = self.0.split_at(CODE_CHARS as usize / 2);
        write!(f, "{one}-{two}")
    }
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        let code = UserCode::generate(&Context::system());
        assert_eq!(code.to_string().len(), 9);
        for typed in
            [code.to_string(), code.as_str().to_lowercase(), format!(" {} ", code.to_string().replace('-', " "))]
        {
            assert_eq!(UserCode::parse(&typed), Some(code.clone()), "{typed}");
        }
        for bad in ["", "WDJB-MJH", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "ÄÖÜ", &"-".repeat(100)] {
            assert_eq!(UserCode::parse(bad), None, "{bad}");
        }
    }
}
