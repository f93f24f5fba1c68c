//! Evidence packets.

use plimsoll_app::evidence::PacketFormat;
use plimsoll_core::{
    Error, Result,
    evidence_packet::{EvidenceKey, EvidencePacket},
    id::EvidencePacketId,
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::evidence_packet::PacketRow;

use super::{answer::Answer, call::Call, download::Download, route::Route};

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<PacketRow>("-createdAt")?;
    Answer::page(&call.server.app.evidence_packet_list(&call.caller, query).await?)
}

pub(crate) async fn get(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.evidence_packet_get(&call.caller, call.id("id")?).await?)
}

pub(crate) async fn download(call: Call) -> Result<Answer> {
    let id: EvidencePacketId = call.id("id")?;
    let (format, ending, media_type) = match call.parameter("format") {
        None | Some("sigstore") => (PacketFormat::Sigstore, "sigstore.json", "application/json"),
        Some("dsse") => (PacketFormat::Dsse, "dsse.json", "application/json"),
        Some("bundle") => (PacketFormat::Bundle, "zip", "application/zip"),
        Some(_) => return Err(Error::field("format", "enum", "choose sigstore, dsse or bundle")),
    };
    let content = call.server.app.evidence_packet_download(&call.caller, id, format).await?;
    Download { name: format!("{id}.{ending}"), media_type, content }.answer(&call.headers)
}

pub(crate) async fn keys(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.evidence_key_list(&call.caller).await?)
}

/// The operations of this file.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(Op::EvidencePacketList, list).pages::<EvidencePacket>(),
        Route::new(Op::EvidenceKeyList, keys).lists::<EvidenceKey>(),
        Route::new(Op::EvidencePacketGet, get).answers::<EvidencePacket>(),
        Route::new(Op::EvidencePacketDownload, download).raw(&["application/json", "application/zip"]).asks(
            "format",
            "string",
            "`sigstore` (the default): a Sigstore bundle; `dsse`: the envelope alone; `bundle`: a ZIP with both, the public key, a page to read and VERIFY.md.",
        ),
    ]
}
