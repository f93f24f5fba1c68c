//! Access tokens: JWTs after RFC 9068, made and checked as RFC 8725 asks.

mod cache;
mod claims;
mod gate;
mod grants;
mod issue;
mod refusal;
mod revocation;
mod strict;
mod ticket;
mod verify;

pub use cache::{MAX_CACHED, VerifiedTokenCache};
pub use claims::AccessTokenClaims;
pub use gate::{Admission, TokenGate};
pub use grants::{ClaimedGrants, GrantsClaim, MAX_GRANTS_BYTES};
pub use issue::{IssuedToken, Issuer, Subject};
pub use refusal::Refusal;
pub use revocation::{Freshness, RevocationState, STALE_AFTER_SECONDS};
pub use strict::MAX_TOKEN_BYTES;
pub(crate) use strict::{HeaderRules, Leniency, StrictToken, check_times};
pub use ticket::{StreamTicket, TICKET_SECONDS, TicketGrant};
pub use verify::{BoundToken, Verification, VerifiedToken, Verifier};

/// How long an access token lives, unless its issuer says less.
pub const ACCESS_TOKEN_SECONDS: i64 = 600;

/// How far the clocks of two replicas may differ: a token may come from the future by this much.
pub const CLOCK_SKEW_SECONDS: i64 = 5;

/// Makes aws-lc the JWT library's provider. It panics at first use when none, or two, are compiled in,
/// and what else is compiled in is not ours alone to say; so it is named before every use.
pub(crate) fn install_provider() {
    // An error means that it is installed already.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
