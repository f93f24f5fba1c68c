//! Components and their versions.

mod check;
pub(crate) mod sync;

use plimsoll_core::{
    Result,
    component::{Component, ComponentVersion},
    id::ComponentId,
    in_use::{Reference, in_use},
};
use plimsoll_protocol::component::{CreateComponent, UpdateComponent};
use plimsoll_store::{
    Lock, Tx, component as rows,
    component_version::StoredVersion,
    release,
    resource::{self, ListQuery, Listing, Resource, Stored},
    work,
};
use serde_json::json;

use check::{check, lock_graph};

use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

impl App {
    /// Makes a component.
    pub async fn component_create(&self, caller: &Caller, body: CreateComponent) -> Result<Reply> {
        self.mutate_in_tenant(caller, move |tx, notes| {
            let component = fresh(&body, notes);
            check(tx, &component)?;
            resource::insert(tx, &component)?;
            rows::set_dependencies(tx, &component)?;
            work::enqueue(tx, sync::WORK, &component.id.to_string(), notes.now())?;
            notes.event("component", component.id, None, "component.created", resource::as_json(&component)?);
            Change::created("components", "component", component.id, component)
        })
        .await
    }

    /// A page of components.
    pub async fn component_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Stored>> {
        self.store.list_stored::<Component>(caller.scope(), "component_list", query).await
    }

    /// One component.
    pub async fn component_get(&self, caller: &Caller, id: ComponentId) -> Result<Component> {
        self.store.read(caller.scope(), "component_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces a component's writable fields.
    pub async fn component_update(
        &self,
        caller: &Caller,
        id: ComponentId,
        replace: Replace<UpdateComponent>,
    ) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            resource::get::<Component>(tx, id)?;
            // Parents before children: the check locks integrations and the graph.
            check(tx, &Component { id, ..fresh(&replace.body, notes) })?;
            tx.lock(&Lock::Component(id))?;
            let current: Component = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let mut next = Component {
                id,
                revision: current.revision,
                created_at: current.created_at,
                ..fresh(&replace.body, notes)
            };
            resource::update(tx, &mut next)?;
            rows::set_dependencies(tx, &next)?;
            if sync::reads_other_tags(&current, &next) {
                work::enqueue(tx, sync::WORK, &id.to_string(), notes.now())?;
            }
            notes.event("component", id, None, "component.updated", resource::as_json(&next)?);
            Change::done("component", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes a component that nothing refers to.
    pub async fn component_delete(&self, caller: &Caller, id: ComponentId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            lock_graph(tx)?;
            tx.lock(&Lock::Component(id))?;
            let current: Component = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            let references = references(tx, id)?;
            if !references.is_empty() {
                return Err(in_use("component", &references));
            }
            resource::soft_delete(tx, &current, notes.now())?;
            rows::remove_dependencies(tx, id)?;
            notes.event("component", id, None, "component.deleted", json!({}));
            Ok(Change::gone("component", id))
        })
        .await
    }

    /// A page of a component's versions.
    pub async fn component_versions(
        &self,
        caller: &Caller,
        id: ComponentId,
        query: ListQuery,
    ) -> Result<Listing<ComponentVersion>> {
        let query = query.within(&StoredVersion::TABLE, &json!({ "componentId": id }))?;
        self.component_get(caller, id).await?;
        let page = self.store.list::<StoredVersion>(caller.scope(), "component_versions", query).await?;
        Ok(page.map(|stored| stored.version))
    }
}

/// What holds a component.
fn references(tx: &mut Tx<'_>, id: ComponentId) -> Result<Vec<Reference>> {
    let mut all = release::of_component(tx, id)?;
    all.extend(rows::dependents(tx, id)?);
    Ok(all)
}

fn fresh(body: &CreateComponent, notes: &Notes) -> Component {
    let body = body.clone();
    Component {
        id: notes.id(),
        name: body.name,
        display_name: body.display_name,
        registry_integration_id: body.registry_integration_id,
        repository: body.repository,
        versioning: body.versioning,
        source_integration_id: body.source_integration_id,
        source_repository: body.source_repository,
        runtime: body.runtime,
        placement: body.placement,
        instances: body.instances,
        depends_on: body.depends_on,
        channels: body.channels,
        labels: body.labels,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}
