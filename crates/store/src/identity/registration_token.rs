//! Registration tokens as rows. The token itself is a JWT and is not kept.

use plimsoll_core::{
    Result, Timestamp,
    id::{RegistrationTokenId, UserId},
    identity::RegistrationToken,
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for RegistrationToken {
    type Id = RegistrationTokenId;
    const TABLE: Table = Table {
        name: "registration_token",
        noun: "registration token",
        fields: &[
            Field { api: "expiresAt", column: "expires_at", kind: FieldKind::Time, sortable: true },
            Field { api: "usedAt", column: "used_at", kind: FieldKind::Time, sortable: false },
            Field { api: "agentId", column: "agent_id", kind: FieldKind::Id, sortable: false },
            Field { api: "createdBy", column: "created_by", kind: FieldKind::Id, sortable: false },
        ],
        indexed: &[Indexed::new(&[], "createdAt")],
    };
    fn id(&self) -> RegistrationTokenId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        1
    }
    fn set_revision(&mut self, _: i64) {}
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.expires_at.into_value(),
            self.used_at.into_value(),
            self.agent_id.into_value(),
            self.created_by.into_value(),
        ]
    }
    fn labels(&self) -> Option<&std::collections::BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// All that somebody made and nobody has used, that could be used at `now`.
pub fn waiting_registration_tokens(tx: &mut Tx<'_>, maker: UserId, now: Timestamp) -> Result<Vec<RegistrationToken>> {
    resource::find_where(tx, "created_by = $2 AND used_at IS NULL AND expires_at > $3", params![maker, now])
}

/// Uses a token up: `token` says for which agent and when. `false` when it was used, revoked or deleted.
pub fn use_registration_token(tx: &mut Tx<'_>, token: &RegistrationToken) -> Result<bool> {
    let tenant = tx.tenant()?;
    let used = tx.execute(
        "UPDATE registration_token SET body = $3, used_at = $4, agent_id = $5
         WHERE tenant_id = $1 AND id = $2 AND used_at IS NULL AND deleted_at IS NULL",
        params![tenant, token.id, resource::body(token)?, token.used_at, token.agent_id],
    )?;
    resource::totals::touch(tx, RegistrationToken::TABLE.name)?;
    Ok(used == 1)
}

/// Revokes a token that was not used: `token` says when. `false` when it was used or deleted meanwhile.
pub fn revoke_registration_token(tx: &mut Tx<'_>, token: &RegistrationToken) -> Result<bool> {
    let tenant = tx.tenant()?;
    let revoked = tx.execute(
        "UPDATE registration_token SET body = $3, deleted_at = $4
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        params![tenant, token.id, resource::body(token)?, token.revoked_at],
    )?;
    resource::totals::touch(tx, RegistrationToken::TABLE.name)?;
    Ok(revoked == 1)
}
