//! Version stickers.

use plimsoll_core::{Result, evidence_packet::VersionSticker};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::version_sticker::StickerRow;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(Op::VersionStickerList, list).pages::<VersionSticker>(),
        Route::new(Op::VersionStickerGet, get).answers::<VersionSticker>(),
    ]
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<StickerRow>("-createdAt")?;
    Answer::page(&call.server.app.version_sticker_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.version_sticker_get(&call.caller, call.id("id")?).await?)
}
