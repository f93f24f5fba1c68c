//! What is declared as served by an index is.

use plimsoll_core::{
    audit::AuditEvent,
    component::Component,
    deployment::DeploymentJob,
    environment::{Environment, FreezeWindow},
    identity::{Client, RegistrationToken, Role, RoleBinding, User},
    integration::Integration,
    inventory::{Agent, Target},
    promotion::ApprovalPolicy,
    release::Release,
};
use plimsoll_store::{
    artifact::ArtifactRow,
    component_version::StoredVersion,
    deployment::TaskRow,
    evidence_packet::PacketRow,
    params,
    promotion::PromotionRow,
    resource::{Indexed, Resource, Table},
    rollback::RollbackRow,
    version_sticker::StickerRow,
};

use crate::{both::World, on_both};

on_both! {
    every_declared_pair_is_read_from_an_index => every_declared_pair_is_read_from_an_index;
    a_resource_s_events_are_read_from_an_index => a_resource_s_events_are_read_from_an_index;
}

const TABLES: &[Table] = &[
    AuditEvent::TABLE,
    Component::TABLE,
    Environment::TABLE,
    FreezeWindow::TABLE,
    Client::TABLE,
    RegistrationToken::TABLE,
    Role::TABLE,
    RoleBinding::TABLE,
    User::TABLE,
    Integration::TABLE,
    Agent::TABLE,
    Target::TABLE,
    ApprovalPolicy::TABLE,
    Release::TABLE,
    DeploymentJob::TABLE,
    TaskRow::TABLE,
    ArtifactRow::TABLE,
    StoredVersion::TABLE,
    PacketRow::TABLE,
    PromotionRow::TABLE,
    RollbackRow::TABLE,
    StickerRow::TABLE,
];

fn column(table: &Table, api: &str, sorted: bool) -> &'static str {
    match api {
        "createdAt" => "created_at",
        "id" => "id",
        _ => {
            let found = table.fields.iter().find(|field| field.api == api && (!sorted || field.sortable));
            found.unwrap_or_else(|| panic!("{} declares no {api}", table.name)).column
        }
    }
}

fn statement(table: &Table, one: &Indexed) -> String {
    let conditions: String = one.filter.iter().map(|api| format!(" AND {} = 'x'", column(table, api, false))).collect();
    let order = match one.sort {
        "" => String::new(),
        sort => format!(" ORDER BY {} DESC, id DESC", column(table, sort, true)),
    };
    format!(
        "SELECT body, revision FROM {} WHERE tenant_id = 't' AND deleted_at IS NULL{conditions}{order} LIMIT 21",
        table.name
    )
}

async fn every_declared_pair_is_read_from_an_index(world: World) {
    for table in TABLES {
        assert!(!table.indexed.is_empty(), "{}", table.name);
        for one in table.indexed {
            let sort = (!one.sort.is_empty()).then(|| column(table, one.sort, true));
            let columns: Vec<&str> = one.filter.iter().map(|api| column(table, api, false)).chain(sort).collect();
            if let Some(database) = world.database() {
                // Which of its indexes an empty table is read by is chance there; that there is one is not.
                let indexes =
                    database.sql(&format!("SELECT indexdef FROM pg_indexes WHERE tablename = '{}'", table.name));
                let wanted = format!("(tenant_id, {}", columns.join(", "));
                let indexes = indexes.unwrap();
                assert!(indexes.lines().any(|index| index.contains(&wanted)), "{} {one:?}: {indexes}", table.name);
            } else {
                let plan = plan(&world, statement(table, one)).await;
                assert!(!plan.contains("SCAN ") && !plan.contains("TEMP B-TREE"), "{} {one:?}: {plan}", table.name);
                for column in one.filter.iter().map(|api| column(table, api, false)) {
                    assert!(plan.contains(&format!("{column}=?")), "{} {one:?}: {plan}", table.name);
                }
            }
        }
    }
}

/// How the database would do it, if there were many rows.
async fn plan(world: &World, statement: String) -> String {
    if let Some(database) = world.database() {
        return database
            .sql(&format!("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; EXPLAIN (COSTS OFF) {statement}"))
            .unwrap();
    }
    let explained = move |tx: &mut plimsoll_store::Tx<'_>| {
        let rows = tx.query(&format!("EXPLAIN QUERY PLAN {statement}"), params![])?;
        let mut lines = Vec::new();
        for row in rows {
            let mut row = row.reader();
            let (_, _, _) = (row.next::<i64>()?, row.next::<i64>()?, row.next::<i64>()?);
            lines.push(row.next::<String>()?);
        }
        Ok(lines.join("\n"))
    };
    world.store.read(world.scope(), "plan", explained).await.unwrap()
}

async fn a_resource_s_events_are_read_from_an_index(world: World) {
    let statement = plimsoll_store::event::OF_RESOURCE
        .replace("$1", "'t'")
        .replace("$2", "7")
        .replace("$3", "'deployment_job'")
        .replace("$4", "'j'")
        .replace("$5", "200");
    let plan = plan(&world, statement).await;
    assert!(plan.contains("event_position_by_resource") && plan.contains("event_position_by_parent"), "{plan}");
    assert!(!plan.contains("SCAN event_position") && !plan.contains("Seq Scan"), "{plan}");
}
