//! For whom a transaction runs.

use plimsoll_core::id::TenantId;

/// The wall: every transaction names the tenant it works for, or why it needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant's rows and no others.
    Tenant(TenantId),
    /// Across tenants, for one of the listed reasons.
    System(SystemReason),
}

/// Every use of a transaction across tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemReason {
    /// First start and `plimsoll admin`.
    Administration,
    /// Finding the tenant and user of a sign-in, a client or an agent before a token exists.
    SignIn,
    /// Giving positions to committed events and audit rows.
    Sequencer,
    /// Claiming background work of any tenant.
    Claim,
    /// Finding rows that nothing moves any more.
    Sweep,
    /// Forgetting what is kept for a time only.
    Retention,
    /// Renewing what is revoked.
    Revocation,
    /// Making tenants.
    Tenants,
    /// Telling other replicas what callers spent of their rate limits.
    RateLimits,
    /// Loading the keys that sign and seal, which belong to the installation.
    Keys,
}
