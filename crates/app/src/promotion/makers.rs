//! Who took part in making what is to be approved, as rows tell.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Result, Timestamp,
    actor::Actor,
    id::{EnvironmentId, UserId},
    promotion::{
        Maker, MakerRole,
        makers::{Hands, RULE_CHANGE_SECONDS, collect},
    },
    release::Release,
};
use plimsoll_store::{
    Tx,
    identity::client_hand::{self, ClientHand},
    promotion as rows,
};

/// Everybody who had a hand in it at `at`.
pub(super) fn makers(
    tx: &mut Tx<'_>,
    release: &Release,
    environment: EnvironmentId,
    people: People<'_>,
    at: Timestamp,
) -> Result<Vec<Maker>> {
    let since = at.plus_seconds(-RULE_CHANGE_SECONDS);
    let changed_rules = rows::rule_changes(tx, environment, since)?;
    let mut made_release = release.makers.clone();
    made_release.push(release.created_by);
    let mut hands = Hands {
        requested: people.requested.into_iter().cloned().collect(),
        made_release,
        changed_promotion: people.changed.to_vec(),
        set_up_schedule: Vec::new(),
        changed_rules,
        behind: BTreeMap::new(),
    };
    // Nobody took part before: whoever had given a client away by then had no hand in it.
    let first = since.min(release.created_at);
    hands.behind = behind(tx, collect(&hands, at).into_iter().map(|maker| maker.user_id).collect(), first)?;
    Ok(collect(&hands, at))
}

/// Who is behind the clients among `hands`, and behind the clients behind those.
fn behind(tx: &mut Tx<'_>, hands: BTreeSet<UserId>, first: Timestamp) -> Result<BTreeMap<UserId, Vec<Maker>>> {
    let (mut found, mut next) = (BTreeMap::new(), hands);
    while let Some(hand) = next.pop_first() {
        let people: Vec<_> = client_hand::behind(tx, hand, first)?.into_iter().map(maker).collect();
        next.extend(people.iter().map(|one| one.user_id).filter(|one| !found.contains_key(one)));
        found.insert(hand, people);
    }
    Ok(found)
}

fn maker((user_id, hand): (UserId, ClientHand)) -> Maker {
    let because = match hand {
        ClientHand::Owner => MakerRole::OwnsClient,
        ClientHand::Secret => MakerRole::HoldsClientSecret,
    };
    Maker { user_id, because }
}

/// The promotion's own people.
#[derive(Clone, Copy, Debug)]
pub(super) struct People<'a> {
    pub(super) requested: Option<&'a Actor>,
    pub(super) changed: &'a [Actor],
}
