//! Signing in to a registry: anonymous, basic, and bearer tokens of a token server (the Distribution
//! project's "Token Authentication Specification").

mod challenge;
mod token;

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::Engine;
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use plimsoll_core::context::Context;
use reqwest::{Request, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    error::{Asker, RegistryError, Subject},
    name::Repository,
    outbound::{Outbound, host_of, read_limited},
    retry::retry_after,
};
use challenge::{Challenge, challenges};

/// Who we are for a registry.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Nobody.
    #[default]
    Anonymous,
    /// A user, or a robot with its token as password.
    Basic {
        /// The user's name.
        user: String,
        /// The password or access token.
        password: SecretString,
    },
}

/// What a call needs a right for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing but to be somebody.
    Api,
    /// To list repositories.
    Catalog,
    /// To read one repository.
    Pull(Repository),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => Ok(()),
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Pull(repository) => write!(f, "repository:{repository}:pull"),
        }
    }
}

/// How a registry wants to be signed in to, as far as it has said.
#[derive(Clone)]
enum Scheme {
    Unknown,
    Basic,
    Bearer(Realm),
}

/// A token server.
#[derive(Clone)]
struct Realm {
    url: Url,
    service: Option<String>,
}

/// Longest token answer that is read.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;
/// Most scopes of one challenge that are asked for.
const MAX_CHALLENGE_SCOPES: usize = 8;

/// Finds the `Authorization` header for calls to one registry.
pub(crate) struct Authenticator {
    base: Url,
    basic: Option<HeaderValue>,
    scheme: Mutex<Scheme>,
    tokens: token::Tokens,
    context: Context,
}

impl Authenticator {
    pub(crate) fn new(base: Url, credentials: &Credentials, context: Context) -> Result<Self, RegistryError> {
        let basic = match credentials {
            Credentials::Anonymous => None,
            Credentials::Basic { user, password } => Some(basic_header(user, password)?),
        };
        Ok(Self { base, basic, scheme: Mutex::new(Scheme::Unknown), tokens: token::Tokens::default(), context })
    }

    /// The header to send at first, from what is known.
    pub(crate) async fn first(&self, via: &Outbound, scope: &Scope) -> Result<Option<HeaderValue>, RegistryError> {
        let scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match scheme {
            Scheme::Unknown => Ok(None),
            Scheme::Basic => Ok(self.basic.clone()),
            Scheme::Bearer(realm) => self.token(via, &realm, scope, None, None).await.map(Some),
        }
    }

    /// The header that answers the registry's 401, after `rejected` was sent.
    pub(crate) async fn answer(
        &self,
        via: &Outbound,
        headers: &HeaderMap,
        scope: &Scope,
        rejected: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let found = challenges(headers);
        let of = |scheme: &str| found.iter().find(|challenge| challenge.scheme == scheme);
        if let Some(bearer) = of("bearer") {
            let realm = self.realm(bearer)?;
            self.learn(Scheme::Bearer(realm.clone()));
            return self.token(via, &realm, scope, bearer.get("scope"), rejected).await;
        }
        match (of("basic"), &self.basic) {
            (Some(_), None) => {
                Err(self.unauthorized(Asker::Registry, "it wants a user and a password; configure them"))
            }
            (Some(_), Some(basic)) if rejected == Some(basic) => {
                Err(self.unauthorized(Asker::Registry, "it does not accept the user and password; check both"))
            }
            (Some(_), Some(basic)) => {
                self.learn(Scheme::Basic);
                Ok(basic.clone())
            }
            (None, _) => Err(self
                .unauthorized(Asker::Registry, "it names no way of signing in that is known here (Basic or Bearer)")),
        }
    }

    /// What a second 401 means.
    pub(crate) fn refused(&self, headers: &HeaderMap, what: Subject) -> RegistryError {
        let scopes_lack = challenges(headers).iter().any(|found| found.get("error") == Some("insufficient_scope"));
        let host = host_of(&self.base);
        if scopes_lack {
            return RegistryError::Forbidden { host, what, said: String::new() };
        }
        let problem = match self.basic {
            None => "it wants a user and a password, or has no such repository",
            Some(_) => "it does not accept the user and password, or has no such repository",
        };
        RegistryError::Unauthorized { host, what, problem: problem.to_owned(), by: Asker::Registry }
    }

