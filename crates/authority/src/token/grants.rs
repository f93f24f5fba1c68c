//! The `permissions` claim.
//!
//! Its form is an array of strings, each one of
//! - `release:create`: held in the whole tenant,
//! - `promotion:approve@<environmentId>`: held in that environment,
//! - `promotion:approve@bound`: held in some environments that did not fit in the token; which ones must
//!   be looked up before the caller's permissions are known.
//!
//! Limited grants are written out while the claim stays within [`MAX_GRANTS_BYTES`]; beyond it all of them
//! take the last form, so that a principal bound in hundreds of environments still has a token that fits
//! in an HTTP header.

use std::collections::BTreeSet;

use plimsoll_core::permission::{Grant, Grants, Permission};
use serde::{Deserialize, Serialize};

/// The largest `permissions` claim with limited grants written out, in bytes of its JSON.
pub const MAX_GRANTS_BYTES: usize = 6 * 1024;

/// Stands for the environments that did not fit.
const BOUND: &str = "@bound";

/// The `permissions` claim as it stands in the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantsClaim(Vec<String>);

/// What a `permissions` claim says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimedGrants {
    /// The grants that are written out.
    pub grants: Grants,
    /// Permissions held in environments that must be looked up.
    pub bound: BTreeSet<Permission>,
}

impl GrantsClaim {
    /// The claim for `grants`. A limited grant of what is held everywhere says nothing and is left out.
    #[must_use]
    pub fn new(grants: &Grants) -> Self {
        let said: Vec<&Grant> =
            grants.iter().filter(|grant| grant.environment.is_none() || !grants.everywhere(grant.permission)).collect();
        let spelled: Vec<String> = said.iter().map(ToString::to_string).collect();
        // Each entry has two quotation marks and a comma or bracket around it.
        let bytes = 1 + spelled.iter().map(|text| text.len() + 3).sum::<usize>();
        if bytes <= MAX_GRANTS_BYTES {
            return Self(spelled);
        }
        let short: BTreeSet<String> = said
            .iter()
            .map(|grant| match grant.environment {
                None => grant.to_string(),
                Some(_) => format!("{}{BOUND}", grant.permission),
            })
            .collect();
        Self(short.into_iter().collect())
    }

    /// What it says. A permission that this server doesn't know is skipped: a newer replica may have
    /// issued the token in the middle of an upgrade, and nothing here asks for that permission.
    #[must_use]
    pub fn read(&self) -> ClaimedGrants {
        let mut grants = Vec::new();
        let mut bound = BTreeSet::new();
        for text in &self.0 {
            match text.strip_suffix(BOUND) {
                Some(permission) => bound.extend(permission.parse::<Permission>()),
                None => grants.extend(text.parse::<Grant>()),
            }
        }
        ClaimedGrants { grants: Grants::new(grants), bound }
    }
}

impl ClaimedGrants {
    /// Completes the claim with what was looked up. Only limited grants of the permissions that the token
    /// names are taken: a look-up can't widen a token.
    #[must_use]
    pub fn complete(self, limited: impl IntoIterator<Item = Grant>) -> Grants {
        let taken = limited
            .into_iter()
            .filter(|grant| grant.environment.is_some() && self.bound.contains(&grant.permission))
            .collect::<Vec<_>>();
        Grants::new(self.grants.iter().copied().chain(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::id::{EnvironmentId, TypedId};
    use uuid::Uuid;

    fn limited(permission: Permission, count: u128) -> Vec<Grant> {
        (0..count)
            .map(|n| Grant { permission, environment: Some(EnvironmentId::from_uuid(Uuid::from_u128(n))) })
            .collect()
    }

    fn everywhere(permission: Permission) -> Grant {
        Grant { permission, environment: None }
    }

    #[test]
    fn what_fits_is_written_out() {
        let grants = Grants::new(
            limited(Permission::PromotionApprove, 50).into_iter().chain([everywhere(Permission::ReleaseRead)]),
        );
        let read = GrantsClaim::new(&grants).read();
        assert_eq!(read, ClaimedGrants { grants, bound: BTreeSet::new() });
    }

    #[test]
    fn what_does_not_fit_is_looked_up_and_can_not_widen() {
        let all: Vec<Grant> = limited(Permission::PromotionApprove, 200);
        let grants = Grants::new(all.iter().copied().chain([everywhere(Permission::ReleaseRead)]));
        let claim = GrantsClaim::new(&grants);
        let text = serde_json::to_string(&claim).unwrap();
        assert!(text.contains("\"promotion:approve@bound\"") && text.contains("\"release:read\""), "{text}");
        assert!(text.len() < 100);

        let read = claim.read();
        assert!(!read.grants.somewhere(Permission::PromotionApprove));
        let too_much = [everywhere(Permission::PromotionApprove), everywhere(Permission::TenantCreate)]
            .into_iter()
            .chain(limited(Permission::ReleaseCreate, 1));
        assert_eq!(read.complete(all.into_iter().chain(too_much)), grants);
    }

    #[test]
    fn the_limit_is_exact() {
        for count in 95..110 {
            let claim = GrantsClaim::new(&Grants::new(limited(Permission::PromotionApprove, count)));
            let text = serde_json::to_string(&claim).unwrap();
            assert!(text.len() <= MAX_GRANTS_BYTES, "{count}: {}", text.len());
            if claim.0.len() == 1 {
                let spelled = limited(Permission::PromotionApprove, count).iter().map(Grant::to_string).collect();
                assert!(serde_json::to_string(&GrantsClaim(spelled)).unwrap().len() > MAX_GRANTS_BYTES, "{count}");
            }
        }
    }

    #[test]
    fn a_newer_permission_is_skipped_and_a_redundant_one_left_out() {
        let claim = GrantsClaim(vec!["moon:land".into(), "release:read".into(), "release:read@moon".into()]);
        assert_eq!(claim.read().grants, Grants::new([everywhere(Permission::ReleaseRead)]));
        let both = Grants::new(
            limited(Permission::PromotionApprove, 3).into_iter().chain([everywhere(Permission::PromotionApprove)]),
        );
        assert_eq!(GrantsClaim::new(&both).0, ["promotion:approve"]);
    }
}
