//! Version stickers: recorded when agents place them, listed, and read back from the targets.

pub(crate) mod place;
mod seen;
mod view;

use plimsoll_core::{Result, evidence_packet::VersionSticker, id::StickerId};
use plimsoll_store::{
    resource::{self, ListQuery, Listing, Resource as _},
    version_sticker::StickerRow,
};
use serde_json::json;

use crate::{App, Caller};

impl App {
    /// A page of stickers in environments that the caller may see.
    pub async fn version_sticker_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<VersionSticker>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&StickerRow::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        let page = self.store.list::<StickerRow>(caller.scope(), "version_sticker_list", query).await?;
        Ok(page.map(|row| row.sticker))
    }

    /// One sticker.
    pub async fn version_sticker_get(&self, caller: &Caller, id: StickerId) -> Result<VersionSticker> {
        let row = self
            .store
            .read(caller.scope(), "version_sticker_get", move |tx| resource::get::<StickerRow>(tx, id))
            .await?;
        caller.may_in(row.sticker.environment_id)?;
        Ok(row.sticker)
    }
}
