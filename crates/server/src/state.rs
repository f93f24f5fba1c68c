//! What every request shares.

use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

use http::{HeaderMap, Uri, header};
use plimsoll_app::App;
use plimsoll_authority::token::{Admission, TokenGate, VerifiedToken};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    id::TenantId,
    rate::{Quota, Tier},
};
use plimsoll_protocol::operation::{Method, Operation};

use crate::{disk::Disk, http::rate::Limiter, metrics::Metrics};

/// The server's shared state.
pub(crate) struct Server {
    /// The use cases.
    pub(crate) app: Arc<App>,
    /// The door for tokens.
    pub(crate) gate: Arc<TokenGate>,
    /// The rate limits of this replica.
    pub(crate) limiter: Limiter,
    /// Set when the server is told to stop.
    pub(crate) draining: AtomicBool,
    /// What the operator's monitoring reads.
    pub(crate) metrics: Metrics,
    /// Free space where the data is.
    pub(crate) disk: Disk,
}

impl Server {
    /// Over use cases whose authority was started.
    pub(crate) fn new(app: Arc<App>, data: &Path) -> Result<Self> {
        let gate = Arc::clone(app.authority()?.gate());
        let metrics = Metrics::new(app.context.now());
        let (limiter, draining) = (Limiter::default(), AtomicBool::new(false));
        Ok(Self { app, gate, limiter, draining, metrics, disk: Disk::new(data.to_owned()) })
    }

    /// The quota of a tenant's tier.
    pub(crate) fn quota(&self, tenant: TenantId) -> Quota {
        self.app.authority().map_or(Tier::Standard, |authority| authority.tier(tenant)).quota()
    }

    /// Who calls, by the bearer token; of a stream also by subprotocol or ticket.
    pub(crate) async fn authenticate(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        operation: &Operation,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>> {
        if let Some(token) = bearer(headers) {
            return self.verified(token, now).await;
        }
        if operation.method != Method::WebSocket {
            return Err(missing());
        }
        match (subprotocol(headers), ticket(uri)) {
            (Some(token), _) => self.verified(token, now).await,
            (None, Some(ticket)) => self.app.admit_ticket(&ticket, uri.path()).await,
            (None, None) => Err(missing()),
        }
    }

    /// Verifies a token; limited grants that did not fit in it are looked up.
    pub(crate) async fn verified(&self, token: &str, now: Timestamp) -> Result<Arc<VerifiedToken>> {
        match self.gate.admit(token, now)? {
            Admission::Ready(token) => Ok(token),
            Admission::NeedsGrants { token, text } => {
                let limited = self.app.limited_grants(token.principal()).await?;
                Ok(self.gate.complete(token, text, limited, now))
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Browsers can't set `Authorization` on a WebSocket; they offer `plimsoll.v1` and `bearer.<token>`.
fn subprotocol(headers: &HeaderMap) -> Option<&str> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered.split(',').find_map(|one| one.trim().strip_prefix("bearer."))
}

/// A ticket is all that a browser's page can send without the token.
fn ticket(uri: &Uri) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.into_iter().find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket.into_owned())
}

/// What is told to who sent no token at all.
const MISSING: &str = "send a bearer token: Authorization: Bearer <token>";

fn missing() -> Error {
    Error::new(ErrorCode::Unauthenticated, MISSING)
}

/// Whether a refusal is for want of any token.
pub(crate) fn is_missing(error: &Error) -> bool {
    error.code() == ErrorCode::Unauthenticated && error.message() == MISSING
}
