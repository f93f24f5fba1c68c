//! Where a sealed value belongs.

use plimsoll_core::id::{TenantId, TypedId};

/// Whose data key seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// What belongs to the installation, such as the keys that sign tokens.
    Installation,
    /// What belongs to one tenant.
    Tenant(TenantId),
}

impl KeyScope {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Installation => out.push(0),
            Self::Tenant(id) => {
                out.push(1);
                out.extend_from_slice(id.uuid().as_bytes());
            }
        }
    }
}

/// The place of a sealed value, authenticated with it. The scope is added by the sealer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aad {
    kind: &'static str,
    row: String,
    version: u64,
}

impl Aad {
    /// `kind` names table and column (`integration.secret`), `row` the row's id (and the secret's name, if
    /// a row has several), `version` rises with each new value, so that an old one can't be brought back.
    #[must_use]
    pub fn new(kind: &'static str, row: impl ToString, version: u64) -> Self {
        Self { kind, row: row.to_string(), version }
    }

    /// Bytes in which no two places look alike: texts carry their length.
    pub(super) fn bytes(&self, scope: KeyScope, key_version: u32) -> Vec<u8> {
        let mut out = b"plimsoll sealed value 1".to_vec();
        scope.write(&mut out);
        out.extend_from_slice(&key_version.to_be_bytes());
        for text in [self.kind, self.row.as_str()] {
            out.extend_from_slice(&(text.len() as u64).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(&self.version.to_be_bytes());
        out
    }
}

impl std::fmt::Display for Aad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} version {}", self.kind, self.row, self.version)
    }
}

/// The place of a wrapped data key.
pub(super) fn data_key_place(scope: KeyScope, version: u32) -> Vec<u8> {
    let mut out = b"plimsoll data key 1".to_vec();
    scope.write(&mut out);
    out.extend_from_slice(&version.to_be_bytes());
    out
}
