//! Evidence: sealed in the deciding transaction, signed a moment later, read and downloaded.

mod job;
mod people;
mod seal;
pub mod sign;

use plimsoll_core::{Error, ErrorCode, Result, evidence_packet::EvidencePacket, id::EvidencePacketId};
use plimsoll_evidence::{Packet, PublicKey, archive};
use plimsoll_store::{
    Tx, evidence_key,
    evidence_packet::{self, PacketRow},
    resource::{self, ListQuery, Listing, Resource as _},
};

use serde_json::json;

pub(crate) use job::seal_job;
pub(crate) use people::{Hidden, hide};
pub(crate) use seal::{Draft, seal};

use crate::{App, Caller};

/// In which form a packet is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketFormat {
    /// The Sigstore bundle, as it was signed.
    Sigstore,
    /// The bare DSSE envelope.
    Dsse,
    /// An archive with both, the public key, and a page to read.
    Bundle,
}

impl App {
    /// A page of packets about environments that the caller may see.
    pub async fn evidence_packet_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<EvidencePacket>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&PacketRow::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        let page = self.store.list::<PacketRow>(caller.scope(), "evidence_packet_list", query).await?;
        Ok(page.map(|row| row.packet))
    }

    /// One packet.
    pub async fn evidence_packet_get(&self, caller: &Caller, id: EvidencePacketId) -> Result<EvidencePacket> {
        let owned = caller.clone();
        self.store
            .read(caller.scope(), "evidence_packet_get", move |tx| {
                let mut packet = visible(tx, &owned, id)?;
                packet.people = evidence_packet::people(tx, id)?;
                Ok(packet)
            })
            .await
    }

    /// A signed packet's exact bytes in one of its forms.
    pub async fn evidence_packet_download(
        &self,
        caller: &Caller,
        id: EvidencePacketId,
        format: PacketFormat,
    ) -> Result<Vec<u8>> {
        let owned = caller.clone();
        let (bytes, key) = self
            .store
            .read(caller.scope(), "evidence_packet_download", move |tx| {
                let packet = visible(tx, &owned, id)?;
                let bytes = evidence_packet::bytes(tx, id)?.ok_or_else(|| not_signed(&packet))?;
                let keys = evidence_key::all(tx)?;
                Ok((bytes, keys.into_iter().find(|key| Some(&key.key_id) == packet.key_id.as_ref())))
            })
            .await?;
        match format {
            PacketFormat::Sigstore => Ok(bytes),
            PacketFormat::Bundle => {
                let key = key.ok_or_else(|| Error::internal_defect("the key of a signed packet is not there"))?;
                archive::pack(&bytes, &PublicKey::from_pem(&key.public_key)?)
            }
            PacketFormat::Dsse => {
                let packet = Packet::parse(&bytes)?;
                Ok(Packet::Envelope(packet.envelope().clone()).to_canonical()?)
            }
        }
    }
}

/// A packet about an environment that the caller may see; one that is about none belongs to the whole tenant.
fn visible(tx: &mut Tx<'_>, caller: &Caller, id: EvidencePacketId) -> Result<EvidencePacket> {
    let packet = resource::get::<PacketRow>(tx, id)?.packet;
    match packet.environment_id {
        Some(environment) => caller.may_in(environment)?,
        None => caller.may_everywhere()?,
    }
    Ok(packet)
}

/// Why there is nothing to download.
fn not_signed(packet: &EvidencePacket) -> Error {
    let message = match &packet.problem {
        None => "the packet is sealed but not signed yet; ask again in a second".to_owned(),
        Some(problem) => {
            format!("the packet can't be signed ({problem}); read its statement, which is sealed, instead")
        }
    };
    Error::new(ErrorCode::StateConflict, message)
}
