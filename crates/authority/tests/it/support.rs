//! A small world: a clock that stands still, an issuer with keys, and a forge for wrong tokens.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_authority::{
    keys::{SigningKey, SigningKeySet},
    secret::ExposeSecret,
    token::{ACCESS_TOKEN_SECONDS, Issuer, RevocationState, Subject, TokenGate, VerifiedTokenCache},
};
use plimsoll_core::{
    Timestamp,
    audit::PrincipalType,
    context::{Ambient, Context},
    id::{TenantId, TypedId, UserId},
    permission::{Grant, Grants, Permission},
};
use serde_json::{Value, json};
use uuid::Uuid;

pub const ISS: &str = "https://plimsoll.example";
pub const AUD: &str = "https://plimsoll.example/api/v1";
pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A clock that moves when it is told to, over the system's randomness.
#[derive(Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Ambient for ManualClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }

    fn fill(&self, out: &mut [u8]) {
        aws_lc_rs::rand::fill(out).unwrap();
    }
}

pub fn clock() -> (ManualClock, Context) {
    let clock = ManualClock(Arc::new(AtomicI64::new(START.as_micros())));
    (clock.clone(), Context::new(clock))
}

pub struct World {
    pub clock: ManualClock,
    pub context: Context,
    pub issuer: Issuer,
    pub gate: TokenGate,
    pub subject: Subject,
    /// The active key once more, for forging.
    pub signer: EcdsaKeyPair,
    pub kid: String,
}

pub fn pair(key: &SigningKey) -> EcdsaKeyPair {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.pkcs8().expose_secret()).unwrap()
}

pub fn world() -> World {
    let (clock, context) = clock();
    let key = SigningKey::generate().unwrap();
    let (signer, kid) = (pair(&key), key.public().kid().to_owned());
    let issuer = Issuer::new(ISS, AUD, Arc::new(SigningKeySet::new(key, [])));
    let gate = TokenGate::new(issuer.verifier(), RevocationState::new(START), VerifiedTokenCache::new(64));
    World { clock, context, issuer, gate, subject: subject(), signer, kid }
}

pub fn subject() -> Subject {
    Subject {
        tenant: TenantId::from_uuid(Uuid::from_u128(1)),
        kind: PrincipalType::User,
        id: Uuid::from_u128(2),
        user: UserId::from_uuid(Uuid::from_u128(2)),
        name: "ada".to_owned(),
        roles: vec!["release_manager".to_owned()],
        grants: Grants::new([Grant { permission: Permission::ReleaseCreate, environment: None }]),
        client_id: "plimsoll-cli".to_owned(),
        scope: None,
        authz_version: 7,
    }
}

impl World {
    /// A good token as text.
    pub fn token(&self) -> String {
        self.token_for(&self.subject)
    }

    pub fn token_for(&self, subject: &Subject) -> String {
        let issued = self.issuer.issue(subject, ACCESS_TOKEN_SECONDS, &self.context).unwrap();
        issued.token.expose_secret().to_owned()
    }

    /// The header of a good token.
    pub fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.kid })
    }

    /// The claims of a good token.
    pub fn claims(&self) -> Value {
        let token = self.token();
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// Good claims with `change` merged into them; null removes a claim.
    pub fn claims_with(&self, change: Value) -> Value {
        merge(self.claims(), change)
    }

    /// A good header with `change` merged into it; null removes a parameter.
    pub fn header_with(&self, change: Value) -> Value {
        merge(self.header(), change)
    }

    /// Signed with the active key, whatever header and claims say.
    pub fn forge(&self, header: &Value, claims: &Value) -> String {
        self.forge_text(&header.to_string(), &claims.to_string())
    }

    pub fn forge_text(&self, header: &str, claims: &str) -> String {
        sign_text(&self.signer, header, claims)
    }
}

pub fn sign_text(signer: &EcdsaKeyPair, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", b64(header), b64(claims));
    let signature = signer.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", b64(signature.as_ref()))
}

pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn merge(mut into: Value, change: Value) -> Value {
    let object = into.as_object_mut().unwrap();
    for (key, value) in change.as_object().unwrap().clone() {
        if value.is_null() {
            object.remove(&key);
        } else {
            object.insert(key, value);
        }
    }
    into
}
