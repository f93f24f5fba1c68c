//! Signed evidence without I/O: keys, DSSE envelopes, in-toto statements, Sigstore bundles, stickers and
//! their offline verification. Used by server, agent and command line.
//!
//! A packet is a Sigstore bundle v0.3 around one DSSE envelope with one signature over one in-toto
//! Statement v1. Packet and statement are canonical JSON (RFC 8785) and nothing else is accepted, so each
//! byte of a packet matters: whichever one is changed, [`verify_packet`] refuses the packet.

pub mod archive;
mod bundle;
mod dsse;
mod error;
mod json;
mod key;
mod packet;
mod statement;
mod sticker;

pub use bundle::{BUNDLE_MEDIA_TYPE, Bundle};
pub use dsse::{Envelope, EnvelopeSignature, IN_TOTO_PAYLOAD_TYPE, pae};
pub use error::{Part, VerifyError};
pub use key::{PublicKey, SigningKey};
pub use packet::{MAX_PACKET_BYTES, MAX_STATEMENT_BYTES, Packet, VerifiedStatement, verify_packet};
pub use statement::{PredicateType, Statement, Subject};
pub use sticker::{MAX_STICKER_BYTES, Sticker, StickerComponent, StickerEnvelope, StickerRelease};
