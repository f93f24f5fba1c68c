//! The public key with which anyone verifies.

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey},
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use plimsoll_core::Result;
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

use super::pem::{encode, refused};

/// All of a P-256 SubjectPublicKeyInfo (RFC 5480) but the 65 bytes of the uncompressed point.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// An ECDSA P-256 public key.
#[derive(Clone)]
pub struct PublicKey {
    parsed: ParsedPublicKey,
    point: Vec<u8>,
    key_id: String,
}

impl PublicKey {
    /// From PEM with a `PUBLIC KEY` section, as `openssl ec -pubout` and `cosign` write it.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|cause| {
            refused(format!("this is not a public key in PEM (a section PUBLIC KEY is expected): {cause}"))
        })?;
        Self::from_spki_der(&der)
    }

    /// From a DER SubjectPublicKeyInfo.
    pub fn from_spki_der(der: &[u8]) -> Result<Self> {
        let point = der.strip_prefix(&SPKI_PREFIX).ok_or_else(|| {
            refused(
                "the public key is not ECDSA P-256 with an uncompressed point; evidence is signed with no other kind",
            )
        })?;
        Self::from_point(point)
    }

    /// From an uncompressed point (SEC 1): 65 bytes beginning with 4, on the curve.
    pub(crate) fn from_point(point: &[u8]) -> Result<Self> {
        let uncompressed = point.len() == 65 && point.first() == Some(&4);
        let parsed = uncompressed.then(|| ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).ok()).flatten();
        let parsed = parsed.ok_or_else(|| refused("the public key is not a point on the curve P-256"))?;
        Ok(Self { parsed, point: point.to_vec(), key_id: fingerprint(point) })
    }

    /// The DER SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [SPKI_PREFIX.as_slice(), &self.point].concat()
    }

    /// PEM with a `PUBLIC KEY` section.
    pub fn to_pem(&self) -> String {
        encode("PUBLIC KEY", &self.to_spki_der())
    }

    /// The key's identity: `SHA256:` and the unpadded base64 of the SHA-256 of its OpenSSH form (RFC 5656), as
    /// `ssh-keygen -l` shows it and cosign writes it into `keyid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Is `signature` (DER) this key's over `message`, with SHA-256?
    pub fn accepts(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

/// SHA-256 of `string "ecdsa-sha2-nistp256" || string "nistp256" || string Q`, each with its length in 32 bits.
fn fingerprint(point: &[u8]) -> String {
    let mut blob = Vec::with_capacity(104);
    for (length, field) in [(19_u32, b"ecdsa-sha2-nistp256".as_slice()), (8, b"nistp256"), (65, point)] {
        blob.extend(length.to_be_bytes());
        blob.extend(field);
    }
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &blob)))
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.key_id)
    }
}
