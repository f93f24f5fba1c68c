//! Signing in on another device (RFC 8628): the grant's states.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    id::{TenantId, UserId},
};
use serde::{Deserialize, Serialize};

pub use super::user_code::UserCode;
use super::{OAuthError, OAuthErrorCode};

/// How long the codes live.
pub const DEVICE_SECONDS: i64 = 600;

/// How long a device waits between two questions at first (RFC 8628, section 3.2).
pub const FIRST_INTERVAL_SECONDS: i64 = 5;

/// By how much the interval grows when a device asks too soon (RFC 8628, section 3.5).
const SLOW_DOWN_SECONDS: i64 = 5;

/// A question may come this much early: it waited as told, and the network was faster than last time.
const EARLY_SECONDS: i64 = 1;

/// Where a sign-in stands. Expiry is told by [`DeviceGrant::expires_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeviceState {
    /// Nobody has decided yet.
    Pending,
    /// A user said yes; the device has not asked since.
    Approved {
        /// Their tenant.
        tenant: TenantId,
        /// Who.
        user: UserId,
    },
    /// A user said no.
    Denied,
    /// The device has its token. A code is good for one.
    Redeemed,
}

impl DeviceState {
    /// As stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied => "denied",
            Self::Redeemed => "redeemed",
        }
    }
}

/// One sign-in in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceGrant {
    /// Where it stands.
    pub state: DeviceState,
    /// Until when it can be decided and redeemed.
    pub expires_at: Timestamp,
    /// How long the device must wait between two questions.
    pub interval_seconds: i64,
    /// When it asked last.
    pub last_poll_at: Option<Timestamp>,
}

/// What the user decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceDecision {
    /// Let the device in as this user.
    Approve {
        /// Their tenant.
        tenant: TenantId,
        /// Who.
        user: UserId,
    },
    /// Don't.
    Deny,
}

/// What the device is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollAnswer {
    /// Issue a token for this user, in the transaction that stores the grant.
    Granted {
        /// Their tenant.
        tenant: TenantId,
        /// Who.
        user: UserId,
    },
    /// Ask again after the interval.
    Pending,
    /// Ask less often.
    SlowDown,
    /// The user said no.
    Denied,
    /// Too late.
    Expired,
    /// The code was used already.
    Used,
}

impl DeviceGrant {
    /// A sign-in that begins at `now`.
    #[must_use]
    pub const fn begin(now: Timestamp) -> Self {
        Self {
            state: DeviceState::Pending,
            expires_at: now.plus_seconds(DEVICE_SECONDS),
            interval_seconds: FIRST_INTERVAL_SECONDS,
            last_poll_at: None,
        }
    }

    /// The user decides, once.
    pub fn decide(self, decision: DeviceDecision, now: Timestamp) -> Result<Self> {
        if now >= self.expires_at {
            return Err(Error::new(
                ErrorCode::StateConflict,
                "this code has expired; begin the sign-in on the device anew",
            ));
        }
        let state = match (self.state, decision) {
            (DeviceState::Pending, DeviceDecision::Approve { tenant, user }) => DeviceState::Approved { tenant, user },
            (DeviceState::Pending, DeviceDecision::Deny) => DeviceState::Denied,
            (DeviceState::Approved { .. } | DeviceState::Denied | DeviceState::Redeemed, _) => {
                return Err(Error::state_conflict("sign-in", self.state.as_str(), "decide", &[]));
            }
        };
        Ok(Self { state, ..self })
    }

    /// The device asks. Store the grant that is returned before answering.
    #[must_use]
    pub fn poll(self, now: Timestamp) -> (Self, PollAnswer) {
        let asked = Self { last_poll_at: Some(now), ..self };
        if now >= self.expires_at {
            return (asked, PollAnswer::Expired);
        }
        match self.state {
            DeviceState::Pending if self.too_soon(now) => {
                let interval_seconds = self.interval_seconds.saturating_add(SLOW_DOWN_SECONDS);
                (Self { interval_seconds, ..asked }, PollAnswer::SlowDown)
            }
            DeviceState::Pending => (asked, PollAnswer::Pending),
            DeviceState::Approved { tenant, user } => {
                (Self { state: DeviceState::Redeemed, ..asked }, PollAnswer::Granted { tenant, user })
            }
            DeviceState::Denied => (asked, PollAnswer::Denied),
            DeviceState::Redeemed => (asked, PollAnswer::Used),
        }
    }

