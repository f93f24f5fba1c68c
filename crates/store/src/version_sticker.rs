//! Version stickers as rows, and what lay on the targets when they were last looked at.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, Result, Timestamp,
    evidence_packet::{StickerVerification, VersionSticker},
    id::{JobId, StickerId, TargetId},
};
use serde::{Deserialize, Serialize};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

/// A sticker with what guards its row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StickerRow {
    /// As the API shows it.
    #[serde(flatten)]
    pub sticker: VersionSticker,
    /// Rises with every change.
    pub revision: i64,
}

impl Resource for StickerRow {
    type Id = StickerId;
    const TABLE: Table = Table {
        name: "version_sticker",
        noun: "version sticker",
        fields: &[
            Field { api: "targetId", column: "target_id", kind: FieldKind::Id, sortable: false },
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "application", column: "application", kind: FieldKind::Text, sortable: true },
            Field { api: "releaseId", column: "release_id", kind: FieldKind::Id, sortable: false },
            Field { api: "deploymentJobId", column: "job_id", kind: FieldKind::Id, sortable: false },
            Field { api: "epoch", column: "epoch", kind: FieldKind::Int, sortable: false },
            Field {
                api: "verification",
                column: "verification",
                kind: FieldKind::Enum(&[
                    StickerVerification::Unverified.as_str(),
                    StickerVerification::Verified.as_str(),
                    StickerVerification::BadSignature.as_str(),
                    StickerVerification::Differs.as_str(),
                    StickerVerification::Missing.as_str(),
                ]),
                sortable: true,
            },
            Field { api: "supersededAt", column: "superseded_at", kind: FieldKind::Time, sortable: false },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["environmentId"], "createdAt"),
            Indexed::new(&["targetId"], "createdAt"),
            Indexed::new(&["releaseId"], "createdAt"),
            Indexed::new(&["deploymentJobId"], ""),
        ],
    };
    fn id(&self) -> StickerId {
        self.sticker.id
    }
    fn created_at(&self) -> Timestamp {
        self.sticker.written_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        let one = &self.sticker;
        vec![
            one.target_id.into_value(),
            one.environment_id.into_value(),
            one.application.as_str().into_value(),
            one.release_id.into_value(),
            one.deployment_job_id.into_value(),
            (one.epoch as i64).into_value(),
            one.verification.as_str().into_value(),
            one.superseded_at.into_value(),
        ]
    }
}

/// The stickers that should lie on a target, by application.
pub fn in_force(tx: &mut Tx<'_>, target: TargetId) -> Result<Vec<StickerRow>> {
    resource::find_where(tx, "target_id = $2 AND superseded_at IS NULL ORDER BY application", params![target])
}

/// The last stickers of an application on a target, newest first.
pub fn latest(tx: &mut Tx<'_>, target: TargetId, application: &str) -> Result<Vec<StickerRow>> {
    resource::find_where(
        tx,
        "target_id = $2 AND application = $3 ORDER BY created_at DESC, id DESC LIMIT 20",
        params![target, application],
    )
}

/// Keeps a sticker that was placed. The one before it is in force no more.
pub fn place(tx: &mut Tx<'_>, sticker: VersionSticker, at: Timestamp) -> Result<()> {
    supersede(tx, sticker.target_id, &sticker.application, at)?;
    resource::insert(tx, &StickerRow { sticker, revision: 1 })
}

/// The application's sticker on the target is in force no more.
pub fn supersede(tx: &mut Tx<'_>, target: TargetId, application: &str, at: Timestamp) -> Result<()> {
    for mut row in in_force(tx, target)? {
        if row.sticker.application == application {
            row.sticker.superseded_at = Some(at);
            resource::update(tx, &mut row)?;
        }
    }
    Ok(())
}

/// An earlier sticker lies on its target again.
pub fn revive(tx: &mut Tx<'_>, mut row: StickerRow, at: Timestamp) -> Result<()> {
    supersede(tx, row.sticker.target_id, &row.sticker.application, at)?;
    row.sticker.superseded_at = None;
    resource::update(tx, &mut row)
}

/// The stickers that a job's tasks placed, by target and epoch.
pub fn of_job(tx: &mut Tx<'_>, job: JobId) -> Result<BTreeMap<(TargetId, u64), VersionSticker>> {
    let found: Vec<StickerRow> = resource::find_where(tx, "job_id = $2", params![job])?;
    Ok(found.into_iter().map(|row| ((row.sticker.target_id, row.sticker.epoch), row.sticker)).collect())
}

/// What lay on a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When, by our clock.
    pub at: Timestamp,
    /// The files' texts by application.
    pub held: BTreeMap<String, String>,
}

/// Keeps the last reading of a target; an older one changes nothing.
pub fn put_reading(tx: &mut Tx<'_>, target: TargetId, reading: &Reading) -> Result<()> {
    let tenant = tx.tenant()?;
    let body = serde_json::to_string(&reading.held)
        .map_err(|cause| Error::internal_defect(format!("a reading is not JSON: {cause}")))?;
    tx.execute(
        "INSERT INTO sticker_reading (tenant_id, target_id, at, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, target_id) DO UPDATE SET at = excluded.at, body = excluded.body
         WHERE sticker_reading.at <= excluded.at",
        params![tenant, target, reading.at, body],
    )
    .map(drop)
}

/// The last reading of a target.
pub fn reading(tx: &mut Tx<'_>, target: TargetId) -> Result<Option<Reading>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT at, body FROM sticker_reading WHERE tenant_id = $1 AND target_id = $2",
        params![tenant, target],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok(Reading { at: row.next()?, held: row.next_json()? })
    })
    .transpose()
}
