//! The keys in force on this replica: one that signs, and all that are published.

use std::sync::Arc;

use super::{Jwk, Jwks, PublicKey, SigningKey};

/// The active key and every published public key. Immutable: after a rotation a new set replaces it.
#[derive(Clone, Debug)]
pub struct SigningKeySet {
    active: Arc<SigningKey>,
    published: Vec<PublicKey>,
}

impl SigningKeySet {
    /// `active` signs; `others` are the published keys that don't (see [`super::rotation::KeyState`]).
    #[must_use]
    pub fn new(active: SigningKey, others: impl IntoIterator<Item = PublicKey>) -> Self {
        let mut published = vec![active.public().clone()];
        for key in others {
            if !published.contains(&key) {
                published.push(key);
            }
        }
        Self { active: Arc::new(active), published }
    }

    /// The key that signs.
    #[must_use]
    pub fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The published key with this id.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.published.iter().find(|key| key.kid() == kid)
    }

    /// Every published key, the active one first.
    #[must_use]
    pub fn published(&self) -> &[PublicKey] {
        &self.published
    }

    /// The JWKS document.
    #[must_use]
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.published.iter().map(PublicKey::to_jwk).collect::<Vec<Jwk>>() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_lists_each_published_key_once_and_no_private_member() {
        let (active, next) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let (active_public, next_public) = (active.public().clone(), next.public().clone());
        let set = SigningKeySet::new(active, [next_public.clone(), active_public.clone()]);
        let shown = serde_json::to_value(set.jwks()).unwrap();
        let keys = shown["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().all(|key| key.get("d").is_none() && key["use"] == "sig" && key["alg"] == "ES256"));
        assert_eq!(set.find(next_public.kid()), Some(&next_public));
        assert_eq!(set.find("absent"), None);
    }
}