    fn too_soon(self, now: Timestamp) -> bool {
        let earliest = self.last_poll_at.map(|last| last.plus_seconds(self.interval_seconds - EARLY_SECONDS));
        earliest.is_some_and(|earliest| now < earliest)
    }
}

impl PollAnswer {
    /// The tenant and user to issue a token for, or the error to answer.
    pub fn granted(self) -> Result<(TenantId, UserId), OAuthError> {
        let (code, text) = match self {
            Self::Granted { tenant, user } => return Ok((tenant, user)),
            Self::Pending => (OAuthErrorCode::AuthorizationPending, "nobody has entered the code yet; ask again"),
            Self::SlowDown => (OAuthErrorCode::SlowDown, "ask less often: wait five seconds longer than before"),
            Self::Denied => (OAuthErrorCode::AccessDenied, "the sign-in was denied"),
            Self::Expired => (OAuthErrorCode::ExpiredToken, "the code has expired; begin anew"),
            Self::Used => (OAuthErrorCode::InvalidGrant, "the device code was used already; begin anew"),
        };
        Err(OAuthError::new(code, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::id::TypedId;
    use uuid::Uuid;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn who() -> (TenantId, UserId) {
        (TenantId::from_uuid(Uuid::from_u128(1)), UserId::from_uuid(Uuid::from_u128(2)))
    }

    fn yes() -> DeviceDecision {
        DeviceDecision::Approve { tenant: who().0, user: who().1 }
    }

    #[test]
    fn a_sign_in_goes_its_way_once() {
        let grant = DeviceGrant::begin(START);
        let (grant, answer) = grant.poll(START.plus_seconds(5));
        assert_eq!(answer, PollAnswer::Pending);
        let grant = grant.decide(yes(), START.plus_seconds(7)).unwrap();
        assert_eq!(
            grant.decide(DeviceDecision::Deny, START.plus_seconds(8)).unwrap_err().code(),
            ErrorCode::StateConflict
        );
        let (grant, answer) = grant.poll(START.plus_seconds(10));
        assert_eq!(answer.granted().unwrap(), who());
        let (_, again) = grant.poll(START.plus_seconds(20));
        assert_eq!(again.granted().unwrap_err().code, OAuthErrorCode::InvalidGrant);
    }

    #[test]
    fn who_asks_too_often_must_slow_down() {
        let (grant, _) = DeviceGrant::begin(START).poll(START);
        let (grant, answer) = grant.poll(START.plus_seconds(4));
        assert_eq!(answer, PollAnswer::Pending, "a second early is the network's");
        let (grant, answer) = grant.poll(START.plus_seconds(7));
        assert_eq!((answer, grant.interval_seconds), (PollAnswer::SlowDown, 10));
        let (grant, answer) = grant.poll(START.plus_seconds(12));
        assert_eq!((answer, grant.interval_seconds), (PollAnswer::SlowDown, 15));
        let (grant, answer) = grant.poll(START.plus_seconds(27));
        assert_eq!((answer, grant.interval_seconds), (PollAnswer::Pending, 15));
        let granted = grant.decide(yes(), START.plus_seconds(28)).unwrap().poll(START.plus_seconds(28)).1;
        assert!(granted.granted().is_ok(), "once approved nobody waits");
    }

    #[test]
    fn denied_and_expired_end_it() {
        let denied = DeviceGrant::begin(START).decide(DeviceDecision::Deny, START).unwrap();
        assert_eq!(denied.poll(START).1.granted().unwrap_err().code, OAuthErrorCode::AccessDenied);
        let late = START.plus_seconds(DEVICE_SECONDS);
        let approved = DeviceGrant::begin(START).decide(yes(), START).unwrap();
        for grant in [DeviceGrant::begin(START), approved] {
            assert_eq!(grant.poll(late).1.granted().unwrap_err().code, OAuthErrorCode::ExpiredToken);
        }
        assert!(DeviceGrant::begin(START).decide(yes(), late).is_err());
    }
}
