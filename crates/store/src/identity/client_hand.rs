//! Who is or was behind a client: its owners, and who made or rotated its secret. Kept when the client is given to
//! somebody else or deleted: what it made stays theirs.

use plimsoll_core::{Result, Timestamp, id::UserId, identity::Client};

use crate::{Row, Tx, params};

/// By what somebody is behind a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientHand {
    /// Answers for it.
    Owner,
    /// Made it or gave it its present secret, and so can act as it.
    Secret,
}

impl ClientHand {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Secret => "secret",
        }
    }
}

/// From `now` on `user` is the client's only one of this kind; whoever was before is remembered.
pub fn take(tx: &mut Tx<'_>, client: &Client, hand: ClientHand, user: UserId, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "UPDATE client_hand SET ended = $4 WHERE tenant_id = $1 AND client_id = $2 AND hand = $3 AND ended IS NULL",
        params![tenant, client.id, hand.as_str(), now],
    )?;
    tx.execute(
        "INSERT INTO client_hand (tenant_id, client_id, service_user_id, hand, user_id, since) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, client_id, hand, user_id, since) DO UPDATE SET ended = NULL",
        params![tenant, client.id, client.service_user_id, hand.as_str(), user, now],
    )
    .map(drop)
}

/// Everybody who was behind the client of this service user at `since` or later, and by what. Nobody when it is a
/// person.
pub fn behind(tx: &mut Tx<'_>, service_user: UserId, since: Timestamp) -> Result<Vec<(UserId, ClientHand)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT DISTINCT user_id, hand FROM client_hand
         WHERE tenant_id = $1 AND service_user_id = $2 AND (ended IS NULL OR ended >= $3) ORDER BY user_id, hand",
        params![tenant, service_user, since],
    )?;
    rows.into_iter().map(read).collect()
}

fn read(row: Row) -> Result<(UserId, ClientHand)> {
    let mut row = row.reader();
    let (user, hand) = (row.next()?, row.next::<String>()?);
    Ok((user, if hand == ClientHand::Owner.as_str() { ClientHand::Owner } else { ClientHand::Secret }))
}
