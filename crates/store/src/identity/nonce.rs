//! What may be used once.

use plimsoll_core::{Result, Timestamp};

use crate::{Tx, params};

/// What kind of thing is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonceKind {
    /// A stream ticket's `jti`.
    StreamTicket,
    /// A client assertion's `jti`, together with its client.
    Assertion,
}

impl NonceKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::StreamTicket => "stream_ticket",
            Self::Assertion => "assertion",
        }
    }
}

/// Uses `nonce` up; `false` when it was used before. It is remembered until `until`, when it would be
/// refused anyway.
pub fn spend(tx: &mut Tx<'_>, kind: NonceKind, nonce: &str, until: Timestamp) -> Result<bool> {
    let tenant = tx.tenant()?;
    let new = tx.execute(
        "INSERT INTO used_nonce (tenant_id, kind, nonce, until) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        params![tenant, kind.as_str(), nonce, until],
    )?;
    Ok(new == 1)
}
