//! PEM text (RFC 7468).

use base64::{Engine, engine::general_purpose::STANDARD};
use plimsoll_core::{Error, ErrorCode};
use zeroize::Zeroizing;

/// `der` under `label`, in lines of 64 characters.
pub fn encode(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der)); // it may be a private key
    let mut out = String::with_capacity(text.len() + 80 + label.len() * 2);
    out.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        out.extend([line, "\n"]);
        rest = after;
    }
    out.extend(["-----END ", label, "-----\n"]);
    out
}

/// A key that can't be used, with what would be right.
pub fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::ValidationFailed, message)
}
