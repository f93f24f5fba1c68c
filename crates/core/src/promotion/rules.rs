//! The rules in force for a promotion: those of its request, made stricter by changes since, never looser.

use serde::{Deserialize, Serialize};

use super::PolicyFacts;
use crate::environment::{GateDefinition, PromotesFrom};

/// What decides about a promotion into an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RulesInForce {
    /// The gates in order.
    pub gates: Vec<GateDefinition>,
    /// Where a release must have been first.
    pub promotes_from: PromotesFrom,
    /// How long it must have run there.
    pub soak_seconds: u32,
    /// The approval policies; all must be met.
    pub policies: Vec<PolicyFacts>,
}

impl RulesInForce {
    /// Rules that are met only where both `self` (of the request) and `now` are met.
    #[must_use]
    pub fn stricter(&self, now: &Self) -> Self {
        let mut gates = self.gates.clone();
        gates.extend(now.gates.iter().filter(|gate| !self.gates.contains(gate)).cloned());
        let mut policies = self.policies.clone();
        let same = |a: &PolicyFacts, b: &PolicyFacts| PolicyFacts { name: b.name.clone(), ..a.clone() } == *b;
        policies.extend(now.policies.iter().filter(|new| !self.policies.iter().any(|old| same(old, new))).cloned());
        Self {
            gates,
            promotes_from: stricter_path(&self.promotes_from, &now.promotes_from),
            soak_seconds: self.soak_seconds.max(now.soak_seconds),
            policies,
        }
    }
}

fn stricter_path(old: &PromotesFrom, new: &PromotesFrom) -> PromotesFrom {
    if implies(old, new) {
        return old.clone();
    }
    if implies(new, old) {
        return new.clone();
    }
    let mut all = old.environment_ids.clone();
    all.extend(new.environment_ids.iter().filter(|id| !old.environment_ids.contains(id)));
    PromotesFrom { environment_ids: all, minimum: None }
}

/// Whether whatever meets `a` meets `b`: even if `a` is met by what `b` does not name first.
fn implies(a: &PromotesFrom, b: &PromotesFrom) -> bool {
    let outside = a.environment_ids.iter().filter(|id| !b.environment_ids.contains(id)).count();
    a.required().saturating_sub(outside) >= b.required()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::promotion::testing::{id, policy, rule};

    fn from(ids: &[u128], minimum: Option<u32>) -> PromotesFrom {
        PromotesFrom { environment_ids: ids.iter().copied().map(id).collect(), minimum }
    }

    fn is_met(path: &PromotesFrom, passed: &[u128]) -> bool {
        let passed: Vec<crate::id::EnvironmentId> = passed.iter().copied().map(id).collect();
        path.environment_ids.iter().filter(|one| passed.contains(one)).count() >= path.required()
    }

    #[test]
    fn a_loosening_changes_nothing_for_what_was_asked_before() {
        let old = RulesInForce {
            gates: vec![GateDefinition::SoakTime {}, GateDefinition::Approval {}],
            promotes_from: from(&[1], None),
            soak_seconds: 60,
            policies: vec![policy(vec![rule("two", 2, &["approver"], &[])])],
        };
        let loose = RulesInForce::default();
        assert_eq!(old.stricter(&loose), old);
        assert_eq!(loose.stricter(&old), old);
        assert_eq!(old.stricter(&old), old);
    }

    #[test]
    fn a_tightening_holds_at_once() {
        let old = RulesInForce { soak_seconds: 60, ..RulesInForce::default() };
        let new = RulesInForce {
            gates: vec![GateDefinition::Approval {}],
            soak_seconds: 90,
            policies: vec![policy(vec![rule("one", 1, &["approver"], &[])])],
            ..RulesInForce::default()
        };
        assert_eq!(old.stricter(&new), new);
    }

    #[test]
    fn a_policy_that_changed_counts_as_it_was_and_as_it_is() {
        let with = |rules| RulesInForce { policies: vec![policy(rules)], ..RulesInForce::default() };
        let two = with(vec![rule("two", 2, &["approver"], &[])]);
        let one = with(vec![rule("one", 1, &["lead"], &[])]);
        assert_eq!(two.stricter(&one).policies.len(), 2);
        let mut renamed = two.clone();
        renamed.policies[0].name = "another name".to_owned();
        assert_eq!(two.stricter(&renamed), two);
    }

    proptest! {
        #[test]
        fn a_stricter_path_is_met_only_where_both_are(
            old in prop::collection::btree_set(0..5u128, 0..4), old_min in prop::option::of(1..4u32),
            new in prop::collection::btree_set(0..5u128, 0..4), new_min in prop::option::of(1..4u32),
            passed in prop::collection::btree_set(0..5u128, 0..5),
        ) {
            let ids = |set: &std::collections::BTreeSet<u128>| set.iter().copied().collect::<Vec<_>>();
            let (old, new) = (from(&ids(&old), old_min), from(&ids(&new), new_min));
            if is_met(&stricter_path(&old, &new), &ids(&passed)) {
                prop_assert!(is_met(&old, &ids(&passed)) && is_met(&new, &ids(&passed)));
            }
        }
    }
}
