//! Strict reading of JSON from outside: no duplicate keys, bounded depth, nothing after the value.
//!
//! Two readers that resolve a repeated key differently can be made to see two different documents
//! (RFC 8259, section 4), so that what one checked is not what the other acts on.

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::{Error, ErrorCode, Result};

/// Reads `bytes` as one JSON value nested at most `max_depth` deep; a scalar has depth 0.
/// Any key that occurs twice in one object is an error. The caller bounds the size.
pub fn parse_strict(bytes: &[u8], max_depth: usize) -> Result<Value> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth_left: max_depth }.deserialize(&mut reader).map_err(refuse)?;
    reader.end().map_err(refuse)?;
    Ok(value)
}

fn refuse(cause: serde_json::Error) -> Error {
    Error::new(ErrorCode::MalformedJson, format!("this is not acceptable JSON: {cause}"))
}

#[derive(Clone, Copy)]
struct Strict {
    depth_left: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("it is nested too deeply"))?;
        Ok(Self { depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if out.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} occurs twice")));
            }
            let value = entries.next_value_seed(inner)?;
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ordinary_json_reads_as_usual() {
        let text = br#" {"a":[1,-2,2.5,"x",null,true],"b":{"a":18446744073709551615}} "#;
        let expected = json!({"a": [1, -2, 2.5, "x", null, true], "b": {"a": u64::MAX}});
        assert_eq!(parse_strict(text, 2).unwrap(), expected);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"k":1,"k":2}]}"#,
            r#"{"a":1}{"a":2}"#,
            "{\"a\":1}\0",
            r#"{"a":1e999}"#,
            r#"{"a":NaN}"#,
            r#"{"a":01}"#,
            r#"{"a":1,}"#,
            "",
        ] {
            assert_eq!(parse_strict(bad.as_bytes(), 8).unwrap_err().code(), ErrorCode::MalformedJson, "{bad}");
        }
        assert!(parse_strict(b"{\"a\":\"\xff\"}", 8).is_err());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse_strict(b"[[1]]", 2).is_ok());
        assert!(parse_strict(b"[[[1]]]", 2).is_err());
        let deep = "[".repeat(100_000);
        assert!(parse_strict(deep.as_bytes(), 64).is_err());
    }
}
