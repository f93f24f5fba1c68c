//! The `scope` parameter: the permissions that the caller wants, of those that it has.

use std::collections::BTreeSet;

use plimsoll_core::permission::{Grants, Permission};

use super::{OAuthError, OAuthErrorCode};

/// The grants of `held` that `scope` asks for (permissions such as `release:read`, separated by spaces),
/// and the scope as the token and the answer say it. Without a scope all are meant.
///
/// A permission that is unknown or not held is refused, not left out: a client that gets less than it
/// asked for fails later, and further from the cause.
pub fn narrow(held: &Grants, scope: Option<&str>) -> Result<(Grants, Option<String>), OAuthError> {
    let Some(scope) = scope.filter(|scope| !scope.trim().is_empty()) else { return Ok((held.clone(), None)) };
    let mut wanted = BTreeSet::new();
    for name in scope.split(' ').filter(|name| !name.is_empty()) {
        let permission = name.parse::<Permission>().ok().filter(|permission| held.somewhere(*permission));
        wanted.insert(permission.ok_or_else(|| {
            OAuthError::new(
                OAuthErrorCode::InvalidScope,
                format!("the scope {name:.64} is unknown, or more than this principal may do; leave it out"),
            )
        })?);
    }
    let grants = Grants::new(held.iter().copied().filter(|grant| wanted.contains(&grant.permission)));
    let said = wanted.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(" ");
    Ok((grants, Some(said)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::{
        id::{EnvironmentId, TypedId},
        permission::Grant,
    };
    use uuid::Uuid;

    #[test]
    fn a_scope_narrows_and_never_widens() {
        let here = Some(EnvironmentId::from_uuid(Uuid::from_u128(1)));
        let approve = Grant { permission: Permission::PromotionApprove, environment: here };
        let read = Grant { permission: Permission::ReleaseRead, environment: None };
        let held = Grants::new([approve, read]);
        assert_eq!(narrow(&held, None).unwrap(), (held.clone(), None));
        assert_eq!(narrow(&held, Some(" ")).unwrap(), (held.clone(), None));
        let (grants, said) = narrow(&held, Some("promotion:approve  promotion:approve")).unwrap();
        assert_eq!((grants, said.as_deref()), (Grants::new([approve]), Some("promotion:approve")));
        for bad in ["tenant:create", "openid", "release:read tenant:create", "promotion:approve@x", "release:read\n"] {
            assert_eq!(narrow(&held, Some(bad)).unwrap_err().code, OAuthErrorCode::InvalidScope, "{bad}");
        }
    }
}
