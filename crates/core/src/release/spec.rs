//! Makes the deployment spec of a target from a sealed release.

use std::collections::BTreeMap;

use super::{
    placement::variant_for,
    reference::{Name, Names, Resolver, TargetNames, VersionName},
    seal::{SealedComponent, SealedRelease},
    values::{self, ValueScope},
};
use crate::{
    Digest,
    component::Runtime,
    deployment::spec::{ComponentSpec, DeploymentSpec, DigestChain, ImageSource, ResolvedValues},
    error::{Error, ErrorCode, Result},
    id::{ComponentId, IntegrationId, ReleaseId, TenantId},
    promotion::ResolvedTargetValues,
};

/// How a registry is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// `host[:port]` as the server reaches it.
    pub host: String,
    /// Whether it speaks plain HTTP.
    pub insecure: bool,
    /// Whether it wants credentials.
    pub authenticated: bool,
    /// Mirrors (`host[:port]`) that may be told its credentials, too.
    pub trusted_mirrors: Vec<String>,
}

impl Registry {
    /// Whether its credentials may be sent to `host`. Whoever changes a target names its mirrors; only who
    /// changes the integration says which of them is told its password.
    #[must_use]
    pub fn gives_credentials_to(&self, host: &str) -> bool {
        let mut known = std::iter::once(&self.host).chain(&self.trusted_mirrors);
        self.authenticated && known.any(|one| one.eq_ignore_ascii_case(host))
    }
}

/// What a spec is made of beside the target's own scope.
#[derive(Clone, Copy, Debug)]
pub struct SpecSource<'a> {
    /// Whose.
    pub tenant_id: TenantId,
    /// Which release.
    pub release_id: ReleaseId,
    /// Its digest.
    pub release_digest: Digest,
    /// What was sealed.
    pub sealed: &'a SealedRelease,
    /// The registries of its components, by integration.
    pub registries: &'a BTreeMap<IntegrationId, Registry>,
}

/// A spec, and where its variables come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedSpec {
    /// What the agent gets.
    pub spec: DeploymentSpec,
    /// What preview shows, one entry a component.
    pub values: Vec<ResolvedTargetValues>,
}

/// The spec of one target with `components` of the release on it, which come up in the release's order.
pub fn resolve_spec(source: SpecSource<'_>, scope: &ValueScope, components: &[ComponentId]) -> Result<ResolvedSpec> {
    let mut spec = DeploymentSpec {
        tenant_id: source.tenant_id,
        environment_id: scope.environment_id,
        target_id: scope.target_id,
        application: source.sealed.name.clone(),
        release_id: source.release_id,
        release_version: source.sealed.version.clone(),
        release_digest: source.release_digest,
        components: Vec::with_capacity(components.len()),
    };
    let mut shown = Vec::with_capacity(components.len());
    for component in source.sealed.components.iter().filter(|one| components.contains(&one.component_id)) {
        let resolver = Resolver::new(&names(source.sealed, component, scope));
        let values = values::resolve(source.sealed, component, scope, &resolver)?;
        scope.check_secrets(component)?;
        spec.components.push(ComponentSpec {
            component_id: component.component_id,
            name: component.component.clone(),
            version_id: component.version_id,
            tag: component.tag.clone(),
            image: image(component, scope, source.registries)?,
            expected: chain(component, scope)?,
            runtime: runtime(component, scope, &resolver, &values)?,
            instances: component.instances,
            depends_on: component.depends_on.iter().filter(|id| components.contains(id)).copied().collect(),
        });
        shown.push(ResolvedTargetValues {
            target_id: scope.target_id,
            target_name: scope.target.clone(),
            component: component.component.clone(),
            values,
        });
    }
    Ok(ResolvedSpec { spec, values: shown })
}

pub(super) fn names<'a>(sealed: &'a SealedRelease, component: &'a SealedComponent, scope: &'a ValueScope) -> Names<'a> {
    Names {
        target: TargetNames { name: &scope.target, labels: &scope.labels },
        environment: Name { name: &scope.environment },
        release: VersionName { version: &sealed.version },
        component: Name { name: &component.component },
    }
}

