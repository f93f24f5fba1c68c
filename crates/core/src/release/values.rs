//! The order of values: which layer a variable comes from on one target.
//!
//! The later wins: the image's own ENV (not ours to list), component runtime, release variables, release
//! component configuration, environment variables, environment variables scoped by target labels (more
//! labels win), promotion variables.

use std::collections::BTreeMap;

use super::{
    reference::Resolver,
    resource::Variables,
    seal::{SealedComponent, SealedRelease},
};
use crate::{
    component::Platform,
    deployment::spec::{ResolvedValue, ResolvedValues, ValueSource},
    environment::{Environment, ScopedVariables, SecretRef, secret_for},
    error::{Error, ErrorCode, Result},
    id::{EnvironmentId, IntegrationId, TargetId},
    inventory::Target,
    label::Labels,
};

/// What a release meets on one target: all that decides about values there beside the release itself.
#[derive(Clone, Debug)]
pub struct ValueScope {
    /// Which environment.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub environment: String,
    /// Its variables.
    pub variables: Variables,
    /// Its variables for targets with certain labels.
    pub scoped: Vec<ScopedVariables>,
    /// Which target.
    pub target_id: TargetId,
    /// Its name.
    pub target: String,
    /// Its labels.
    pub labels: Labels,
    /// What it runs on, as its agent says; `None` if that was never told.
    pub platform: Option<Platform>,
    /// How it reaches registries: `host[:port][/prefix]` by integration.
    pub registry_mirrors: BTreeMap<IntegrationId, String>,
    /// The environment's secrets.
    pub secrets: Vec<SecretRef>,
    /// The promotion's variables.
    pub promotion: Variables,
}

impl ValueScope {
    /// The scope of a promotion with `promotion` variables onto `target`, which runs on `platform`.
    #[must_use]
    pub fn new(environment: &Environment, target: &Target, platform: Option<Platform>, promotion: &Variables) -> Self {
        Self {
            environment_id: environment.id,
            environment: environment.name.clone(),
            variables: environment.variables.clone(),
            scoped: environment.scoped_variables.clone(),
            target_id: target.id,
            target: target.name.clone(),
            labels: target.labels.clone(),
            platform,
            registry_mirrors: target.registry_mirrors.clone(),
            secrets: environment.secret_refs.clone(),
            promotion: promotion.clone(),
        }
    }

    /// Whether the target is given each secret that `component` asks for: better told now than on the host.
    pub(super) fn check_secrets(&self, component: &SealedComponent) -> Result<()> {
        let target = (self.target.as_str(), &self.labels);
        component.runtime.secrets.iter().try_for_each(|wanted| {
            secret_for(&self.secrets, &wanted.name, target, |one| (one.name.as_str(), &one.target_labels)).map(drop)
        })
    }

    /// The scoped variables that hold on this target: for each name the most specific one.
    fn scoped_here(&self) -> Result<Variables> {
        let mut best: BTreeMap<&str, (&ScopedVariables, &str)> = BTreeMap::new();
        let mut ties: BTreeMap<&str, &ScopedVariables> = BTreeMap::new();
        let fits =
            |one: &&ScopedVariables| one.target_labels.iter().all(|(key, value)| self.labels.get(key) == Some(value));
        for scope in self.scoped.iter().filter(fits) {
            let rank = scope.target_labels.len();
            for (name, value) in &scope.variables {
                let held = best.get(name.as_str()).map(|(other, _)| other.target_labels.len());
                if held.is_none_or(|held| rank > held) {
                    best.insert(name, (scope, value));
                    ties.remove(name.as_str());
                } else if held == Some(rank) {
                    ties.insert(name, scope);
                }
            }
        }
        if let Some((name, tie)) = ties.first_key_value() {
            let first = best.get(name).map(|(scope, _)| describe(scope)).unwrap_or_default();
            return Err(self.ambiguous(name, &first, &describe(tie)));
        }
        Ok(best.into_iter().map(|(name, (_, value))| (name.to_owned(), value.to_owned())).collect())
    }

    fn ambiguous(&self, name: &str, one: &str, other: &str) -> Error {
        Error::new(
            ErrorCode::AmbiguousVariable,
            format!(
                "{name} is set twice for target {} in environment {}, for {one} and for {other}, which are equally \
                 specific; add a label to one of them, or remove one",
                self.target, self.environment
            ),
        )
        .details(serde_json::json!({ "variable": name, "target": self.target, "scopes": [one, other] }))
    }
}

/// A scope by its labels, such as `[disk=ssd, zone=a]`.
fn describe(scope: &ScopedVariables) -> String {
    let pairs: Vec<_> = scope.target_labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("[{}]", pairs.join(", "))
}

