//! Specs and plans for tests.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::spec::{ComponentSpec, DeploymentSpec, DigestChain, ImageSource};
use crate::{Digest, component::Runtime, id::TypedId};

pub(crate) fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

/// A component by its number in version `version`.
pub(crate) fn component(number: u128, version: &str) -> ComponentSpec {
    let digest = Digest::of(format!("{number} {version}").as_bytes());
    ComponentSpec {
        component_id: id(number),
        name: format!("c{number}"),
        version_id: id(number + 100),
        tag: version.to_owned(),
        image: ImageSource {
            integration_id: id(7),
            registry: "registry.local".to_owned(),
            insecure: false,
            repository: format!("shop/c{number}"),
            digest,
            authenticated: false,
            size_bytes: None,
        },
        expected: DigestChain { index: digest, manifest: digest, config: digest },
        runtime: Runtime::default(),
        instances: 1,
        depends_on: Vec::new(),
    }
}

pub(crate) fn spec(target: u128, components: Vec<ComponentSpec>) -> DeploymentSpec {
    DeploymentSpec {
        tenant_id: id(1),
        environment_id: id(2),
        target_id: id(target),
        application: "shop".to_owned(),
        release_id: id(3),
        release_version: "2.4.1".to_owned(),
        release_digest: Digest::of(b"release"),
        components,
    }
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
