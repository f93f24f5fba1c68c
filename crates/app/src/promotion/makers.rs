//! Who took part in making what is to be approved, as rows tell.

use plimsoll_core::{
    Result, Timestamp,
    actor::Actor,
    id::EnvironmentId,
    promotion::{
        Maker,
        makers::{Hands, RULE_CHANGE_SECONDS, collect},
    },
    release::Release,
};
use plimsoll_store::{Tx, promotion as rows};

/// Everybody who had a hand in it at `at`.
pub(super) fn makers(
    tx: &mut Tx<'_>,
    release: &Release,
    environment: EnvironmentId,
    people: People<'_>,
    at: Timestamp,
) -> Result<Vec<Maker>> {
    let clients = rows::owners(tx)?;
    let changed_rules = rows::rule_changes(tx, environment, at.plus_seconds(-RULE_CHANGE_SECONDS))?;
    let mut made_release = release.makers.clone();
    made_release.push(release.created_by);
    let hands = Hands {
        requested: people.requested.into_iter().cloned().collect(),
        made_release,
        changed_promotion: people.changed.to_vec(),
        set_up_schedule: Vec::new(),
        changed_rules,
        owners: clients.iter().map(|client| (client.id, client.owner_id)).collect(),
        service_users: clients.iter().map(|client| (client.service_user_id, client.owner_id)).collect(),
    };
    Ok(collect(&hands, at))
}

/// The promotion's own people.
#[derive(Clone, Copy, Debug)]
pub(super) struct People<'a> {
    pub(super) requested: Option<&'a Actor>,
    pub(super) changed: &'a [Actor],
}
