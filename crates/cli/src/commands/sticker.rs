//! `plimsoll sticker`: what a host says that it runs, checked without a server.

use plimsoll_evidence::{MAX_STICKER_BYTES, StickerEnvelope};
use serde_json::json;

use super::{evidence, file};
use crate::{Done, args::Verify, exit::Exit, failure::Failure, output::Printer};

pub(super) fn verify(what: &Verify, printer: &Printer) -> Done {
    let key = file::key(&what.key)?;
    let bytes = file::read(&what.file, MAX_STICKER_BYTES as u64 + 1)?;
    let sticker = StickerEnvelope::verify(&bytes, &key).map_err(|cause| evidence::refused(&what.file, &cause))?;
    let value = serde_json::to_value(&sticker).map_err(|cause| Failure::system(cause.to_string()))?;
    let text =
        format!("verified: {} runs {}, signed by key {}", sticker.target_name, sticker.release.version, key.key_id());
    printer.verdict(&text, &json!({"verified": true, "keyId": key.key_id(), "sticker": value}))?;
    Ok(Exit::Ok)
}
