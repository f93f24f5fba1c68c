//! A small world for the tests of releases: `shop@2.4.1` of `api`, which depends on `db`.

use std::collections::BTreeMap;

use serde_json::json;
use uuid::Uuid;

use super::{Release, ReleaseComponent, ReleaseStatus, seal::Referred};
use crate::{
    Digest, Timestamp,
    component::{Component, ComponentVersion, Platform, PlatformImage, Runtime, RuntimePatch, Versioning},
    id::{ComponentId, IntegrationId, ReleaseId, TypedId, UserId, VersionId},
    label::LabelSelector,
};

pub(crate) fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn platform(architecture: &str) -> Platform {
    Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
}

fn component(number: u128, name: &str, runtime: serde_json::Value) -> Component {
    Component {
        id: id(number),
        name: name.to_owned(),
        display_name: None,
        registry_integration_id: id::<IntegrationId>(90),
        repository: format!("shop/{name}"),
        versioning: Versioning::default(),
        source_integration_id: None,
        source_repository: None,
        runtime: serde_json::from_value::<Runtime>(runtime).unwrap(),
        placement: LabelSelector::default(),
        instances: 1,
        depends_on: vec![],
        channels: vec![],
        labels: BTreeMap::new(),
        revision: 1,
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
        deleted_at: None,
    }
}

pub(crate) fn version(number: u128, component: &Component, tag: &str) -> ComponentVersion {
    let of = |what: &str| Digest::of(format!("{} {tag} {what}", component.name).as_bytes());
    let image = |architecture: &str| PlatformImage {
        platform: platform(architecture),
        manifest: of(&format!("manifest {architecture}")),
        config: of(&format!("config {architecture}")),
        size_bytes: 1_000,
    };
    ComponentVersion {
        id: id(number),
        component_id: component.id,
        tag: tag.to_owned(),
        version: tag.to_owned(),
        digest: of("index"),
        media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
        platforms: vec![image("amd64"), image("arm64")],
        size_bytes: 1_000,
        image_created_at: None,
        source_revision: None,
        source_url: None,
        discovered_at: Timestamp::from_seconds(0),
        superseded_at: None,
        attestations: vec![],
    }
}

/// The release, still a draft, and all that it refers to.
pub(crate) fn world() -> (Release, Referred) {
    let mut api = component(
        1,
        "api",
        json!({
            "ports": [{"container": 8080, "publish": "auto"}],
            "environment": {"LEVEL": "info", "REGION": "${{ target.labels.zone }}"},
            "health": {"type": "http", "port": 8080, "path": "/healthz"},
            "command": ["serve", "--name=${{ component.name }}"],
            "labels": {"team": "shop"},
        }),
    );
    api.depends_on = vec![id::<ComponentId>(2)];
    api.placement = serde_json::from_value(json!({"matchLabels": {"role": "web"}})).unwrap();
    let db = component(
        2,
        "db",
        json!({"volumes": [{"source": "data", "target": "/data", "exclusive": true}], "stopGraceSeconds": 30}),
    );
    let versions = [version(11, &api, "2.4.1"), version(12, &db, "1.0.3")];
    let part = |component: &Component, version: &ComponentVersion, config: serde_json::Value| ReleaseComponent {
        component_id: component.id,
        component: component.name.clone(),
        version_id: version.id,
        tag: version.tag.clone(),
        version: version.version.clone(),
        digest: version.digest,
        config: serde_json::from_value::<RuntimePatch>(config).unwrap(),
    };
    let release = Release {
        id: id::<ReleaseId>(21),
        name: "shop".to_owned(),
        version: "2.4.1".to_owned(),
        status: ReleaseStatus::Draft,
        components: vec![
            part(&api, &versions[0], json!({"environment": {"LEVEL": "debug"}})),
            part(&db, &versions[1], json!({})),
        ],
        variables: labels(&[("RELEASE", "${{ release.version }}"), ("LEVEL", "warn")]),
        notes: None,
        source: None,
        channel: None,
        labels: BTreeMap::new(),
        digest: None,
        sealed_at: None,
        deprecation: None,
        created_by: id::<UserId>(31),
        makers: vec![id(31)],
        revision: 1,
        created_at: Timestamp::from_seconds(0),
        updated_at: Timestamp::from_seconds(0),
        deleted_at: None,
    };
    let referred = Referred {
        components: [api, db].into_iter().map(|one| (one.id, one)).collect(),
        versions: versions.into_iter().map(|one| (one.id, one)).collect::<BTreeMap<VersionId, _>>(),
    };
    (release, referred)
}

/// The release alone.
pub(crate) fn release() -> Release {
    world().0
}

/// The release as sealed.
pub(crate) fn sealed() -> super::seal::SealedRelease {
    let (release, referred) = world();
    super::seal::seal(&release, &referred).unwrap()
}

/// Target `web-1` in environment `prod`.
pub(crate) fn scope() -> super::values::ValueScope {
    super::values::ValueScope {
        environment_id: id(41),
        environment: "prod".to_owned(),
        variables: BTreeMap::new(),
        scoped: vec![],
        target_id: id(51),
        target: "web-1".to_owned(),
        labels: labels(&[("zone", "eu"), ("role", "web")]),
        platform: Some(platform("amd64")),
        registry_mirrors: BTreeMap::new(),
        secrets: vec![],
        promotion: BTreeMap::new(),
    }
}
