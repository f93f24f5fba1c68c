//! Versions of components as rows, in the order of versions.

use plimsoll_core::{
    Digest, Result, Timestamp,
    component::ComponentVersion,
    id::{ComponentId, VersionId},
};
use serde::{Deserialize, Serialize};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

/// A version, and what storage keeps beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredVersion {
    /// As the API shows it.
    #[serde(flatten)]
    pub version: ComponentVersion,
    /// Sorts as the versions do; empty for a tag that the component's scheme no longer reads.
    pub sort_key: String,
    /// Rises with every change.
    pub revision: i64,
}

impl StoredVersion {
    /// A version found now.
    #[must_use]
    pub const fn new(version: ComponentVersion, sort_key: String) -> Self {
        Self { version, sort_key, revision: 1 }
    }
}

impl Resource for StoredVersion {
    type Id = VersionId;
    const TABLE: Table = Table {
        name: "component_version",
        noun: "component version",
        fields: &[
            Field { api: "componentId", column: "component_id", kind: FieldKind::Id, sortable: false },
            Field { api: "tag", column: "tag", kind: FieldKind::Text, sortable: true },
            // Filtered by its text, sorted by its order.
            Field { api: "version", column: "version", kind: FieldKind::Text, sortable: false },
            Field { api: "version", column: "sort_key", kind: FieldKind::Text, sortable: true },
            Field { api: "digest", column: "digest", kind: FieldKind::Text, sortable: false },
            Field { api: "discoveredAt", column: "discovered_at", kind: FieldKind::Time, sortable: true },
            Field { api: "supersededAt", column: "superseded_at", kind: FieldKind::Time, sortable: false },
        ],
        indexed: &[
            Indexed::new(&["componentId"], "version"),
            Indexed::new(&["componentId"], "discoveredAt"),
            Indexed::new(&["componentId", "digest"], ""),
        ],
    };
    fn id(&self) -> VersionId {
        self.version.id
    }
    fn created_at(&self) -> Timestamp {
        self.version.discovered_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.version.component_id.into_value(),
            self.version.tag.as_str().into_value(),
            self.version.version.as_str().into_value(),
            self.sort_key.as_str().into_value(),
            self.version.digest.into_value(),
            self.version.discovered_at.into_value(),
            self.version.superseded_at.into_value(),
        ]
    }
}

/// A tag that is known, with what a sync needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownTag {
    /// The tag.
    pub tag: String,
    /// Its version's row.
    pub id: VersionId,
    /// What it named when it was last looked at.
    pub digest: Digest,
    /// The version as it was read from the tag.
    pub version: String,
    /// As stored.
    pub sort_key: String,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
}

/// Tags of a component that are in force, after `after` in the order of their text, at most `most`.
pub fn known_tags(tx: &mut Tx<'_>, component: ComponentId, after: &str, most: u32) -> Result<Vec<KnownTag>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT tag, id, digest, version, sort_key, checked_at FROM component_version
         WHERE tenant_id = $1 AND component_id = $2 AND tag > $3 AND superseded_at IS NULL ORDER BY tag LIMIT $4",
        params![tenant, component, after, most],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(KnownTag {
                tag: row.next()?,
                id: row.next()?,
                digest: row.next()?,
                version: row.next()?,
                sort_key: row.next()?,
                checked_at: row.next()?,
            })
        })
        .collect()
}

/// The version in force behind a tag.
pub fn by_tag(tx: &mut Tx<'_>, component: ComponentId, tag: &str) -> Result<Option<StoredVersion>> {
    let condition = "component_id = $2 AND tag = $3 AND superseded_at IS NULL";
    Ok(resource::find_where(tx, condition, &[component.into_value(), tag.into_value()])?.pop())
}

/// The versions in force that are read as this text, the one found last first.
pub fn by_version(tx: &mut Tx<'_>, component: ComponentId, version: &str) -> Result<Vec<StoredVersion>> {
    let condition =
        "component_id = $2 AND version = $3 AND superseded_at IS NULL ORDER BY discovered_at DESC, id DESC LIMIT 10";
    resource::find_where(tx, condition, &[component.into_value(), version.into_value()])
}

/// The versions with this digest: those in force first, then the one found last.
pub fn by_digest(tx: &mut Tx<'_>, component: ComponentId, digest: Digest) -> Result<Vec<StoredVersion>> {
    let condition = "component_id = $2 AND digest = $3
       ORDER BY CASE WHEN superseded_at IS NULL THEN 0 ELSE 1 END, discovered_at DESC, id DESC LIMIT 10";
    resource::find_where(tx, condition, &[component.into_value(), digest.into_value()])
}

/// The versions in force from the highest down, at most `most`, after `(sort_key, id)`.
pub fn highest(
    tx: &mut Tx<'_>,
    component: ComponentId,
    below: Option<(&str, VersionId)>,
    most: u32,
) -> Result<Vec<StoredVersion>> {
    let order = format!("superseded_at IS NULL ORDER BY sort_key DESC, id DESC LIMIT {most}");
    match below {
        None => resource::find_where(tx, &format!("component_id = $2 AND {order}"), &[component.into_value()]),
        Some((key, id)) => resource::find_where(
            tx,
            &format!("component_id = $2 AND (sort_key < $3 OR (sort_key = $3 AND id < $4)) AND {order}"),
            &[component.into_value(), key.into_value(), id.into_value()],
        ),
    }
}

/// Notes that the registry was asked about this version's tag.
pub fn checked(tx: &mut Tx<'_>, id: VersionId, at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("UPDATE component_version SET checked_at = $3 WHERE tenant_id = $1 AND id = $2", params![tenant, id, at])
        .map(drop)
}

/// Marks a version whose tag names another digest now; `false` when it was marked already.
pub fn supersede(tx: &mut Tx<'_>, id: VersionId, at: Timestamp) -> Result<bool> {
    let mut stored: StoredVersion = resource::get(tx, id)?;
    if stored.version.superseded_at.is_some() {
        return Ok(false);
    }
    stored.version.superseded_at = Some(at);
    resource::update(tx, &mut stored)?;
    Ok(true)
}
