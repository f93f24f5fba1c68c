//! A database of an older schema is brought up to date with what is in it.

use plimsoll_core::{Digest, context::Context, evidence_packet::EvidencePacket, id::EvidencePacketId, id::TenantId};
use plimsoll_store::{
    Scope, Store, StoreConfig,
    evidence_packet::{self, PacketRow},
    resource::{ListQuery, Page, Resource as _},
};
use plimsoll_testkit::postgres::Postgres;
use serde_json::json;

/// Takes the schema back to version 2.
const BACK: &str = "DROP TABLE evidence_subject; DROP TABLE evidence_person;
    DROP INDEX evidence_packet_by_release_digest;
    ALTER TABLE evidence_packet DROP COLUMN release_digest; ALTER TABLE evidence_packet DROP COLUMN sign_after;
    ALTER TABLE evidence_packet DROP COLUMN unsignable; UPDATE schema_version SET version = 2;";

async fn packets_sealed_before_are_found(config: &StoreConfig, back: impl FnOnce()) {
    let context = Context::system();
    let tenant: TenantId = context.id();
    let (image, release) = (Digest::of(b"image"), Digest::of(b"release"));
    let sealed: EvidencePacket = serde_json::from_value(json!({
        "id": context.id::<EvidencePacketId>(), "type": "deployment", "status": "sealed", "createdAt": context.now(),
        "subject": [{"name": "api", "digest": image}, {"name": "web", "digest": image}], "releaseDigest": release,
        "statement": {},
    }))
    .unwrap();
    let store = Store::open(config).unwrap();
    let kept = sealed.clone();
    let seal = move |tx: &mut plimsoll_store::Tx<'_>| evidence_packet::seal(tx, &kept, b"{}", &[]);
    store.write(Scope::Tenant(tenant), "test", seal).await.unwrap();
    store.close().await;
    drop(store);
    back();
    let store = Store::open(config).unwrap();
    for filter in [json!({"digest": image}), json!({"digest": release}), json!({"releaseDigest": release})] {
        let page = Page { filter: Some(filter.to_string()), ..Page::default() };
        let query = ListQuery::new(&PacketRow::TABLE, &page, "createdAt").unwrap();
        let found = store.list::<PacketRow>(Scope::Tenant(tenant), "test", query).await.unwrap().items;
        assert_eq!(found.iter().map(|row| row.packet.id).collect::<Vec<_>>(), [sealed.id], "{filter}");
    }
}

#[tokio::test]
async fn packets_sealed_before_are_found_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let config = StoreConfig::Sqlite { path: path.clone(), readers: 2 };
    packets_sealed_before_are_found(&config, || {
        rusqlite::Connection::open(path).unwrap().execute_batch(BACK).unwrap();
    })
    .await;
}

#[tokio::test]
async fn packets_sealed_before_are_found_on_postgres() {
    let database = Postgres::shared().unwrap().fresh_database().unwrap();
    let config = StoreConfig::Postgres { url: database.url(), connections: 4 };
    packets_sealed_before_are_found(&config, || {
        database.sql(BACK).unwrap();
    })
    .await;
}
