//! A private key that signs tokens.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use jsonwebtoken::{EncodingKey, Header};
use plimsoll_core::{Error, Result};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::PublicKey;
use crate::secret::SecretBytes;

/// An ES256 key pair. It can be sealed and loaded again; it cannot be printed or serialised.
pub struct SigningKey {
    pkcs8: SecretBytes,
    encoding: EncodingKey,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key. The randomness is the cryptographic library's own: it takes no other for keys.
    pub fn generate() -> Result<Self> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            .map_err(|_| Error::internal_defect("a signing key could not be generated"))?;
        Self::from_pkcs8(SecretBytes::from(document.as_ref().to_vec()))
    }

    /// From PKCS#8 DER, as [`Self::pkcs8`] gives it.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose_secret())
            .map_err(|_| Error::internal_defect("a stored signing key is not a PKCS#8 P-256 key"))?;
        let public = PublicKey::from_point(pair.public_key().as_ref())?;
        Ok(Self { encoding: EncodingKey::from_ec_der(pkcs8.expose_secret()), pkcs8, public })
    }

    /// The PKCS#8 DER, to be sealed before it is stored.
    #[must_use]
    pub const fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `claims` as a compact JWS whose header holds `typ`, `alg` and `kid` and nothing else.
    pub(crate) fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String> {
        crate::token::install_provider();
        let mut header = Header::new(self.public.algorithm().for_jsonwebtoken());
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.public.kid().to_owned());
        jsonwebtoken::encode(&header, claims, &self.encoding)
            .map_err(|cause| Error::internal_defect(format!("a token could not be signed: {cause}")))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.kid())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_loads_from_what_it_gave_and_prints_only_its_id() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pkcs8(key.pkcs8().clone()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().kid()));
        assert!(SigningKey::from_pkcs8(SecretBytes::from(vec![1, 2, 3])).is_err());
    }
}
