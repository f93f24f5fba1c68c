//! AES-256-GCM with a random nonce in front of the ciphertext.
//!
//! Random nonces of 96 bits allow 2^32 sealings under one key (NIST SP 800-38D, section 8.3); a data key
//! that seals a thousand secrets a day would take ten thousand years.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use plimsoll_core::{Error, Result, context::Context};
use zeroize::Zeroizing;

use crate::secret::SecretBytes;

/// The length of a key in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// A key ready for use.
pub(super) fn key(bytes: &[u8]) -> Result<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes)
        .map(LessSafeKey::new)
        .map_err(|_| Error::internal_defect("a sealing key has the wrong length"))
}

/// Nonce, ciphertext and tag.
pub(super) fn seal(key: &LessSafeKey, aad: &[u8], plain: &[u8], context: &Context) -> Result<Vec<u8>> {
    let nonce = context.random::<NONCE_LEN>();
    // Sealed in place: only ciphertext is left in this buffer, and it never grows.
    let mut buffer = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    buffer.extend_from_slice(plain);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut buffer)
        .map_err(|_| Error::internal_defect("a secret could not be sealed"))?;
    Ok([nonce.as_slice(), &buffer].concat())
}

/// The plain bytes, if `key` sealed them with this `aad`.
pub(super) fn open(key: &LessSafeKey, aad: &[u8], sealed: &[u8]) -> Option<SecretBytes> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let plain = key.open_in_place(nonce, Aad::from(aad), &mut buffer).ok()?;
    Some(SecretBytes::from(plain.to_vec()))
}
