//! Reading the files that commands are given, with a limit.

use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

use plimsoll_evidence::PublicKey;
use serde_json::Value;

use crate::failure::Failure;

/// Larger files are none of ours.
const MAX_KEY_BYTES: u64 = 64 << 10;
/// What the API takes at most.
const MAX_BODY_BYTES: u64 = 8 << 20;

/// The bytes of a file, or of standard input for `-`; more than `limit` are refused.
pub(super) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let told = |cause: std::io::Error| Failure::usage(format!("{} cannot be read: {cause}", path.display()));
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(stdin().lock()) } else { Box::new(File::open(path).map_err(told)?) };
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(told)?;
    if bytes.len() as u64 > limit {
        return Err(Failure::usage(format!(
            "{} has more than {limit} bytes; it is not what is expected",
            path.display()
        )));
    }
    Ok(bytes)
}

/// A public key in PEM.
pub(super) fn key(path: &Path) -> Result<PublicKey, Failure> {
    let text = String::from_utf8(read(path, MAX_KEY_BYTES)?)
        .map_err(|_| Failure::usage(format!("{} is not a public key in PEM", path.display())))?;
    PublicKey::from_pem(&text).map_err(|cause| Failure::usage(format!("{}: {}", path.display(), cause.message())))
}

/// A body as the person gives it: JSON itself, `@FILE` (JSON or YAML), or `-` for standard input.
pub(super) fn data(text: &str) -> Result<Value, Failure> {
    let named = text.strip_prefix('@').unwrap_or(text);
    if named.len() == text.len() && text != "-" {
        return parse(text.as_bytes(), "the data");
    }
    document(Path::new(named))
}

/// A document of JSON or YAML.
pub(super) fn document(path: &Path) -> Result<Value, Failure> {
    parse(&read(path, MAX_BODY_BYTES)?, &path.display().to_string())
}

fn parse(bytes: &[u8], what: &str) -> Result<Value, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::usage(format!("{what} is not UTF-8")))?;
    let json = serde_json::from_str(text);
    json.or_else(|cause: serde_json::Error| {
        serde_saphyr::from_str(text)
            .map_err(|yaml| Failure::usage(format!("{what} is neither JSON ({cause}) nor YAML ({yaml})")))
    })
    .and_then(|value: Value| match value {
        Value::Object(_) | Value::Array(_) => Ok(value),
        _ => Err(Failure::usage(format!("{what} is not an object"))),
    })
}
