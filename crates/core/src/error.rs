//! The one error type: what a caller may be told, and beside it what only the log may hold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The result of everything fallible in the product.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How an error behaves, without speaking of HTTP. The server maps kinds to statuses in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The input is malformed or invalid; the same call will never work.
    Invalid,
    /// No token, or one that isn't accepted.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// Absent, or another tenant's.
    NotFound,
    /// The resource is in another state than the call needs.
    Conflict,
    /// A rule of the business says no.
    Unprocessable,
    /// Too many calls.
    Throttled,
    /// The method is not offered at this path.
    MethodNotAllowed,
    /// The body is larger than allowed.
    TooLarge,
    /// The body is not JSON.
    UnsupportedMedia,
    /// Not now; the same call may work later.
    Unavailable,
    /// Our own defect.
    Internal,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal, $kind:ident;)+) => {
        /// The catalogue of error codes. Stable; the OpenAPI document and the docs are generated from it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ #[serde(rename = $text)] $name,)+
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As clients see it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// How errors with this code behave.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self { $(Self::$name => ErrorKind::$kind,)+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)+ }
            }
        }
    };
}

codes! {
    /// One or more fields are wrong; `validationErrors` lists each.
    ValidationFailed = "VALIDATION_FAILED", Invalid;
    /// The body is not well-formed JSON.
    MalformedJson = "MALFORMED_JSON", Invalid;
    /// Several applications run there; name one.
    ApplicationRequired = "APPLICATION_REQUIRED", Invalid;
    /// No bearer token, or one that is not accepted.
    Unauthenticated = "UNAUTHENTICATED", Unauthenticated;
    /// The token was issued before the caller's permissions changed; fetch a new one.
    TokenStale = "TOKEN_STALE", Unauthenticated;
    /// The caller lacks the permission named in `details`.
    PermissionDenied = "PERMISSION_DENIED", Forbidden;
    /// The caller is none of the approvers that the policy names.
    ApproverNotEligible = "APPROVER_NOT_ELIGIBLE", Forbidden;
    /// The caller took part in making what is to be approved.
    SeparationOfDuties = "SEPARATION_OF_DUTIES", Forbidden;
    /// There is nothing with this id for this tenant.
    NotFound = "NOT_FOUND", NotFound;
    /// No endpoint has this path.
    UnknownPath = "UNKNOWN_PATH", NotFound;
    /// The endpoint does not offer this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", MethodNotAllowed;
    /// The resource's state does not allow this; `details` names the state and the moves allowed.
    StateConflict = "STATE_CONFLICT", Conflict;
    /// Something with this name exists already.
    AlreadyExists = "ALREADY_EXISTS", Conflict;
    /// The resource changed since it was read; `details` has the current revision.
    VersionMismatch = "VERSION_MISMATCH", Conflict;
    /// Something refers to the resource; `details.references` lists what.
    InUse = "IN_USE", Conflict;
    /// A request with the same Idempotency-Key is being worked on.
    RequestInProgress = "REQUEST_IN_PROGRESS", Conflict;
    /// The release is sealed; only notes and labels may change.
    ReleaseSealed = "RELEASE_SEALED", Conflict;
    /// An open promotion of this release into this environment exists.
    PromotionAlreadyOpen = "PROMOTION_ALREADY_OPEN", Conflict;
    /// The caller has decided on this promotion already.
    AlreadyDecided = "ALREADY_DECIDED", Conflict;
    /// What is to be approved changed; `details` has the new hash.
    SubjectChanged = "SUBJECT_CHANGED", Conflict;
    /// The registration token was used by another key.
    TokenAlreadyUsed = "TOKEN_ALREADY_USED", Conflict;
    /// The server took this join of the agent already; the agent goes on with the next one.
    JoinAnswered = "JOIN_ANSWERED", Conflict;
    /// Two hosts use the agent's identity; it gets no token until somebody says which one to keep.
    AgentLocked = "AGENT_LOCKED", Conflict;
    /// The agent is switched off.
    AgentDisabled = "AGENT_DISABLED", Conflict;
    /// A task's epoch is older than the one in force.
    StaleEpoch = "STALE_EPOCH", Conflict;
    /// A gate denies the promotion.
    PromotionBlocked = "PROMOTION_BLOCKED", Unprocessable;
    /// The release is still a draft.
    ReleaseNotReady = "RELEASE_NOT_READY", Unprocessable;
    /// The release is deprecated and blocked.
    ReleaseDeprecated = "RELEASE_DEPRECATED", Unprocessable;
    /// The release runs there already.
    AlreadyDeployed = "ALREADY_DEPLOYED", Unprocessable;
    /// A freeze window is active.
    FreezeActive = "FREEZE_ACTIVE", Unprocessable;
    /// The promotion graph would have a cycle.
    PromotionPathCycle = "PROMOTION_PATH_CYCLE", Unprocessable;
    /// No target takes this component.
    NoTargetForComponent = "NO_TARGET_FOR_COMPONENT", Unprocessable;
    /// The image has no variant for the target's platform.
    PlatformNotAvailable = "PLATFORM_NOT_AVAILABLE", Unprocessable;
    /// `start_first` cannot be used with a fixed host port.
    StartFirstNeedsFreePort = "START_FIRST_NEEDS_FREE_PORT", Unprocessable;
    /// The component runs in another application of this environment.
    ComponentInOtherApplication = "COMPONENT_IN_OTHER_APPLICATION", Unprocessable;
    /// Two scoped variables are equally specific.
    AmbiguousVariable = "AMBIGUOUS_VARIABLE", Unprocessable;
    /// A value refers to a name that does not exist.
    UnknownReference = "UNKNOWN_REFERENCE", Unprocessable;
    /// The registry does not have this digest.
    DigestNotFound = "DIGEST_NOT_FOUND", Unprocessable;
    /// No version fits the constraint.
    NoMatchingVersion = "NO_MATCHING_VERSION", Unprocessable;
    /// The release was never deployed in this environment.
    NeverDeployedHere = "NEVER_DEPLOYED_HERE", Unprocessable;
    /// There is no earlier release to go back to.
    NothingToRollBackTo = "NOTHING_TO_ROLL_BACK_TO", Unprocessable;
    /// An image that the rollback needs is gone.
    RollbackImageMissing = "ROLLBACK_IMAGE_MISSING", Unprocessable;
    /// The outside system could not be reached or refused us.
    UpstreamFailed = "UPSTREAM_FAILED", Unprocessable;
    /// The filter is too broad to be answered in time.
    FilterTooBroad = "FILTER_TOO_BROAD", Unprocessable;
    /// The Idempotency-Key was used with another body.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", Unprocessable;
    /// The value is not allowed by a rule of the product.
    RuleViolated = "RULE_VIOLATED", Unprocessable;
    /// The body is larger than allowed.
    BodyTooLarge = "BODY_TOO_LARGE", TooLarge;
    /// The body must be application/json.
    UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE", UnsupportedMedia;
    /// Too many calls; wait as `Retry-After` says.
    RateLimited = "RATE_LIMITED", Throttled;
    /// The server is draining, overloaded, or its database is away.
    Unavailable = "UNAVAILABLE", Unavailable;
    /// A defect of ours; the log has it under the request's id.
    Internal = "INTERNAL", Internal;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One wrong field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidationError {
    /// Where, as a JSON path such as `components[0].digest`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// A stable word for the kind of mistake, such as `unknown_field`.
    pub code: String,
}

impl ValidationError {
    /// A wrong field.
    pub fn new(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into(), code: code.into() }
    }
}

