//! Enrolment: a one-time token and a key made here become an agent.

use url::Url;

use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use plimsoll_protocol::agent::{
    PROTOCOL_VERSION,
    enrol::{RegisterRequest, Registered},
};

use super::{
    api::{Api, Refused},
    identity::{Home, Identity},
    tls::Trust,
};
use crate::{
    config::{AgentConfig, EnrolSettings},
    host,
};

/// Enrols this host. Doing it again with the same token is the same agent: the answer may have been lost.
pub async fn enrol(config: &AgentConfig, settings: &EnrolSettings, context: &Context) -> Result<Identity> {
    config.check_server(&settings.server)?;
    let home = Home::open(&config.data_directory)?;
    let before = home.identity()?;
    let key = home.key()?;
    let mut trust = Trust { ca_sha256: settings.ca_sha256.clone(), ca_pem: settings.ca_pem.iter().cloned().collect() };
    let api = Api::new(&trust, context.clone())?;
    let url = join(&settings.server, "/api/v1/agents/register")?;
    let body = RegisterRequest {
        name: settings.name.clone(),
        hostname: host::name(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol_version: PROTOCOL_VERSION,
        os: "linux".to_owned(),
        arch: host::architecture().to_owned(),
        capabilities: host::capabilities(),
        public_key_pem: key.public_key().to_pem(),
    };
    let request = api.client().post(url).bearer_auth(&settings.token).json(&body);
    let registered: Registered = api.data(request).await.map_err(explain)?;
    trust.ca_pem.extend(registered.ca_pem);
    let identity = Identity {
        token_endpoint: join(&settings.server, &registered.token_endpoint)?,
        server: settings.server.clone(),
        agent_id: registered.agent_id,
        name: registered.name,
        assertion_audience: registered.assertion_audience,
        server_keys: registered.server_keys,
        ca_sha256: trust.ca_sha256,
        ca_pem: trust.ca_pem,
    };
    if before.is_none_or(|before| before.agent_id != identity.agent_id) {
        home.forget_joins()?;
    }
    home.keep_identity(&identity)?;
    Ok(identity)
}

/// An absolute URL, or a path on the server.
pub fn join(server: &Url, path: &str) -> Result<Url> {
    server.join(path).map_err(|cause| {
        Error::new(ErrorCode::UpstreamFailed, format!("the server named an address that is none: {path:?}: {cause}"))
    })
}

fn explain(refused: Refused) -> Error {
    match (refused.status, refused.error.code()) {
        (401, _) => Error::new(
            ErrorCode::Unauthenticated,
            "the registration token is not accepted: it may be used up, expired or of another server; make a new one",
        )
        .internal(refused.error.message().to_owned()),
        (409, ErrorCode::TokenAlreadyUsed) => Error::new(
            ErrorCode::TokenAlreadyUsed,
            "the registration token was used by another key: make a new one for this host",
        ),
        _ => refused.error,
    }
}
