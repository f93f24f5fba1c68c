//! The test of a connection, step by step, each told so that a person can mend what is wrong.

use http::{Method, StatusCode};
use plimsoll_core::integration::Check;
use reqwest::Request;
use tokio::time::timeout;

use super::{Call, Inner, RegistryClient};
use crate::{
    auth::Scope,
    error::{Asker, RegistryError, Subject},
    name::Repository,
};

/// The steps, in their order. After one that failed the rest is not tried.
#[derive(Clone, Copy)]
enum Step {
    /// The name leads to addresses that may be reached.
    NameResolution,
    /// Something answers, and its certificate is trusted.
    Connection,
    /// It is a registry.
    Api,
    /// It knows us.
    Authentication,
    /// It lets us list.
    Listing,
}

impl RegistryClient {
    /// Tests the connection (`name_resolution`, `tls` or `connection`, `api`, `authentication`, `listing`): name, connection, API, sign-in, and listing the tags of `repository` (or the
    /// repositories, where none is given). The first failure is the last check.
    pub async fn ping(&self, repository: Option<&Repository>) -> Vec<Check> {
        let mut checks = Vec::new();
        for step in [Step::NameResolution, Step::Connection, Step::Api, Step::Authentication, Step::Listing] {
            let name = self.0.name_of(step).to_owned();
            let check = match self.step(step, repository).await {
                Ok((message, hint)) => Check { name, ok: true, message, hint: hint.map(str::to_owned) },
                Err(error) => failed(name, &error),
            };
            let ok = check.ok;
            checks.push(check);
            if !ok {
                break;
            }
        }
        checks
    }

    async fn step(&self, step: Step, repository: Option<&Repository>) -> Result<Found, RegistryError> {
        let inner = &self.0;
        match step {
            Step::NameResolution => inner.resolves().await,
            Step::Connection => inner.connects().await,
            Step::Api => inner.is_registry().await,
            Step::Authentication => inner.knows_us().await,
            Step::Listing => self.lists(repository).await,
        }
    }

    async fn lists(&self, repository: Option<&Repository>) -> Result<Found, RegistryError> {
        if let Some(repository) = repository {
            let page = self.tags_page(repository, Some("n=1")).await?;
            let some = if page.tags.is_empty() { "no tags yet" } else { "its tags can be listed" };
            return Ok((format!("{repository}: {some}"), None));
        }
        match self.catalog(Some("n=1"), None).await {
            Ok(_) => Ok(("the repositories can be listed".to_owned(), None)),
            Err(error) if does_not_list(&error) => Ok((
                "this registry does not list its repositories".to_owned(),
                Some("give repositories by name; tags and digests work without the list"),
            )),
            Err(error) => Err(error),
        }
    }
}

/// Whether the registry itself says that it shows us no list (401, 403, 404), which many do: with a token
/// server behind it, whether one that knows us gives no token for the list. Anything else is a registry
/// that cannot be used.
const fn does_not_list(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unauthorized { by: Asker::Registry | Asker::KnownTokenServer, .. }
        | RegistryError::Forbidden { .. }
        | RegistryError::NotFound { .. } => true,
        RegistryError::Unauthorized { by: Asker::TokenServer, .. }
        | RegistryError::BadAnswer { .. }
        | RegistryError::RateLimited { .. }
        | RegistryError::Unreachable { .. }
        | RegistryError::TimedOut { .. }
        | RegistryError::Tls { .. }
        | RegistryError::Unavailable { .. }
        | RegistryError::TooLarge { .. }
        | RegistryError::PageSize { .. }
        | RegistryError::Mismatch(_)
        | RegistryError::Refused(_)
        | RegistryError::Configuration(_)
        | RegistryError::Sink { .. } => false,
    }
}

/// What was found, and what can be done about it.
type Found = (String, Option<&'static str>);

impl Inner {
    fn name_of(&self, step: Step) -> &'static str {
        match step {
            Step::NameResolution => "name_resolution",
            Step::Connection if self.base.scheme() == "https" => "tls",
            Step::Connection => "connection",
            Step::Api => "api",
            Step::Authentication => "authentication",
            Step::Listing => "listing",
        }
    }

    async fn resolves(&self) -> Result<Found, RegistryError> {
        let addresses = self.outbound.resolve(&self.base).await?;
        if addresses.is_empty() {
            return Ok(("the proxy resolves the name".to_owned(), None));
        }
        let list: Vec<String> = addresses.iter().take(4).map(ToString::to_string).collect();
        Ok((format!("{} is {}", self.host, list.join(", ")), None))
    }

    async fn bare(&self) -> Result<StatusCode, RegistryError> {
        let request = Request::new(Method::GET, self.url("/v2/"));
        let answered = timeout(self.timeouts.call, self.outbound.send(request)).await;
        let response = answered.map_err(|_| RegistryError::TimedOut { host: self.host.clone() })??;
        Ok(response.status())
    }

    async fn connects(&self) -> Result<Found, RegistryError> {
        self.bare().await?;
        if self.base.scheme() == "https" {
            return Ok(("connected, and the certificate is trusted".to_owned(), None));
        }
        Ok((
            "connected over plain HTTP".to_owned(),
            Some("anyone on the way can read and change what is sent; use https"),
        ))
    }

    async fn is_registry(&self) -> Result<Found, RegistryError> {
        match self.bare().await? {
            StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Ok(("it speaks the registry API, version 2".to_owned(), None))
            }
            StatusCode::TOO_MANY_REQUESTS => {
                Err(RegistryError::RateLimited { host: self.host.clone(), retry_after_seconds: None })
            }
            other if other.is_server_error() => Err(RegistryError::Unavailable {
                host: self.host.clone(),
                what: Subject::Api,
                status: other.as_u16(),
                said: String::new(),
            }),
            other => Err(self.bad(&Subject::Api, format!("status {}", other.as_u16()))),
        }
    }

    async fn knows_us(&self) -> Result<Found, RegistryError> {
        let call = Call {
            method: Method::GET,
            url: self.url("/v2/"),
            accept: "application/json",
            scope: Scope::Api,
            what: Subject::Api,
            limit: self.limits.page_bytes,
        };
        self.fetch(&call).await?;
        Ok((self.auth.describe(), None))
    }
}

fn failed(name: String, error: &RegistryError) -> Check {
    // The messages say what is wrong and, after it, what to do.
    let text = error.to_string();
    let (message, hint) = match text.rsplit_once("; ") {
        Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
        None => (text, None),
    };
    Check { name, ok: false, message, hint }
}
