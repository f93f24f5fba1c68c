//! Evidence packets.

use axum::{body::Body, response::Response};
use http::{HeaderValue, header};
use plimsoll_app::evidence::PacketFormat;
use plimsoll_core::{
    Digest, Error, Result,
    evidence_packet::{EvidenceKey, EvidencePacket},
    id::EvidencePacketId,
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::evidence_packet::PacketRow;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<PacketRow>("-createdAt")?;
    Answer::page(&call.server.app.evidence_packet_list(&call.caller, query).await?)
}

pub(crate) async fn get(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.evidence_packet_get(&call.caller, call.id("id")?).await?)
}

pub(crate) async fn download(call: Call) -> Result<Answer> {
    let id: EvidencePacketId = call.id("id")?;
    let format = match call.parameter("format") {
        None | Some("bundle") => PacketFormat::Bundle,
        Some("dsse") => PacketFormat::Dsse,
        Some(_) => return Err(Error::field("format", "enum", "choose bundle or dsse")),
    };
    let bytes = call.server.app.evidence_packet_download(&call.caller, id, format).await?;
    let failed = |_| Error::internal_defect("a download's header cannot be sent");
    let name = format!("attachment; filename=\"{id}.sigstore.json\"");
    let etag = format!("\"{}\"", Digest::of(&bytes).hex());
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(failed)?);
    headers.insert(header::ETAG, HeaderValue::from_str(&etag).map_err(failed)?);
    Ok(Answer::Raw(Box::new(response)))
}

pub(crate) async fn keys(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.evidence_key_list(&call.caller).await?)
}

/// The operations of this file.
pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(Op::EvidencePacketList, list).pages::<EvidencePacket>(),
        Route::new(Op::EvidenceKeyList, keys).answers::<Vec<EvidenceKey>>(),
        Route::new(Op::EvidencePacketGet, get).answers::<EvidencePacket>(),
        Route::new(Op::EvidencePacketDownload, download).raw("application/json"),
    ]
}
