//! Signing in on another device (RFC 8628), as the device sees it.

use plimsoll_authority::{
    oauth::{
        DeviceAuthorizationRequest, DeviceAuthorizationResponse, OAuthError, OAuthErrorCode, PresentedClient,
        TokenResponse,
        device::{DeviceGrant, DeviceState, PollAnswer, UserCode},
        metadata::path,
        refresh::{RefreshFamily, RefreshToken, SessionPolicy},
    },
    secret::{self, SecretString},
    token::Subject,
};
use plimsoll_core::{Error, Result, audit::Origin, id::SessionId};
use plimsoll_store::identity::{
    device::{self, DeviceGrantRow},
    session::{self, SessionRow},
};

use super::{
    OAuthRequest,
    client::{Party, SCOPE},
};
use crate::{App, identity::subject};

/// What device codes begin with.
const PREFIX: &str = "pld";
/// How often a taken code is made anew, and a lost race repeated.
const TRIES: usize = 3;
/// How much is kept of what the device says of itself.
const ORIGIN: usize = 200;

impl App {
    /// Begins a sign-in on another device.
    pub async fn oauth_device_authorization(
        &self,
        mut request: OAuthRequest,
    ) -> Result<DeviceAuthorizationResponse, OAuthError> {
        let presented = PresentedClient::read(request.authorization.as_deref(), &mut request.form)?;
        let party = self.identify(presented, &request.origin).await?;
        if matches!(party, Party::Agent(_)) {
            return Err(OAuthError::new(OAuthErrorCode::UnauthorizedClient, "an agent speaks for itself alone"));
        }
        let wanted = DeviceAuthorizationRequest::read(&mut request.form);
        let grant = DeviceGrant::begin(self.context.now());
        let page = format!("{}{}", self.authority()?.issuer().iss(), path::DEVICE);
        for _ in 0..TRIES {
            let (device_code, user_code) = (secret::generate(PREFIX, &self.context), UserCode::generate(&self.context));
            let row = DeviceGrantRow {
                id: self.context.id(),
                device_code: secret::fingerprint(&device_code),
                user_code: user_code.as_str().to_owned(),
                expires_at: grant.expires_at,
                client_id: party.client_id(),
                scope: wanted.scope.clone(),
                origin: described(&request.origin),
                body: as_text(&grant)?,
            };
            if self.store.write(SCOPE, "device_begin", move |tx| device::insert(tx, &row)).await? {
                return Ok(DeviceAuthorizationResponse::new(device_code, &user_code, &page, &grant));
            }
        }
        Err(Error::internal_defect("no free device code was found").into())
    }

    /// The device asks whether somebody has let it in; if so it gets its tokens, once.
    pub(super) async fn redeem_device_code(
        &self,
        party: &Party,
        device_code: &SecretString,
    ) -> Result<TokenResponse, OAuthError> {
        let code = secret::fingerprint(device_code);
        for _ in 0..TRIES {
            let found = self.store.read(SCOPE, "device_read", move |tx| asked(tx, code)).await?;
            let (row, subject) = found.ok_or_else(unknown)?;
            if row.client_id != party.client_id() {
                return Err(unknown());
            }
            let (next, answer) = read(&row)?.poll(self.context.now());
            let next = as_text(&next)?;
            match (answer, subject) {
                (PollAnswer::Granted { .. }, Some(subject)) => {
                    if let Some(response) = self.begin_session(&row, next, subject).await? {
                        return Ok(response);
                    }
                }
                (PollAnswer::Granted { .. }, None) => return Err(unknown()),
                (answer, _) => {
                    if self.store.write(SCOPE, "device_poll", move |tx| device::advance(tx, &row, &next)).await? {
                        answer.granted()?;
                    }
                }
            }
        }
        Err(OAuthError::new(OAuthErrorCode::SlowDown, "ask less often: one question at a time"))
    }

    /// Marks the code as used and begins the session, both or neither. `None` when somebody was faster.
    async fn begin_session(
        &self,
        row: &DeviceGrantRow,
        next: String,
        subject: Subject,
    ) -> Result<Option<TokenResponse>, OAuthError> {
        let (now, user, tenant) = (self.context.now(), subject.user, subject.tenant);
        let refresh = RefreshToken::first(self.context.id::<SessionId>(), &self.context);
        let family = RefreshFamily::begin(&refresh, row.client_id.as_str(), SessionPolicy::DEFAULT, now);
        let (issued, said) = self.issue_narrowed(subject, row.scope.as_deref(), Some(refresh.session()))?;
        let session = SessionRow {
            tenant,
            id: refresh.session(),
            user,
            ends_at: family.ends_at,
            generation: family.generation,
            scope: said.clone(),
            family: serde_json::to_string(&family)
                .map_err(|cause| Error::internal_defect(format!("a session is not JSON: {cause}")))?,
            token_id: issued.jti.clone(),
        };
        let row = row.clone();
        let began = self
            .store
            .write(SCOPE, "device_redeem", move |tx| {
                if !device::advance(tx, &row, &next)? {
                    return Ok(false);
                }
                tx.within(tenant, |tx| session::insert(tx, &session, now))?;
                Ok(true)
            })
            .await?;
        Ok(began.then(|| TokenResponse::new(issued, Some(refresh.to_text()), said)))
    }
}

/// The sign-in of a device's code, and for whom a token would be, if somebody let it in.
fn asked(
    tx: &mut plimsoll_store::Tx<'_>,
    code: plimsoll_core::Digest,
) -> Result<Option<(DeviceGrantRow, Option<Subject>)>> {
    let Some(row) = device::by_device_code(tx, code)? else { return Ok(None) };
    let subject = match read(&row)?.state {
        DeviceState::Approved { tenant, user } => {
            Some(tx.within(tenant, |tx| subject::of_user(tx, user, &row.client_id))?)
        }
        DeviceState::Pending | DeviceState::Denied | DeviceState::Redeemed => None,
    };
    Ok(Some((row, subject)))
}

/// From where the device asks, for the person who decides.
fn described(origin: &Origin) -> Option<String> {
    let parts: Vec<&str> = [origin.address.as_deref(), origin.user_agent.as_deref()].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", ").chars().filter(|one| !one.is_control()).take(ORIGIN).collect())
}

/// Where a sign-in stands.
pub(super) fn read(row: &DeviceGrantRow) -> Result<DeviceGrant> {
    serde_json::from_str(&row.body)
        .map_err(|cause| Error::internal_defect(format!("a stored sign-in does not fit: {cause}")))
}

pub(super) fn as_text(grant: &DeviceGrant) -> Result<String> {
    serde_json::to_string(grant).map_err(|cause| Error::internal_defect(format!("a sign-in is not JSON: {cause}")))
}

fn unknown() -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidGrant, "this device code is not known; begin anew")
}
