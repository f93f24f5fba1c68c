//! A person's yes or no to a device that waits to be let in.

use plimsoll_authority::oauth::device::{DeviceDecision, UserCode};
use plimsoll_core::{Error, ErrorCode, Result, audit::Origin, id::TenantId};
use plimsoll_protocol::identity::CLI_CLIENT;
use plimsoll_store::identity::{
    credential,
    device::{self, DeviceGrantRow},
};
use serde_json::json;

use super::{
    client::{SCOPE, address_subject, attempts, remember},
    device::{as_text, read},
    sign_in::{SignedIn, record},
};
use crate::App;

/// A device that waits to be let in, as the page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRequest {
    /// The code that both show.
    pub user_code: String,
    /// The client's name.
    pub client: String,
    /// What it asks for; everything that the user may do when absent.
    pub scope: Option<String>,
    /// From where it asks.
    pub origin: Option<String>,
}

/// What the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Let it in.
    Approve,
    /// Don't.
    Deny,
}

impl App {
    /// The device that shows this code, while it waits. A wrong code counts like a failed sign-in: guesses are
    /// throttled by the user and by the address.
    pub async fn device_request(&self, who: &SignedIn, user_code: &str, origin: &Origin) -> Result<DeviceRequest> {
        let code = UserCode::parse(user_code).ok_or_else(no_such_code)?;
        let row = self.waiting_device(who, &code, origin).await?;
        let client = self.client_name(&row.client_id).await?;
        Ok(DeviceRequest { user_code: code.to_string(), client, scope: row.scope, origin: row.origin })
    }

    /// Counts the guess before it looks, so that a thousand at once don't pass, and takes it back when it was right.
    async fn waiting_device(&self, who: &SignedIn, code: &UserCode, origin: &Origin) -> Result<DeviceGrantRow> {
        let (text, now) = (code.as_str().to_owned(), self.context.now());
        let (guesser, address) = (guesser_subject(who), address_subject(origin));
        self.count_attempt(guesser.clone(), address.clone(), now).await?;
        let row = self.store.read(SCOPE, "device_by_user_code", move |tx| device::by_user_code(tx, &text)).await?;
        let row = row.filter(|row| row.expires_at > now).ok_or_else(no_such_code)?;
        self.store
            .write(SCOPE, "device_code_right", move |tx| {
                for subject in [&guesser, &address] {
                    let counted = attempts(tx, subject)?;
                    remember(tx, subject, counted.forgiven(), now)?;
                }
                Ok(())
            })
            .await?;
        Ok(row)
    }

    async fn client_name(&self, client_id: &str) -> Result<String> {
        if client_id == CLI_CLIENT {
            return Ok("the Plimsoll command line".to_owned());
        }
        let Ok(id) = client_id.parse() else { return Err(no_such_code()) };
        let found = self.store.read(SCOPE, "device_client", move |tx| credential::client_anywhere(tx, id)).await?;
        found.map(|(_, client, _)| client.name).ok_or_else(no_such_code)
    }

    /// The user's yes or no to the device that shows this code.
    pub async fn decide_device(
        &self,
        who: &SignedIn,
        user_code: &str,
        decision: Decision,
        origin: &Origin,
    ) -> Result<()> {
        let code = UserCode::parse(user_code).ok_or_else(no_such_code)?;
        let row = self.waiting_device(who, &code, origin).await?;
        self.client_serves(&row.client_id, who.tenant.id).await?;
        let (tenant, user) = (who.tenant.id, who.user.id);
        let decided = match decision {
            Decision::Approve if who.user.must_change_password => return Err(change_first()),
            Decision::Approve => DeviceDecision::Approve { tenant, user },
            Decision::Deny => DeviceDecision::Deny,
        };
        let (now, audit_id, origin, owned) = (self.context.now(), self.context.id(), origin.clone(), who.clone());
        let next = as_text(&read(&row)?.decide(decided, now)?)?;
        self.store
            .write(SCOPE, "device_decide", move |tx| {
                if !device::advance(tx, &row, &next)? {
                    return Err(Error::state_conflict("sign-in", "decided", "decide", &[]));
                }
                let (action, change) = (
                    match decision {
                        Decision::Approve => "device_approve",
                        Decision::Deny => "device_deny",
                    },
                    json!({ "clientId": row.client_id, "origin": row.origin, "scope": row.scope }),
                );
                tx.within(tenant, |tx| {
                    record(tx, &owned.tenant, &owned.user, action, audit_id, &origin, now, Some(change.clone()))
                })
            })
            .await
    }

    /// A client of one tenant lets in nobody of another.
    async fn client_serves(&self, client_id: &str, tenant: TenantId) -> Result<()> {
        if client_id == CLI_CLIENT {
            return Ok(());
        }
        let Ok(id) = client_id.parse() else { return Err(no_such_code()) };
        let found = self.store.read(SCOPE, "device_client", move |tx| credential::client_anywhere(tx, id)).await?;
        match found {
            Some((of, client, _)) if of == tenant && client.active => Ok(()),
            _ => Err(no_such_code()),
        }
    }
}

/// By what wrong codes of a user are known. They are not counted with the account: whoever knows its password would
/// clear them by signing in.
fn guesser_subject(who: &SignedIn) -> String {
    format!("device_code:{}", who.user.id)
}

fn no_such_code() -> Error {
    Error::field("userCode", "unknown", "no device waits with this code; look at it again, or begin anew on the device")
}

fn change_first() -> Error {
    Error::new(ErrorCode::PermissionDenied, "this password must be changed first")
}
