//! Sigstore bundle v0.3: the file form of a packet, which cosign and Sigstore's libraries read.

use serde::{Deserialize, Serialize};

use crate::{
    dsse::{Envelope, check_key},
    error::VerifyError,
    key::PublicKey,
};

/// The media type of a bundle, which is also its version.
pub const BUNDLE_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A bundle around a DSSE envelope that was signed with a key of the signer's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    dsse_envelope: Envelope,
    media_type: String,
    verification_material: VerificationMaterial,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VerificationMaterial {
    public_key: KeyHint,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyHint {
    hint: String,
}

impl Bundle {
    /// Wraps an envelope that `key` signed.
    #[must_use]
    pub fn new(envelope: Envelope, key: &PublicKey) -> Self {
        Self {
            dsse_envelope: envelope,
            media_type: BUNDLE_MEDIA_TYPE.to_owned(),
            verification_material: VerificationMaterial { public_key: KeyHint { hint: key.key_id().to_owned() } },
        }
    }

    /// The envelope inside.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.dsse_envelope
    }

    /// Refuses a bundle of another kind, and one that names another key.
    pub(crate) fn check(&self, key: &PublicKey) -> Result<(), VerifyError> {
        if self.media_type != BUNDLE_MEDIA_TYPE {
            return Err(VerifyError::WrongMediaType { found: self.media_type.clone() });
        }
        check_key("hint", &self.verification_material.public_key.hint, key)
    }
}
