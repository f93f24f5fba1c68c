//! Strict reading of JSON: size, syntax, duplicate keys and canonical form are checked before meaning.

use std::{cell::RefCell, collections::HashSet, fmt};

use plimsoll_core::canonical;
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};

use crate::error::{Part, VerifyError};

/// Reads `bytes` as a `T`: at most `limit` bytes, no key twice, only known fields (as `T` says).
pub fn parse<T: DeserializeOwned>(part: Part, bytes: &[u8], limit: usize) -> Result<T, VerifyError> {
    scan(part, bytes, limit)?;
    read(part, bytes)
}

/// Reads bytes that were scanned.
pub fn read<T: DeserializeOwned>(part: Part, bytes: &[u8]) -> Result<T, VerifyError> {
    serde_json::from_slice(bytes).map_err(|cause| VerifyError::Malformed { part, detail: cause.to_string() })
}

/// Refuses `bytes` unless they are exactly the canonical form of `value`.
pub fn check_canonical<T: Serialize>(part: Part, bytes: &[u8], value: &T) -> Result<(), VerifyError> {
    let expected = canonical::to_vec(value)
        .map_err(|cause| VerifyError::Malformed { part, detail: cause.message().to_owned() })?;
    if expected == bytes {
        return Ok(());
    }
    let same = expected.iter().zip(bytes).take_while(|(wanted, found)| wanted == found).count();
    Err(VerifyError::NotCanonical { part, offset: same })
}

/// Checks size, syntax and duplicate keys. It builds no tree, so that hostile input costs no more memory than
/// its own size.
pub fn scan(part: Part, bytes: &[u8], limit: usize) -> Result<(), VerifyError> {
    if bytes.len() > limit {
        return Err(VerifyError::TooLarge { part, size: bytes.len(), limit });
    }
    let duplicate = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let outcome = Scan { duplicate: &duplicate }.deserialize(&mut reader).and_then(|()| reader.end());
    match (outcome, duplicate.take()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(key)) => Err(VerifyError::DuplicateKey { part, key }),
        (Err(cause), None) => Err(VerifyError::Unparsable { part, detail: cause.to_string() }),
    }
}

/// Walks any JSON value and keeps nothing but the first key that an object has twice.
#[derive(Clone, Copy)]
struct Scan<'a> {
    duplicate: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                *self.duplicate.borrow_mut() = Some(key);
                return Err(A::Error::custom("duplicate key"));
            }
            seen.insert(key);
            map.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(text: &str) -> Result<serde_json::Value, VerifyError> {
        let value = parse(Part::Packet, text.as_bytes(), 64)?;
        check_canonical(Part::Packet, text.as_bytes(), &value)?;
        Ok(value)
    }

    #[test]
    fn canonical_json_is_read() {
        for good in ["{}", "[1,2.5,null,true,\"\\n\"]", r#"{"a":{"a":1},"b":[{"a":1}]}"#, "1e+21"] {
            assert!(strict(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn each_flaw_has_its_reason() {
        let cases = [
            ("{", "unparsable"),
            ("{} x", "unparsable"),
            ("\u{feff}{}", "unparsable"),
            (r#"{"a":"\ud800"}"#, "unparsable"),
            (r#"{"a":1,"a":1}"#, "duplicate_key"),
            (r#"[{"b":{"a":1,"\u0061":2}}]"#, "duplicate_key"),
            (r#"{"b":1,"a":1}"#, "not_canonical"),
            ("{ }", "not_canonical"),
            ("{}\n", "not_canonical"),
            ("1.0", "not_canonical"),
            ("-0", "not_canonical"),
            ("9007199254740993", "not_canonical"),
            (r#""\u0041""#, "not_canonical"),
            (r#""\/""#, "not_canonical"),
            ("[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", "too_large"),
        ];
        for (text, reason) in cases {
            assert_eq!(strict(text).unwrap_err().code(), reason, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let deep = "[".repeat(100_000);
        let outcome = parse::<serde_json::Value>(Part::Packet, deep.as_bytes(), 200_000);
        assert_eq!(outcome.unwrap_err().code(), "unparsable");
    }
}
