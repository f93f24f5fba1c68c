//! `plimsoll sticker`: what each host says that it runs, as the server knows it, or checked without one.

use plimsoll_evidence::{MAX_STICKER_BYTES, StickerEnvelope};
use reqwest::Method;
use serde_json::{Value, json};

use super::{evidence, file, inventory, nouns::STICKER, parts::HELD, resource::Verb};
use crate::{
    Done,
    args::{StoredStickers, Verify},
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// What the server knows.
pub(super) async fn stored(command: StoredStickers, client: &Client, printer: &Printer) -> Done {
    match command {
        StoredStickers::List(list) => STICKER.run(Verb::List(list), client, printer).await,
        StoredStickers::Get { id } => STICKER.run(Verb::Get { which: id }, client, printer).await,
        StoredStickers::Read { target } => {
            let id = inventory::target_id(client, target).await?;
            let held: Vec<Value> = client.data(Call::new(Method::GET, &format!("/targets/{id}/sticker"))).await?;
            printer.list(&held, HELD)?;
            Ok(Exit::Ok)
        }
    }
}

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
