//! Request bodies of deployment jobs and rollbacks.

use garde::Validate;
use plimsoll_core::{
    id::{EnvironmentId, ReleaseId, TargetId},
    name, rules,
};
use serde::{Deserialize, Serialize};

/// The body of `POST /rollbacks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRollback {
    /// Where.
    #[garde(skip)]
    pub environment_id: EnvironmentId,
    /// Which application; needed when several run there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(custom(check_application))]
    pub application: Option<String>,
    /// To which release; the one before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub to_release_id: Option<ReleaseId>,
    /// On these targets alone; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 5_000), custom(check_distinct))]
    pub target_ids: Option<Vec<TargetId>>,
    /// Why.
    #[garde(length(min = 1, max = rules::DESCRIPTION))]
    pub reason: String,
}

/// The body of `POST /deployment-jobs/{id}/cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CancelJob {
    /// Whether targets that have the new release already are put back.
    #[garde(skip)]
    pub rollback: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

fn check_application(name: &Option<String>, (): &()) -> garde::Result {
    let good = name.as_ref().is_none_or(|name| name::check_slug("application", name).is_ok());
    rules::ensure(good, "must be the name of an application")
}

fn check_distinct(ids: &Option<Vec<TargetId>>, (): &()) -> garde::Result {
    let Some(ids) = ids else { return Ok(()) };
    let unique: std::collections::BTreeSet<_> = ids.iter().collect();
    rules::ensure(unique.len() == ids.len(), "must name each target once")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn a_rollback_says_where_and_why() {
        let read = |json: serde_json::Value| serde_json::from_value::<CreateRollback>(json);
        let good = read(serde_json::json!({"environmentId": ID, "reason": "errors"})).unwrap();
        assert!(good.validate().is_ok());
        assert!(read(serde_json::json!({"environmentId": ID})).is_err());
        for wrong in [
            serde_json::json!({"environmentId": ID, "reason": ""}),
            serde_json::json!({"environmentId": ID, "reason": "x", "application": "Shop!"}),
            serde_json::json!({"environmentId": ID, "reason": "x", "targetIds": []}),
            serde_json::json!({"environmentId": ID, "reason": "x", "targetIds": [ID, ID]}),
        ] {
            assert!(read(wrong.clone()).unwrap().validate().is_err(), "{wrong}");
        }
    }
}
