//! Orders and specs for tests.

use plimsoll_core::{
    Digest, Timestamp,
    component::Runtime,
    context::Context,
    deployment::spec::{ComponentSpec, DeploymentSpec, DigestChain, ImageSource},
    id::{TaskId, TypedId},
};
use plimsoll_protocol::agent::{
    host::{Connection, ProcessConnection},
    order::{OrderHints, OrderKind, OrderSignature, TargetInfo, TaskOffer, TaskOrder},
};

/// The same id for the same number.
pub fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(uuid::Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_0000_0000_0000 + number))
}

pub fn component(name: &str, version: u8, runtime: Runtime) -> ComponentSpec {
    let digest = Digest::of(&[b"image".as_slice(), name.as_bytes(), &[version]].concat());
    ComponentSpec {
        component_id: id(name.bytes().map(u128::from).sum()),
        name: name.to_owned(),
        version_id: id(100 + u128::from(version)),
        tag: format!("v{version}"),
        image: ImageSource {
            integration_id: id(1),
            registry: "registry.test:5000".to_owned(),
            insecure: true,
            repository: name.to_owned(),
            digest,
            authenticated: false,
            size_bytes: None,
        },
        expected: DigestChain { index: digest, manifest: digest, config: digest },
        runtime,
        instances: 1,
        depends_on: Vec::new(),
    }
}

pub fn spec(version: u8, components: Vec<ComponentSpec>) -> DeploymentSpec {
    DeploymentSpec {
        tenant_id: id(2),
        environment_id: id(3),
        target_id: id(4),
        application: "shop".to_owned(),
        release_id: id(1000 + u128::from(version)),
        release_version: format!("1.0.{version}"),
        release_digest: Digest::of(&[version]),
        components,
    }
}

pub fn target() -> TargetInfo {
    TargetInfo {
        id: id(4),
        name: "t1".to_owned(),
        connection: Connection::ProcessHost(ProcessConnection::default()),
        adopt: std::collections::BTreeMap::default(),
    }
}

pub fn order(task: TaskId, epoch: u64, spec: Option<DeploymentSpec>) -> TaskOrder {
    TaskOrder {
        task_id: task,
        job_id: id(5),
        agent_id: id(6),
        epoch,
        issued_at: Timestamp::from_seconds(1_795_000_000),
        kind: OrderKind::Deploy,
        target: target(),
        application: "shop".to_owned(),
        spec,
        previous: None,
        hints: OrderHints { allow_process_host: true, ..OrderHints::default() },
        sticker: Some(format!("{{\"payload\":\"sticker of {task}\"}}")),
    }
}

pub fn offer(order: &TaskOrder) -> TaskOffer {
    TaskOffer {
        task_id: order.task_id,
        epoch: order.epoch,
        lease_seconds: 60,
        order: serde_json::to_string(order).unwrap(),
        signature: OrderSignature { key_id: "k".to_owned(), value: String::new() },
    }
}

pub fn fresh_task() -> TaskId {
    Context::system().id()
}
