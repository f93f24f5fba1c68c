//! The promotion graph: which environments come before which.

use std::collections::{BTreeMap, BTreeSet};

use super::PromotesFrom;
use crate::{
    error::{Error, ErrorCode, Result},
    id::EnvironmentId,
};

/// The most predecessors of one environment.
const MAX_PREDECESSORS: usize = 50;

impl PromotesFrom {
    /// Whether it makes sense by itself: each environment once, and a minimum that can be met.
    pub fn check(&self) -> Result<(), String> {
        let distinct: BTreeSet<_> = self.environment_ids.iter().collect();
        if self.environment_ids.len() > MAX_PREDECESSORS {
            return Err(format!("must name at most {MAX_PREDECESSORS} environments"));
        }
        if distinct.len() != self.environment_ids.len() {
            return Err("must name each environment once".to_owned());
        }
        match self.minimum {
            None => Ok(()),
            Some(minimum) if (1..=distinct.len()).contains(&(minimum as usize)) => Ok(()),
            Some(_) => {
                Err(format!("must have a minimum from 1 to the number of environments, here {}", distinct.len()))
            }
        }
    }

    /// How many of the environments a release must have passed.
    #[must_use]
    pub fn required(&self) -> usize {
        let all = self.environment_ids.len();
        self.minimum.map_or(all, |minimum| (minimum as usize).min(all))
    }
}

/// The whole graph of a tenant: for each environment its name and what it promotes from.
#[derive(Clone, Debug, Default)]
pub struct PromotionGraph(BTreeMap<EnvironmentId, (String, Vec<EnvironmentId>)>);

impl PromotionGraph {
    /// The graph as stored.
    #[must_use]
    pub fn new(environments: impl IntoIterator<Item = (EnvironmentId, String, Vec<EnvironmentId>)>) -> Self {
        Self(environments.into_iter().map(|(id, name, from)| (id, (name, from))).collect())
    }

    /// Puts one environment in, as it shall be: refuses predecessors that do not exist, and cycles.
    pub fn with(mut self, id: EnvironmentId, name: &str, from: &PromotesFrom) -> Result<Self> {
        from.check().map_err(|message| Error::field("promotesFrom", "promotes_from", message))?;
        for one in &from.environment_ids {
            if *one != id && !self.0.contains_key(one) {
                return Err(Error::field("promotesFrom", "unknown", format!("there is no environment with id {one}")));
            }
        }
        self.0.insert(id, (name.to_owned(), from.environment_ids.clone()));
        match self.cycle_through(id) {
            None => Ok(self),
            Some(cycle) => {
                let names: Vec<&str> = cycle.iter().map(|one| self.name(*one)).collect();
                Err(Error::new(
                    ErrorCode::PromotionPathCycle,
                    format!(
                        "a release would have to pass {} before itself ({}); take one of these out of promotesFrom",
                        names.first().copied().unwrap_or_default(),
                        names.join(" <- "),
                    ),
                )
                .details(serde_json::json!({ "cycle": names })))
            }
        }
    }

    fn name(&self, id: EnvironmentId) -> &str {
        self.0.get(&id).map_or("?", |(name, _)| name.as_str())
    }

    /// A way from `start` back to itself, with `start` at both ends.
    fn cycle_through(&self, start: EnvironmentId) -> Option<Vec<EnvironmentId>> {
        let mut seen = BTreeSet::new();
        let mut ways = vec![vec![start]];
        while let Some(way) = ways.pop() {
            let last = *way.last()?;
            for next in self.0.get(&last).map(|(_, from)| from.as_slice()).unwrap_or_default() {
                let mut longer = way.clone();
                longer.push(*next);
                if *next == start {
                    return Some(longer);
                }
                if seen.insert(*next) {
                    ways.push(longer);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::TypedId;

    fn id(number: u128) -> EnvironmentId {
        EnvironmentId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn from(ids: &[u128]) -> PromotesFrom {
        PromotesFrom { environment_ids: ids.iter().copied().map(id).collect(), minimum: None }
    }

    fn graph() -> PromotionGraph {
        PromotionGraph::new([
            (id(1), "dev".to_owned(), vec![]),
            (id(2), "staging".to_owned(), vec![id(1)]),
            (id(3), "prod".to_owned(), vec![id(2)]),
        ])
    }

    #[test]
    fn a_path_is_accepted_and_a_cycle_named() {
        assert!(graph().with(id(4), "dr", &from(&[2, 3])).is_ok());
        let error = graph().with(id(1), "dev", &from(&[3])).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PromotionPathCycle);
        assert!(error.message().contains("dev <- prod <- staging <- dev"), "{}", error.message());
    }

    #[test]
    fn an_environment_is_not_its_own_predecessor() {
        let error = graph().with(id(1), "dev", &from(&[1])).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PromotionPathCycle);
    }

    #[test]
    fn predecessors_must_exist() {
        assert_eq!(graph().with(id(4), "qa", &from(&[9])).unwrap_err().code(), ErrorCode::ValidationFailed);
    }

    #[test]
    fn a_minimum_can_be_met() {
        let with = |ids: &[u128], minimum| PromotesFrom { minimum, ..from(ids) };
        assert_eq!(with(&[1, 2], None).required(), 2);
        assert_eq!(with(&[1, 2], Some(1)).required(), 1);
        assert!(with(&[1, 2], Some(2)).check().is_ok());
        for bad in [with(&[1, 2], Some(3)), with(&[1, 2], Some(0)), with(&[], Some(1)), from(&[1, 1])] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever edges are put in one after the other, the graph that is kept has an order.
        #[test]
        fn what_is_accepted_has_an_order(edges in prop::collection::vec((0..8u128, 0..8u128), 0..40)) {
            let mut graph = PromotionGraph::new((0..8).map(|one| (id(one), one.to_string(), vec![])));
            for (to, predecessor) in edges {
                let mut ids = graph.0[&id(to)].1.clone();
                if !ids.contains(&id(predecessor)) { ids.push(id(predecessor)); }
                let wanted = PromotesFrom { environment_ids: ids, minimum: None };
                if let Ok(next) = graph.clone().with(id(to), &to.to_string(), &wanted) { graph = next; }
            }
            let mut left: BTreeMap<_, Vec<_>> = graph.0.iter().map(|(one, (_, from))| (*one, from.clone())).collect();
            while !left.is_empty() {
                let free: Vec<_> = left.iter().filter(|(_, from)| from.iter().all(|one| !left.contains_key(one))).map(|(one, _)| *one).collect();
                prop_assert!(!free.is_empty(), "a cycle was kept");
                for one in free { left.remove(&one); }
            }
        }
    }
}