    /// How we are signed in, for people.
    pub(crate) fn describe(&self) -> String {
        let scheme = self.scheme.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (scheme, &self.basic) {
            (Scheme::Unknown, None) => "nobody has to sign in".to_owned(),
            (Scheme::Unknown, Some(_)) => "nobody has to sign in; the user and password were not needed".to_owned(),
            (Scheme::Basic, _) => "signed in with user and password".to_owned(),
            (Scheme::Bearer(_), None) => "signed in anonymously through the token server".to_owned(),
            (Scheme::Bearer(_), Some(_)) => "signed in through the token server".to_owned(),
        }
    }

    fn learn(&self, scheme: Scheme) {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = scheme;
    }

    /// The token server that `challenge` names. The password goes there, so it must be https; a registry
    /// that itself is plain HTTP may name its own host.
    fn realm(&self, challenge: &Challenge) -> Result<Realm, RegistryError> {
        let text = challenge.get("realm").unwrap_or_default();
        let url = Url::parse(text).map_err(|_| self.bad("a challenge whose realm is no URL".to_owned()))?;
        let same_insecure = self.base.scheme() == "http" && url.scheme() == "http" && url.host() == self.base.host();
        if url.scheme() == "https" || same_insecure {
            return Ok(Realm { url, service: challenge.get("service").map(str::to_owned) });
        }
        Err(self.bad(format!("a token server at {} that is not https, so nothing was sent there", host_of(&url))))
    }

    async fn token(
        &self,
        via: &Outbound,
        realm: &Realm,
        scope: &Scope,
        asked: Option<&str>,
        rejected: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let own = scope.to_string();
        let slot = self.tokens.slot(&own);
        let mut kept = slot.lock().await;
        if let Some(token) = kept.as_ref()
            && token.is_fresh(self.context.now())
            && rejected != Some(&token.header)
        {
            return Ok(token.header.clone());
        }
        *kept = None;
        let token = self.fetch(via, realm, asked.unwrap_or(&own)).await?;
        let header = token.header.clone();
        *kept = Some(token);
        Ok(header)
    }

    async fn fetch(&self, via: &Outbound, realm: &Realm, scopes: &str) -> Result<token::Token, RegistryError> {
        let mut url = realm.url.clone();
        {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(realm.service.iter().map(|service| ("service", service)));
            let scopes = scopes.split_ascii_whitespace().take(MAX_CHALLENGE_SCOPES);
            query.extend_pairs(scopes.map(|scope| ("scope", scope)));
        }
        let host = host_of(&url);
        let mut request = Request::new(Method::GET, url);
        if let Some(basic) = &self.basic {
            request.headers_mut().insert(AUTHORIZATION, basic.clone());
        }
        let response = via.send(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match status {
            200..=299 => {
                let body = read_limited(response, MAX_TOKEN_BYTES).await?;
                let token = token::parse(&body, self.context.now()).map_err(|problem| self.bad(problem.to_owned()))?;
                self.tokens.given();
                Ok(token)
            }
            400 | 401 | 403 => {
                let by = if self.tokens.any() { Asker::KnownTokenServer } else { Asker::TokenServer };
                let problem = match self.basic {
                    None => format!("the token server {host} gives none without a user and a password"),
                    Some(_) => format!("the token server {host} does not accept the user and password; check both"),
                };
                Err(self.unauthorized(by, &problem))
            }
            429 => {
                let wait = retry_after(&headers, self.context.now());
                Err(RegistryError::RateLimited { host, retry_after_seconds: wait.as_ref().map(Duration::as_secs) })
            }
            500..=599 => {
                Err(RegistryError::Unavailable { host, what: Subject::Api, status, said: " token server".to_owned() })
            }
            other => Err(self.bad(format!("a token server that answers with status {other}"))),
        }
    }

    fn unauthorized(&self, by: Asker, problem: &str) -> RegistryError {
        RegistryError::Unauthorized { host: host_of(&self.base), what: Subject::Api, problem: problem.to_owned(), by }
    }

    fn bad(&self, problem: String) -> RegistryError {
        RegistryError::BadAnswer { host: host_of(&self.base), what: Subject::Api, problem }
    }
}

fn basic_header(user: &str, password: &SecretString) -> Result<HeaderValue, RegistryError> {
    if user.contains(':') {
        return Err(RegistryError::Configuration("a user name for a registry can't contain ':'".to_owned()));
    }
    let pair = format!("{user}:{}", password.expose_secret());
    let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
    let mut header = HeaderValue::try_from(text)
        .map_err(|_| RegistryError::Configuration("the user and password can't be sent".to_owned()))?;
    header.set_sensitive(true);
    Ok(header)
}