/// The registry as this target reaches it. A mirror serves the same digests, so only the way differs.
fn image(
    component: &SealedComponent,
    scope: &ValueScope,
    registries: &BTreeMap<IntegrationId, Registry>,
) -> Result<ImageSource> {
    let integration_id = component.registry_integration_id;
    let registry = registries.get(&integration_id).ok_or_else(|| {
        Error::new(
            ErrorCode::RuleViolated,
            format!(
                "the registry of component {} is gone: there is no integration {integration_id}",
                component.component
            ),
        )
    })?;
    let (host, prefix) = match scope.registry_mirrors.get(&integration_id) {
        Some(mirror) => mirror.split_once('/').unwrap_or((mirror, "")),
        None => (registry.host.as_str(), ""),
    };
    let prefix = prefix.trim_matches('/');
    Ok(ImageSource {
        integration_id,
        registry: host.to_owned(),
        insecure: registry.insecure,
        repository: if prefix.is_empty() {
            component.repository.clone()
        } else {
            format!("{prefix}/{}", component.repository)
        },
        digest: component.digest,
        authenticated: registry.gives_credentials_to(host),
        size_bytes: Some(variant_for(component, scope.platform.as_ref(), &scope.target)?.size_bytes),
    })
}

fn chain(component: &SealedComponent, scope: &ValueScope) -> Result<DigestChain> {
    let image = variant_for(component, scope.platform.as_ref(), &scope.target)?;
    Ok(DigestChain { index: component.digest, manifest: image.manifest, config: image.config })
}

