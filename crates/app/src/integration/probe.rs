//! Really connecting: the test of an integration, and what it has.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_core::{
    Error, Result,
    component::Component,
    id::IntegrationId,
    integration::{Check, DiscoverResult, DiscoveredItem, Integration, IntegrationStatus, TestReport},
};
use plimsoll_oci::Repository;
use plimsoll_protocol::integration::DiscoverRequest;
use plimsoll_store::{
    IntoValue,
    resource::{self},
};
use serde::{Deserialize, Serialize};

use super::lock;
use crate::{
    App, Caller, Change, Reply,
    registry::{Registry, check_enabled},
};

/// The whole of a test; a person waits for it.
const TEST: Duration = Duration::from_secs(25);
/// Reading the catalog of a registry.
const DISCOVER: Duration = Duration::from_secs(25);
/// The kind of thing that a registry has.
const REPOSITORY: &str = "repository";
/// The check whether we may list; it is the last one.
const LISTING: &str = "listing";

impl App {
    /// Tests the connection. A test that fails is an answer too: the check failed, the call did not.
    pub async fn integration_test(&self, caller: &Caller, id: IntegrationId) -> Result<Reply> {
        let ask = async {
            let (integration, registry) = self.registry(caller.tenant(), id).await?;
            let repository = self.some_repository(caller, id).await?;
            let (report, status) = self.test_registry(&registry, repository.as_ref()).await;
            Ok((integration, report, status))
        };
        let now = caller.now;
        self.outside(caller, ask, move |(tested, report, status), tx, notes| {
            lock(tx, id)?;
            let current: Integration = resource::get(tx, id)?;
            let before = resource::as_json(&current)?;
            let mut next = current.clone();
            // What was tested may have been changed meanwhile; the report is still true of what it was.
            if current.updated_at == tested.updated_at {
                (next.status, next.last_tested_at) = (*status, Some(now));
                resource::update(tx, &mut next)?;
            }
            if next.status != current.status {
                let data = serde_json::json!({ "from": current.status, "to": next.status });
                notes.event("integration", id, None, "integration.status_changed", data);
            }
            let patch = plimsoll_core::audit::merge_patch(&before, &resource::as_json(&next)?);
            Ok(Change::done("integration", id, &before, report.clone())?.with_patch(Some(patch)))
        })
        .await
    }

    /// What the other side has, page by page.
    pub async fn integration_discover(
        &self,
        caller: &Caller,
        id: IntegrationId,
        body: DiscoverRequest,
    ) -> Result<Reply> {
        let ask = async {
            if body.kind != REPOSITORY {
                let message = format!("an oci_registry has nothing of this kind; known: {REPOSITORY}");
                return Err(Error::field("kind", "unknown_kind", message));
            }
            let (integration, registry) = self.registry(caller.tenant(), id).await?;
            check_enabled(&integration)?;
            self.repositories(&registry, &body).await
        };
        self.outside(caller, ask, move |found, _, _| {
            Ok(Change::done("integration", id, &serde_json::Value::Null, found.clone())?.with_patch(None))
        })
        .await
    }

    /// A repository whose tags a test may list: many registries have no list of repositories.
    async fn some_repository(&self, caller: &Caller, id: IntegrationId) -> Result<Option<Repository>> {
        let found: Vec<Component> = self
            .store
            .read(caller.scope(), "integration_test", move |tx| {
                let condition = "registry_integration_id = $2 ORDER BY created_at, id LIMIT 1";
                resource::find_where(tx, condition, &[id.into_value()])
            })
            .await?;
        Ok(found.first().and_then(|component| component.repository.parse().ok()))
    }

    async fn test_registry(
        &self,
        registry: &Registry,
        repository: Option<&Repository>,
    ) -> (TestReport, IntegrationStatus) {
        let begun = self.context.instant();
        let outcome = tokio::time::timeout(TEST, self.registries.test(registry, repository)).await;
        let (checks, status) = match outcome {
            Ok(Ok(checks)) => {
                let status = judge(&checks);
                (checks, status)
            }
            Ok(Err(error)) => (vec![failed("configuration", error.to_string())], IntegrationStatus::Unhealthy),
            Err(_) => {
                let message = format!("no answer within {} s", TEST.as_secs());
                (vec![failed("connection", message)], IntegrationStatus::Unhealthy)
            }
        };
        let ok = status == IntegrationStatus::Healthy;
        let latency_ms = u64::try_from(self.context.instant().duration_since(begun).as_millis()).unwrap_or(u64::MAX);
        (TestReport { ok, latency_ms, checks }, status)
    }

    async fn repositories(&self, registry: &Registry, body: &DiscoverRequest) -> Result<DiscoverResult> {
        let from = Cursor::read(body.cursor.as_deref())?;
        let asked = self.registries.repositories(registry, from.page.as_deref(), body.query.as_deref());
        let page = tokio::time::timeout(DISCOVER, asked).await.map_err(|_| {
            Error::new(
                plimsoll_core::ErrorCode::UpstreamFailed,
                "the registry did not list its repositories in time; narrow the query, or name the repository",
            )
        })??;
        let (total, limit) = (page.repositories.len(), usize::from(body.limit));
        let items: Vec<DiscoveredItem> =
            page.repositories.into_iter().skip(from.skip).take(limit).map(repository).collect();
        let end = from.skip + items.len();
        let next = if end < total {
            Some(Cursor { page: from.page, skip: end })
        } else {
            page.next.map(|next| Cursor { page: Some(next), skip: 0 })
        };
        Ok(DiscoverResult { items, next_cursor: next.map(|cursor| cursor.write()).transpose()? })
    }
}

/// A place in a list: a page of the registry's own, and how many of its items were given out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    page: Option<String>,
    skip: usize,
}

impl Cursor {
    fn read(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::default()) };
        let decoded = URL_SAFE_NO_PAD.decode(text).ok();
        decoded.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            Error::field("cursor", "format", "this is no cursor of an earlier answer; leave it out to begin anew")
        })
    }

    fn write(&self) -> Result<String> {
        let bytes = serde_json::to_vec(self)
            .map_err(|cause| Error::internal_defect(format!("a cursor is not JSON: {cause}")))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn repository(name: String) -> DiscoveredItem {
    DiscoveredItem { kind: REPOSITORY.to_owned(), name, description: None, url: None }
}

/// Not to be allowed to list is less than not to be known.
fn judge(checks: &[Check]) -> IntegrationStatus {
    match checks.iter().find(|check| !check.ok) {
        None => IntegrationStatus::Healthy,
        Some(check) if check.name == LISTING => IntegrationStatus::Degraded,
        Some(_) => IntegrationStatus::Unhealthy,
    }
}

fn failed(name: &str, message: String) -> Check {
    Check { name: name.to_owned(), ok: false, message, hint: None }
}
