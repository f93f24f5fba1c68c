//! The private key with which a tenant's evidence is signed.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use plimsoll_core::{Error, Result};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::Zeroizing;

use super::{
    pem::{encode, refused},
    public::PublicKey,
};

/// An ECDSA P-256 private key. Its memory is wiped by the crypto library when it is dropped.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl SigningKey {
    /// A fresh key from the crypto library's own generator.
    pub fn generate() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| Error::internal_defect("a P-256 key could not be generated"))?;
        Self::from_pair(pair)
    }

    /// From unencrypted PKCS#8 DER.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .map_err(|_| refused("the private key is not ECDSA P-256 in unencrypted PKCS#8"))?;
        Self::from_pair(pair)
    }

    /// From PEM with a `PRIVATE KEY` section, as `openssl genpkey` writes it.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self> {
        let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|cause| {
            refused(format!(
                "this is not a private key in PEM with a section PRIVATE KEY (an EC PRIVATE KEY is changed into it by \
                 `openssl pkcs8 -topk8 -nocrypt`): {cause}"
            ))
        })?;
        let key = Self::from_pkcs8_der(der.secret_pkcs8_der());
        zeroize::Zeroize::zeroize(&mut der);
        key
    }

    /// Unencrypted PKCS#8 DER, wiped when dropped. Seal it before it is stored.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>> {
        let der = self.pair.to_pkcs8v1().map_err(|_| Error::internal_defect("a P-256 key could not be exported"))?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// Unencrypted PKCS#8 PEM, wiped when dropped.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>> {
        Ok(Zeroizing::new(encode("PRIVATE KEY", &self.to_pkcs8_der()?)))
    }

    /// Its public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The public half's [`PublicKey::key_id`].
    pub fn key_id(&self) -> &str {
        self.public.key_id()
    }

    /// The signature of `message` with SHA-256, in DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| Error::internal_defect("a P-256 signature could not be made"))?;
        Ok(signature.as_ref().to_vec())
    }

    fn from_pair(pair: EcdsaKeyPair) -> Result<Self> {
        let public = PublicKey::from_point(pair.public_key().as_ref())?;
        Ok(Self { pair, public })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.key_id())
    }
}