/// The sealed runtime with the resolved variables in it, and the references in its other texts resolved.
/// The rules on runtimes hold for what results, too: a label's value must not become a way out of a path.
fn runtime(
    component: &SealedComponent,
    scope: &ValueScope,
    resolver: &Resolver,
    values: &ResolvedValues,
) -> Result<Runtime> {
    let place = |what: &str| format!("{what} of component {} on target {}", component.component, scope.target);
    let mut runtime = component.runtime.clone();
    runtime.environment = values.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect();
    for (name, value) in &mut runtime.labels {
        *value = resolver.resolve(&place(&format!("label {name}")), value)?;
    }
    for word in runtime.command.iter_mut().flatten() {
        *word = resolver.resolve(&place("the command"), word)?;
    }
    for volume in &mut runtime.volumes {
        volume.source = resolver.resolve(&place(&format!("the volume at {}", volume.target)), &volume.source)?;
    }
    garde::Validate::validate(&runtime).map_err(|report| {
        Error::new(
            ErrorCode::RuleViolated,
            format!(
                "{} does not hold after its values are resolved: {}",
                place("the runtime"),
                report.to_string().trim()
            ),
        )
    })?;
    Ok(runtime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::testing::{self, id, labels};

    fn registries() -> BTreeMap<IntegrationId, Registry> {
        let registry = Registry {
            host: "registry.example:5000".to_owned(),
            insecure: true,
            authenticated: true,
            trusted_mirrors: vec!["mirror.local".to_owned()],
        };
        BTreeMap::from([(id(90), registry)])
    }

    fn resolved(sealed: &SealedRelease, scope: &ValueScope, components: &[ComponentId]) -> Result<ResolvedSpec> {
        let registries = registries();
        let source = SpecSource {
            tenant_id: id(1),
            release_id: id(21),
            release_digest: sealed.digest().unwrap(),
            sealed,
            registries: &registries,
        };
        resolve_spec(source, scope, components)
    }

    const BOTH: [u128; 2] = [1, 2];

    fn both() -> Vec<ComponentId> {
        BOTH.iter().map(|number| id(*number)).collect()
    }

    #[test]
    fn a_spec_holds_all_that_the_target_needs() {
        let sealed = testing::sealed();
        let made = resolved(&sealed, &testing::scope(), &both()).unwrap();
        let names: Vec<_> = made.spec.components.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["db", "api"]);
        let api = &made.spec.components[1];
        assert_eq!(api.image.reference(), format!("registry.example:5000/shop/api@{}", api.image.digest));
        assert_eq!(api.runtime.environment["REGION"], "eu");
        assert_eq!(api.runtime.environment["RELEASE"], "2.4.1");
        assert_eq!(api.runtime.command.as_ref().unwrap()[1], "--name=api");
        assert_eq!(api.depends_on, [id::<ComponentId>(2)]);
        assert_eq!(api.expected.index, api.image.digest);
        let sealed_api = sealed.component(id(1)).unwrap();
        assert_eq!(api.expected.config, sealed_api.platforms[0].config);
        assert_eq!(made.values[1].component, "api");
        assert_eq!(made.values[1].values["REGION"].value, "eu");
    }

    #[test]
    fn a_component_that_is_elsewhere_is_neither_there_nor_waited_for() {
        let made = resolved(&testing::sealed(), &testing::scope(), &[id(1)]).unwrap();
        assert_eq!(made.spec.components.len(), 1);
        assert!(made.spec.components[0].depends_on.is_empty());
    }

    #[test]
    fn a_mirror_changes_the_way_and_not_the_digest() {
        let sealed = testing::sealed();
        for (mirror, registry, repository, authenticated) in [
            ("mirror.local:5000", "mirror.local:5000", "shop/api", false),
            ("mirror.local/hub/cache/", "mirror.local", "hub/cache/shop/api", true),
            ("Mirror.Local/hub", "Mirror.Local", "hub/shop/api", true),
            ("registry.example:5000/hub", "registry.example:5000", "hub/shop/api", true),
            ("registry.example", "registry.example", "shop/api", false),
            ("mirror.local.evil.example", "mirror.local.evil.example", "shop/api", false),
        ] {
            let mut scope = testing::scope();
            scope.registry_mirrors.insert(id(90), mirror.to_owned());
            let made = resolved(&sealed, &scope, &[id(1)]).unwrap();
            let image = &made.spec.components[0].image;
            assert_eq!((image.registry.as_str(), image.repository.as_str()), (registry, repository));
            assert_eq!(image.digest, sealed.component(id(1)).unwrap().digest);
            assert_eq!(image.authenticated, authenticated, "{mirror}: credentials go where the integration says");
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_spec() {
        let sealed = testing::sealed();
        let one = resolved(&sealed, &testing::scope(), &both()).unwrap();
        let other = resolved(&sealed, &testing::scope(), &both()).unwrap();
        assert_eq!(crate::canonical::digest(&one.spec).unwrap(), crate::canonical::digest(&other.spec).unwrap());
        let mut scope = testing::scope();
        scope.promotion = labels(&[("LEVEL", "trace")]);
        let changed = resolved(&sealed, &scope, &both()).unwrap();
        assert_ne!(crate::canonical::digest(&one.spec).unwrap(), crate::canonical::digest(&changed.spec).unwrap());
    }

    #[test]
    fn a_label_is_no_way_out_of_a_path() {
        let mut sealed = testing::sealed();
        sealed.components[0].runtime.volumes[0].source = "/srv/${{ target.labels.zone }}".to_owned();
        let mut scope = testing::scope();
        assert_eq!(resolved(&sealed, &scope, &both()).unwrap().spec.components[0].runtime.volumes[0].source, "/srv/eu");
        scope.labels.insert("zone".to_owned(), "../etc".to_owned());
        assert_eq!(resolved(&sealed, &scope, &both()).unwrap_err().code(), ErrorCode::RuleViolated);
    }

    #[test]
    fn what_is_missing_is_an_error_before_anything_runs() {
        let sealed = testing::sealed();
        let mut scope = testing::scope();
        scope.labels.remove("zone");
        assert_eq!(resolved(&sealed, &scope, &both()).unwrap_err().code(), ErrorCode::UnknownReference);
        let mut scope = testing::scope();
        scope.platform = Some(testing::platform("riscv64"));
        assert_eq!(resolved(&sealed, &scope, &both()).unwrap_err().code(), ErrorCode::PlatformNotAvailable);
    }
}