/// An error: code and public message for the caller, internal text and cause for the log alone.
#[derive(thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    code: ErrorCode,
    message: String,
    details: Option<Box<serde_json::Value>>,
    validation: Vec<ValidationError>,
    internal: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with its public message: what is wrong and what to do next.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, validation: Vec::new(), internal: None, source: None }
    }

    /// Our own defect; `internal` goes to the log and never to a client.
    pub fn internal_defect(internal: impl Into<String>) -> Self {
        Self::new(
            ErrorCode::Internal,
            "something went wrong on our side; the server's log has the details under this requestId",
        )
        .internal(internal)
    }

    /// One wrong field.
    pub fn field(field: impl Into<String>, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::invalid(vec![ValidationError::new(field, code, message)])
    }

    /// Several wrong fields at once.
    #[must_use]
    pub fn invalid(validation: Vec<ValidationError>) -> Self {
        let message = match validation.as_slice() {
            [one] if one.field.is_empty() => one.message.clone(),
            [one] => format!("{}: {}", one.field, one.message),
            many => format!("{} fields are wrong; see validationErrors", many.len()),
        };
        Self { validation, ..Self::new(ErrorCode::ValidationFailed, message) }
    }

    /// Absent, or another tenant's: never told apart.
    pub fn not_found<I: crate::id::TypedId>(id: I) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {} with id {id}", I::NOUN))
    }

    /// An illegal move of a state machine.
    pub fn state_conflict(noun: &str, state: &str, command: &str, allowed: &[&str]) -> Self {
        let moves = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
        Self::new(
            ErrorCode::StateConflict,
            format!("the {noun} is {state}, which does not allow {command:?}; allowed from here: {moves}"),
        )
        .details(serde_json::json!({ "state": state, "allowed": allowed }))
    }

    /// Adds machine-readable context that the caller may see.
    #[must_use]
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Adds text for the log alone.
    #[must_use]
    pub fn internal(mut self, text: impl Into<String>) -> Self {
        self.internal = Some(text.into());
        self
    }

    /// Adds the cause, for the log alone.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// How it behaves.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.code.kind()
    }

    /// The public message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Public machine-readable context.
    #[must_use]
    pub fn public_details(&self) -> Option<&serde_json::Value> {
        self.details.as_deref()
    }

    /// The wrong fields, if any.
    #[must_use]
    pub fn validation(&self) -> &[ValidationError] {
        &self.validation
    }

    /// Text for the log alone.
    #[must_use]
    pub fn internal_text(&self) -> Option<&str> {
        self.internal.as_deref()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(details) = &self.details {
            write!(f, " {details}")?;
        }
        if !self.validation.is_empty() {
            write!(f, " {:?}", self.validation)?;
        }
        if let Some(internal) = &self.internal {
            write!(f, " [{internal}]")?;
        }
        if let Some(source) = &self.source {
            write!(f, " <- {source}")?;
        }
        Ok(())
    }
}
