//! DSSE v1 (github.com/secure-systems-lab/dsse), in the profile that every verifier we name accepts: exactly
//! one signature, `keyid` absent or the key's fingerprint, standard base64 with padding.

use base64::{Engine, engine::general_purpose::STANDARD};
use plimsoll_core::Result;
use serde::{Deserialize, Serialize};

use crate::{
    error::VerifyError,
    key::{PublicKey, SigningKey},
};

/// The payload type of in-toto statements.
pub const IN_TOTO_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes that are signed: `DSSEv1 LEN(type) type LEN(payload) payload`, lengths in bytes.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// A DSSE envelope as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Envelope {
    /// What was signed, in base64.
    pub payload: String,
    /// What it is.
    pub payload_type: String,
    /// The signatures; only one is ever accepted.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature in an [`Envelope`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// The key's fingerprint. It is a hint, not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyid: Option<String>,
    /// The DER signature over [`pae`], in base64.
    pub sig: String,
}

impl Envelope {
    /// The payload, after its signature was found right: of type `payload_type`, signed once, by `key`.
    pub fn open(&self, payload_type: &str, key: &PublicKey) -> Result<Vec<u8>, VerifyError> {
        if self.payload_type != payload_type {
            return Err(VerifyError::WrongPayloadType {
                found: self.payload_type.clone(),
                expected: payload_type.to_owned(),
            });
        }
        let [signature] = self.signatures.as_slice() else {
            return Err(VerifyError::SignatureCount { found: self.signatures.len() });
        };
        if let Some(keyid) = &signature.keyid {
            check_key("keyid", keyid, key)?;
        }
        let payload = decode("payload", &self.payload)?;
        if key.accepts(&pae(payload_type, &payload), &decode("sig", &signature.sig)?) {
            Ok(payload)
        } else {
            Err(VerifyError::BadSignature { key_id: key.key_id().to_owned() })
        }
    }
}

impl SigningKey {
    /// Signs `payload` as it is.
    pub fn sign_payload(&self, payload_type: &str, payload: &[u8]) -> Result<Envelope> {
        let signature = self.sign(&pae(payload_type, payload))?;
        Ok(Envelope {
            payload: STANDARD.encode(payload),
            payload_type: payload_type.to_owned(),
            signatures: vec![EnvelopeSignature {
                keyid: Some(self.key_id().to_owned()),
                sig: STANDARD.encode(signature),
            }],
        })
    }
}

/// Refuses a hint that names another key than `key`.
pub(crate) fn check_key(field: &'static str, found: &str, key: &PublicKey) -> Result<(), VerifyError> {
    if found == key.key_id() {
        return Ok(());
    }
    Err(VerifyError::KeyMismatch { field, found: found.to_owned(), expected: key.key_id().to_owned() })
}

/// The engine refuses missing padding and spare bits, so that each value has one spelling.
fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, VerifyError> {
    STANDARD.decode(text).map_err(|_| VerifyError::BadBase64 { field })
}
