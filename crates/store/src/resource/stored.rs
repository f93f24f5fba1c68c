//! Resources that are shown as they are stored, without being read on the way.

use plimsoll_core::{Error, Result};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::Resource;
use crate::{Row, Tx, params};

/// A resource as its row holds it: the JSON that the API shows. Reading it into its type and writing it again
/// would give the same text.
#[derive(Clone, Debug)]
pub struct Stored {
    body: Box<RawValue>,
    revision: i64,
}

impl Stored {
    /// From the columns `body` and `revision`.
    pub(super) fn read(row: Row) -> Result<Self> {
        let mut row = row.reader();
        let (body, revision) = (row.next::<String>()?, row.next()?);
        let body = RawValue::from_string(body)
            .map_err(|cause| Error::internal_defect(format!("a stored resource is not JSON: {cause}")))?;
        Ok(Self { body, revision })
    }

    /// For the `ETag`.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.revision
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.body.serialize(serializer)
    }
}

/// The living resource with this id as it is stored, or 404.
pub fn get_stored<R: Resource>(tx: &mut Tx<'_>, id: R::Id) -> Result<Stored> {
    let tenant = tx.tenant()?;
    let sql =
        format!("SELECT body, revision FROM {} WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL", R::TABLE.name);
    let row = tx.query_opt(&sql, params![tenant, id])?.ok_or_else(|| Error::not_found(id))?;
    Stored::read(row)
}
