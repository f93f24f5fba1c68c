//! Access tokens by `private_key_jwt`: an assertion signed with the agent's key, one join a token.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use plimsoll_protocol::agent::enrol::{AssertionClaims, TOKEN_GRANT};

use super::{
    api::{Api, Refused},
    identity::{Home, Identity, Join},
};

/// Gives a token that is good for a while; clones share it.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    api: Api,
    home: Home,
    identity: Identity,
    key: EncodingKey,
    context: Context,
    current: Mutex<Option<Token>>,
}

/// An access token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token itself.
    pub text: SecretString,
    /// Until when it is accepted.
    pub expires: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: u64,
}

/// How long an assertion lives.
const ASSERTION_SECONDS: i64 = 120;

impl Tokens {
    /// The tokens of `identity`.
    pub fn new(api: Api, home: Home, identity: Identity, context: Context) -> Result<Self> {
        let pem = home.key()?.to_pkcs8_pem()?;
        let key = EncodingKey::from_ec_pem(pem.as_bytes())
            .map_err(|cause| Error::internal_defect(format!("the agent's key can't sign: {cause}")))?;
        Ok(Self(Arc::new(Inner { api, home, identity, key, context, current: Mutex::new(None) })))
    }

    /// A token that is good for at least `left`.
    pub async fn get(&self, left: Duration) -> Result<Token, Refused> {
        let mut current = self.0.current.lock().await;
        if let Some(token) = current.as_ref().filter(|token| token.expires > Instant::now() + left) {
            return Ok(token.clone());
        }
        let token = self.fetch().await?;
        *current = Some(token.clone());
        Ok(token)
    }

    /// The server does not accept the present token any more.
    pub async fn forget(&self) {
        *self.0.current.lock().await = None;
    }

    async fn fetch(&self) -> Result<Token, Refused> {
        let clock = self.0.api.clock();
        let before = clock.skew_ms();
        let join = self.0.home.next_join(&self.0.context).map_err(local)?;
        match self.ask(&join).await {
            // The assertion's times were by a wrong clock; the answer brought the right one.
            Err(refused) if refused.status != 0 && (clock.skew_ms() - before).abs() > 1000 => self.ask(&join).await,
            asked => asked,
        }
    }

    async fn ask(&self, join: &Join) -> Result<Token, Refused> {
        let asked_at = Instant::now();
        let assertion = self.assertion(join).map_err(local)?;
        let form = [("grant_type", TOKEN_GRANT), ("assertion", assertion.as_str())];
        let request = self.0.api.client().post(self.0.identity.token_endpoint.clone()).form(&form);
        let answer: Result<Answer, Refused> = self.0.api.body(request).await;
        match answer {
            Ok(answer) => {
                self.0.home.join_answered(join.clone()).map_err(local)?;
                let expires = asked_at + Duration::from_secs(answer.expires_in);
                Ok(Token { text: answer.access_token.into(), expires })
            }
            Err(refused) => {
                // The server took this very join before and its answer was lost for good: on to the next.
                if refused.error.code() == ErrorCode::JoinAnswered {
                    self.0.home.join_answered(join.clone()).map_err(local)?;
                }
                Err(refused)
            }
        }
    }

    fn assertion(&self, join: &Join) -> Result<String> {
        let now = self.0.api.clock().now().as_seconds();
        let identity = &self.0.identity;
        let claims = AssertionClaims {
            iss: identity.agent_id,
            sub: identity.agent_id,
            aud: identity.assertion_audience.clone(),
            jti: join.jti.clone(),
            iat: now,
            exp: now + ASSERTION_SECONDS,
            seq: join.seq,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.0.key)
            .map_err(|cause| Error::internal_defect(format!("an assertion can't be signed: {cause}")))
    }
}

impl Token {
    /// For an `Authorization` header.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.text.expose_secret())
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

fn local(error: Error) -> Refused {
    Refused { status: 0, error }
}