/// The variables of one component on one target, references resolved, each with its source.
pub(super) fn resolve(
    release: &SealedRelease,
    component: &SealedComponent,
    scope: &ValueScope,
    resolver: &Resolver,
) -> Result<ResolvedValues> {
    let configured = |name: &String| component.configured.contains(name);
    let runtime = |wanted: bool| -> Variables {
        let some = component.runtime.environment.iter().filter(|(name, _)| configured(name) == wanted);
        some.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let layers = [
        (ValueSource::ComponentRuntime, runtime(false)),
        (ValueSource::ReleaseVariables, release.variables.clone()),
        (ValueSource::ReleaseComponentConfig, runtime(true)),
        (ValueSource::EnvironmentVariables, scope.variables.clone()),
        (ValueSource::ScopedVariables, scope.scoped_here()?),
        (ValueSource::PromotionVariables, scope.promotion.clone()),
    ];
    let mut winners: BTreeMap<String, (ValueSource, String)> = BTreeMap::new();
    for (source, layer) in layers {
        winners.extend(layer.into_iter().map(|(name, value)| (name, (source, value))));
    }
    let resolved = |(name, (source, value)): (String, (ValueSource, String))| {
        let place = format!("variable {name} of component {} on target {}", component.component, scope.target);
        Ok((name, ResolvedValue { value: resolver.resolve(&place, &value)?, source }))
    };
    winners.into_iter().map(resolved).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::release::{
        spec::names,
        testing::{self, labels},
    };

    fn values(component: &str, scope: &ValueScope) -> Result<ResolvedValues> {
        let sealed = testing::sealed();
        let component = sealed.components.iter().find(|one| one.component == component).unwrap();
        resolve(&sealed, component, scope, &Resolver::new(&names(&sealed, component, scope)))
    }

    fn scoped(pairs: &[(&str, &str)], variables: &[(&str, &str)]) -> ScopedVariables {
        ScopedVariables { target_labels: labels(pairs), variables: labels(variables) }
    }

    #[test]
    fn the_later_layer_wins() {
        let mut scope = testing::scope();
        let level = |scope: &ValueScope| {
            let value = values("api", scope).unwrap().remove("LEVEL").unwrap();
            (value.value, value.source)
        };
        // info in the component's runtime, warn in the release's variables, debug in its configuration.
        assert_eq!(level(&scope), ("debug".to_owned(), ValueSource::ReleaseComponentConfig));
        let db = values("db", &scope).unwrap();
        assert_eq!((db["LEVEL"].value.as_str(), db["LEVEL"].source), ("warn", ValueSource::ReleaseVariables));
        scope.variables = labels(&[("LEVEL", "environment")]);
        assert_eq!(level(&scope), ("environment".to_owned(), ValueSource::EnvironmentVariables));
        scope.scoped = vec![scoped(&[("zone", "eu")], &[("LEVEL", "zone")])];
        assert_eq!(level(&scope), ("zone".to_owned(), ValueSource::ScopedVariables));
        scope.scoped.push(scoped(&[("zone", "eu"), ("role", "web")], &[("LEVEL", "both")]));
        assert_eq!(level(&scope), ("both".to_owned(), ValueSource::ScopedVariables));
        scope.scoped.push(scoped(&[("zone", "us"), ("role", "web"), ("disk", "ssd")], &[("LEVEL", "elsewhere")]));
        assert_eq!(level(&scope), ("both".to_owned(), ValueSource::ScopedVariables));
        scope.promotion = labels(&[("LEVEL", "${{ environment.name }}")]);
        assert_eq!(level(&scope), ("prod".to_owned(), ValueSource::PromotionVariables));
    }

    #[test]
    fn a_value_that_is_not_used_is_not_resolved() {
        let mut scope = testing::scope();
        scope.variables = labels(&[("A", "${{ nothing }}")]);
        assert_eq!(values("api", &scope).unwrap_err().code(), ErrorCode::UnknownReference);
        scope.promotion = labels(&[("A", "fine")]);
        assert_eq!(values("api", &scope).unwrap()["A"].value, "fine");
    }

    #[test]
    fn a_tie_names_both() {
        let mut scope = testing::scope();
        scope.scoped =
            vec![scoped(&[("zone", "eu")], &[("A", "1"), ("B", "1")]), scoped(&[("role", "web")], &[("A", "2")])];
        let error = values("api", &scope).unwrap_err();
        assert_eq!(error.code(), ErrorCode::AmbiguousVariable);
        assert!(error.message().contains("[zone=eu]") && error.message().contains("[role=web]"), "{error:?}");
        scope.scoped.push(scoped(&[("zone", "eu"), ("role", "web")], &[("A", "3")]));
        assert_eq!(values("api", &scope).unwrap()["A"].value, "3", "a more specific one settles it");
        scope.scoped.rotate_right(1);
        assert_eq!(values("api", &scope).unwrap()["A"].value, "3", "whatever the order in which they stand");
    }

    proptest! {
        #[test]
        fn the_strongest_layer_that_has_a_value_gives_it(present in proptest::collection::vec(any::<bool>(), 3)) {
            let mut scope = testing::scope();
            let layer = |index: usize| if present[index] { labels(&[("LEVEL", "x")]) } else { Labels::new() };
            scope.variables = layer(0);
            scope.scoped = vec![ScopedVariables { target_labels: labels(&[("zone", "eu")]), variables: layer(1) }];
            scope.promotion = layer(2);
            let expected = match (present[2], present[1], present[0]) {
                (true, _, _) => ValueSource::PromotionVariables,
                (false, true, _) => ValueSource::ScopedVariables,
                (false, false, true) => ValueSource::EnvironmentVariables,
                (false, false, false) => ValueSource::ReleaseComponentConfig,
            };
            prop_assert_eq!(values("api", &scope).unwrap()["LEVEL"].source, expected);
        }
    }
}
