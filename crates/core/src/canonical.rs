//! Canonical JSON (RFC 8785): the bytes that are hashed and signed.

use serde::Serialize;

use crate::{
    Digest,
    error::{Error, ErrorCode, Result},
};

/// The canonical bytes of `value`. Keys are sorted by the canonicalizer, whatever map type held them.
pub fn to_vec<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json_canonicalizer::to_vec(value).map_err(|cause| {
        Error::new(ErrorCode::Internal, "a value could not be written as canonical JSON").internal(cause.to_string())
    })
}

/// The SHA-256 of the canonical bytes of `value`.
pub fn digest<T: Serialize>(value: &T) -> Result<Digest> {
    Ok(Digest::of(&to_vec(value)?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_of_keys_does_not_matter() {
        let a: serde_json::Value = serde_json::from_str(r#"{"b":1,"a":[2.0,"é"]}"#).unwrap();
        assert_eq!(super::to_vec(&a).unwrap(), r#"{"a":[2,"é"],"b":1}"#.as_bytes());
    }
}
