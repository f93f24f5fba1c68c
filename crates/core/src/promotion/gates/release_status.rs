//! `release_status`: the release is sealed and not blocked, and can be put together for its targets.

use super::Finding;
use crate::{
    promotion::{DecisionInputs, GateVerdict},
    release::ReleaseStatus,
};

pub(super) fn v1(inputs: &DecisionInputs) -> Finding {
    if let Some(why) = &inputs.unprepared {
        let reason = format!("what would be deployed can't be put together: {}", why.message);
        return Finding::new(GateVerdict::Error, reason, serde_json::json!({ "code": why.code }));
    }
    let release = &inputs.release;
    let data = serde_json::json!({ "status": release.status, "blocked": release.blocked, "digest": release.digest });
    let why = release.deprecation_reason.as_deref().unwrap_or("no reason given");
    match (release.status, release.blocked) {
        (ReleaseStatus::Draft, _) => {
            Finding::new(GateVerdict::Deny, "the release is still a draft; make it ready first", data)
        }
        (ReleaseStatus::Ready, _) if release.digest.is_some() => {
            Finding::new(GateVerdict::Pass, "the release is ready", data)
        }
        (ReleaseStatus::Ready, _) => Finding::new(GateVerdict::Error, "the release is ready and has no digest", data),
        (ReleaseStatus::Deprecated, false) => {
            Finding::new(GateVerdict::Pass, format!("notice: the release is deprecated ({why})"), data)
        }
        (ReleaseStatus::Deprecated, true) => {
            Finding::new(GateVerdict::Deny, format!("the release is deprecated and blocked ({why})"), data)
        }
    }
}
