//! Typed identifiers: UUIDv7 in canonical text, one Rust type a noun, so that a target's id can't be
//! given where an environment's is asked for.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

use crate::error::{Error, ErrorCode};

/// What every typed identifier can do; lets storage and extractors be written once.
pub trait TypedId: Copy + Eq + fmt::Display + FromStr<Err = Error> + Send + Sync + 'static {
    /// The noun, as messages name it.
    const NOUN: &'static str;
    /// Wraps a raw identifier.
    fn from_uuid(raw: Uuid) -> Self;
    /// The raw identifier.
    fn uuid(self) -> Uuid;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident => $noun:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl TypedId for $name {
            const NOUN: &'static str = $noun;
            fn from_uuid(raw: Uuid) -> Self { Self(raw) }
            fn uuid(self) -> Uuid { self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.hyphenated().fmt(f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, concat!($noun, ":{}"), self.0) }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                parse_canonical(text).map(Self).ok_or_else(|| Error::new(
                    ErrorCode::ValidationFailed,
                    format!(concat!("{:?} is not the id of a ", $noun, ": expected a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057"), text),
                ))
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
        }
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Uuid)))
                    .build().into()
            }
        }
    )+};
}

/// Accepts the canonical hyphenated form alone: one id has one spelling.
fn parse_canonical(text: &str) -> Option<Uuid> {
    (text.len() == 36).then(|| Uuid::try_parse(text).ok()).flatten()
}

ids! {
    /// A tenant: the wall between customers.
    TenantId => "tenant",
    /// A person who signs in.
    UserId => "user",
    /// An OAuth client of a machine.
    ClientId => "client",
    /// A named set of permissions.
    RoleId => "role",
    /// A role given to a principal, perhaps for one environment.
    RoleBindingId => "role binding",
    /// A one-time token with which an agent enrols.
    RegistrationTokenId => "registration token",
    /// A connection to the outside world.
    IntegrationId => "integration",
    /// A stage that releases are promoted into.
    EnvironmentId => "environment",
    /// A time in which nothing is promoted.
    FreezeWindowId => "freeze window",
    /// One place in an environment where containers run.
    TargetId => "target",
    /// Our process on or near a target.
    AgentId => "agent",
    /// One deployable image repository.
    ComponentId => "component",
    /// One tag of a component pinned to a digest.
    VersionId => "component version",
    /// An immutable set of versions.
    ReleaseId => "release",
    /// The request to bring a release into an environment.
    PromotionId => "promotion",
    /// A person's yes or no to a promotion.
    ApprovalId => "approval",
    /// Who must approve what.
    ApprovalPolicyId => "approval policy",
    /// The carrying out of a promotion or rollback on all targets.
    JobId => "deployment job",
    /// A job's part on one target.
    TaskId => "task",
    /// Something a job produced and kept.
    ArtifactId => "artifact",
    /// A signed record.
    EvidencePacketId => "evidence packet",
    /// The record left on a target.
    StickerId => "version sticker",
    /// One line of the audit trail.
    AuditEventId => "audit event",
    /// One change that streams follow.
    EventId => "event",
    /// A signing or sealing key.
    KeyId => "key",
    /// A device sign-in in progress.
    DeviceGrantId => "device grant",
    /// A family of refresh tokens.
    SessionId => "session",
}

/// Calls a macro with the names of all typed ids, for traits of other crates that cannot be implemented
/// for every [`TypedId`] at once.
#[macro_export]
macro_rules! for_each_id {
    ($callback:ident) => {
        $callback! { TenantId, UserId, ClientId, RoleId, RoleBindingId, RegistrationTokenId, IntegrationId, EnvironmentId, FreezeWindowId, TargetId, AgentId, ComponentId, VersionId, ReleaseId, PromotionId, ApprovalId, ApprovalPolicyId, JobId, TaskId, ArtifactId, EvidencePacketId, StickerId, AuditEventId, EventId, KeyId, DeviceGrantId, SessionId }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_an_id() {
        let good = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(good.parse::<TargetId>().unwrap().to_string(), good);
        for bad in ["", "01890a5dac96774bbcceb302099a8057", "{01890a5d-ac96-774b-bcce-b302099a8057}", "x"] {
            assert!(bad.parse::<TargetId>().is_err(), "{bad}");
        }
    }
}
