//! Components.

use plimsoll_core::{Error, Result, ValidationError, component::Component, id::ComponentId};
use plimsoll_protocol::component::{CreateComponent, UpdateComponent};
use plimsoll_store::{
    Tx,
    resource::{self, ListQuery, Listing},
};

use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

impl App {
    /// Makes a component.
    pub async fn component_create(&self, caller: &Caller, body: CreateComponent) -> Result<Reply> {
        self.mutate_in_tenant(caller, move |tx, notes| {
            let component = fresh(&body, notes);
            check(tx, &component)?;
            resource::insert(tx, &component)?;
            notes.event("component", component.id, None, "component.created", resource::as_json(&component)?);
            Change::created("components", "component", component.id, component)
        })
        .await
    }

    /// A page of components.
    pub async fn component_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Component>> {
        self.store.list(caller.scope(), "component_list", query).await
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
            tx.lock(&plimsoll_store::Lock::Component(id))?;
            let current: Component = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let mut next = Component {
                id,
                revision: current.revision,
                created_at: current.created_at,
                ..fresh(&replace.body, notes)
            };
            check(tx, &next)?;
            resource::update(tx, &mut next)?;
            notes.event("component", id, None, "component.updated", resource::as_json(&next)?);
            Change::done("component", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes a component that nothing refers to.
    pub async fn component_delete(&self, caller: &Caller, id: ComponentId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            tx.lock(&plimsoll_store::Lock::Component(id))?;
            let current: Component = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            resource::soft_delete(tx, &current, notes.now())?;
            notes.event("component", id, None, "component.deleted", serde_json::json!({}));
            Ok(Change::gone("component", id))
        })
        .await
    }
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

/// Everything that a component refers to must exist.
fn check(tx: &mut Tx<'_>, component: &Component) -> Result<()> {
    let mut wrong = Vec::new();
    for (index, id) in component.depends_on.iter().enumerate() {
        if *id == component.id || resource::find::<Component>(tx, *id)?.is_none() {
            let message = format!("there is no other component with id {id}");
            wrong.push(ValidationError::new(format!("dependsOn[{index}]"), "unknown_reference", message));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}
