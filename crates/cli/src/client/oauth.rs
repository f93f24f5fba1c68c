//! Tokens: client credentials, refresh, and sign-in on another device (RFC 6749, RFC 8628).

use std::time::Duration;

use plimsoll_core::Timestamp;
use plimsoll_protocol::identity::CLI_CLIENT;
use serde::Deserialize;

use super::{Answer, Client, context::Login};
use crate::{exit::Exit, failure::Failure};

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What the token endpoint gives.
#[derive(Clone, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens")
    }
}

impl Tokens {
    /// As it is kept. `before` stays when the server does not rotate refresh tokens.
    pub(crate) fn login(self, now: Timestamp, before: Option<String>) -> Login {
        Login {
            expires_at: now.plus_seconds(self.expires_in.unwrap_or(60)),
            access_token: self.access_token,
            refresh_token: self.refresh_token.or(before),
        }
    }
}

/// What a person must do elsewhere.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct DeviceAuthorization {
    device_code: String,
    pub(crate) user_code: String,
    pub(crate) verification_uri: String,
    #[serde(default)]
    pub(crate) verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "five")]
    interval: u64,
}

/// RFC 8628, section 3.2: absent is five seconds.
const fn five() -> u64 {
    5
}

/// An error in OAuth's own form.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl Client {
    pub(super) async fn client_credentials(&self, id: &str, secret: &str) -> Result<Tokens, Failure> {
        let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret)];
        self.tokens(&form).await.map_err(Problem::told)
    }

    pub(super) async fn refresh(&self, token: &str) -> Result<Tokens, Failure> {
        let form = [("grant_type", "refresh_token"), ("client_id", CLI_CLIENT), ("refresh_token", token)];
        self.tokens(&form).await.map_err(Problem::told)
    }

    /// Begins a sign-in on another device.
    pub(crate) async fn device_authorization(&self) -> Result<DeviceAuthorization, Failure> {
        self.form("/oauth/device_authorization", &[("client_id", CLI_CLIENT)]).await.map_err(Problem::told)
    }

    /// Waits until the person has answered.
    pub(crate) async fn device_tokens(&self, asked: &DeviceAuthorization) -> Result<Tokens, Failure> {
        let form =
            [("grant_type", DEVICE_GRANT), ("client_id", CLI_CLIENT), ("device_code", asked.device_code.as_str())];
        let mut pause = Duration::from_secs(asked.interval.clamp(1, 60));
        let answered = async {
            loop {
                tokio::time::sleep(pause).await;
                match self.tokens(&form).await {
                    Ok(tokens) => return Ok(tokens),
                    Err(Problem::Refused(one)) if one.error == "authorization_pending" => {}
                    Err(Problem::Refused(one)) if one.error == "slow_down" => pause += Duration::from_secs(5),
                    Err(other) => return Err(other.told()),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(asked.expires_in), answered).await.unwrap_or_else(|_| {
            Err(Failure::new(Exit::Forbidden, "EXPIRED", "nobody signed in before the code ran out")
                .hint("run `plimsoll login` again"))
        })
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Problem> {
        self.form("/oauth/token", form).await
    }

    async fn form<T: serde::de::DeserializeOwned>(&self, path: &str, form: &[(&str, &str)]) -> Result<T, Problem> {
        let request = self.http.post(format!("{}{path}", self.reach.url)).form(form);
        let response = request.send().await.map_err(|cause| Problem::Other(self.unreachable(&cause)))?;
        let answer: Answer = self.read(response).await.map_err(Problem::Other)?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.bytes).map_err(|cause| {
                Problem::Other(Failure::system(format!("the answer of {path} is not as expected: {cause}")))
            });
        }
        let refusal = serde_json::from_slice::<Refusal>(&answer.bytes);
        Err(refusal.map_or_else(|_| Problem::Other(answer.failure()), Problem::Refused))
    }
}

/// Why there is no token.
enum Problem {
    Refused(Refusal),
    Other(Failure),
}

impl Problem {
    fn told(self) -> Failure {
        match self {
            Self::Other(failure) => failure,
            Self::Refused(refusal) => {
                let why = refusal.error_description.unwrap_or_default();
                Failure::new(
                    Exit::Forbidden,
                    "SIGN_IN_REFUSED",
                    format!("the server gives no token: {} {why}", refusal.error),
                )
                .hint("sign in again with `plimsoll login`, or check PLIMSOLL_CLIENT_ID and PLIMSOLL_CLIENT_SECRET")
            }
        }
    }
}
