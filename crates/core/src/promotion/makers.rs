//! Who took part in making what is to be approved (separation of duties).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{Timestamp, actor::Actor, id::UserId};

/// How long somebody who changed an environment's rules stays a maker there.
pub const RULE_CHANGE_SECONDS: i64 = 7 * 86_400;

/// Somebody who took part in making what is to be approved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maker {
    /// Who.
    pub user_id: UserId,
    /// By what.
    pub because: MakerRole,
}

/// By what somebody is a maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MakerRole {
    /// Asked for the promotion.
    Requested,
    /// Created, edited or sealed the release.
    MadeRelease,
    /// Changed the promotion.
    ChangedPromotion,
    /// Set up the schedule or automatic promotion that asked.
    SetUpSchedule,
    /// Changed the environment's rules in the last seven days.
    ChangedRules,
    /// Owns a client that did one of these, or owned it then or since.
    OwnsClient,
    /// Made such a client or its secret, and so can act as it.
    HoldsClientSecret,
}

impl MakerRole {
    /// For messages: "because you …".
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Requested => "asked for the promotion",
            Self::MadeRelease => "created, edited or sealed the release",
            Self::ChangedPromotion => "changed the promotion",
            Self::SetUpSchedule => "set up what asked for the promotion",
            Self::ChangedRules => "changed the environment's rules in the last 7 days",
            Self::OwnsClient => "own or owned a client that took part",
            Self::HoldsClientSecret => "made a client that took part, or its secret",
        }
    }
}

/// Everybody who had a hand in it, as rows tell.
#[derive(Clone, Debug, Default)]
pub struct Hands {
    /// Who asked for the promotion.
    pub requested: Vec<Actor>,
    /// Who created, edited or sealed the release.
    pub made_release: Vec<UserId>,
    /// Who changed the promotion.
    pub changed_promotion: Vec<Actor>,
    /// Who set up the schedule or automatic promotion that asked.
    pub set_up_schedule: Vec<UserId>,
    /// Who changed what decides about the environment (its rules, policies, freeze windows, role bindings),
    /// and when.
    pub changed_rules: Vec<(UserId, Timestamp)>,
    /// Who is behind each client that is among the hands, by its service user: people, or the service users of
    /// other clients.
    pub behind: BTreeMap<UserId, Vec<Maker>>,
}

/// The makers at `at`, each with every reason, in a fixed order.
#[must_use]
pub fn collect(hands: &Hands, at: Timestamp) -> Vec<Maker> {
    let mut makers = BTreeSet::new();
    let mut add = |user_id: UserId, because: MakerRole| {
        let mut next = vec![Maker { user_id, because }];
        while let Some(maker) = next.pop() {
            let behind = hands.behind.get(&maker.user_id);
            if makers.insert(maker) {
                next.extend(behind.into_iter().flatten().cloned());
            }
        }
    };
    hands.requested.iter().for_each(|actor| add(actor.user_id, MakerRole::Requested));
    hands.changed_promotion.iter().for_each(|actor| add(actor.user_id, MakerRole::ChangedPromotion));
    hands.made_release.iter().for_each(|user| add(*user, MakerRole::MadeRelease));
    hands.set_up_schedule.iter().for_each(|user| add(*user, MakerRole::SetUpSchedule));
    let recent = |when: Timestamp| at.micros_since(when) <= RULE_CHANGE_SECONDS * 1_000_000;
    let changed = hands.changed_rules.iter().filter(|(_, when)| recent(*when));
    changed.for_each(|(user, _)| add(*user, MakerRole::ChangedRules));
    makers.into_iter().collect()
}
