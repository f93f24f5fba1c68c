//! Answers that are too large to be kept under an Idempotency-Key: a reference to the resource is kept, and the
//! resource is read again.

use plimsoll_core::{Error, Result, id::TypedId};
use plimsoll_store::idempotency::StoredAnswer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{App, Caller, Reply};

/// The largest answer that is kept whole.
const KEPT: usize = 64 * 1024;

/// The kinds of resource that can be read again, and what reads them.
macro_rules! readable {
    ($($kind:literal => $read:ident,)+) => {
        const READABLE: &[&str] = &[$($kind),+];

        impl App {
            async fn read_again(&self, caller: &Caller, kind: &str, id: Uuid) -> Result<Vec<u8>> {
                match kind {
                    $($kind => json(&self.$read(caller, TypedId::from_uuid(id)).await?),)+
                    other => Err(Error::internal_defect(format!("a kept answer refers to a {other:?}"))),
                }
            }
        }
    };
}

readable! {
    "agent" => agent_get,
    "approval_policy" => approval_policy_get,
    "component" => component_get,
    "deployment_job" => deployment_job_get,
    "environment" => environment_get,
    "integration" => integration_get,
    "promotion" => promotion_get,
    "release" => release_get,
    "role" => role_get,
    "role_binding" => role_binding_get,
    "target" => target_get,
}

/// What an answer says of the resource in it.
#[derive(Deserialize)]
struct Shown {
    id: Option<String>,
    revision: Option<i64>,
}

/// What is kept of an answer: a large one that shows a resource as its GET does is kept as a reference to it.
pub(crate) fn kept(answer: &StoredAnswer, kind: &str, id: &str) -> StoredAnswer {
    let large = answer.answer.len() > KEPT && READABLE.contains(&kind);
    let shows =
        |bytes: &[u8]| serde_json::from_slice::<Shown>(bytes).is_ok_and(|shown| shown.id.as_deref() == Some(id));
    if large && shows(&answer.answer) {
        return StoredAnswer { answer: Vec::new(), reference: Some(format!("{kind}/{id}")), ..answer.clone() };
    }
    answer.clone()
}

impl App {
    /// A reply as it is sent: where a reference was kept, with the resource as it is now and its revision.
    pub(crate) async fn shown(&self, caller: &Caller, mut reply: Reply) -> Result<Reply> {
        let Some(reference) = reply.answer.reference.take() else { return Ok(reply) };
        let found = reference.split_once('/').and_then(|(kind, id)| Some((kind, id.parse::<Uuid>().ok()?)));
        let (kind, id) =
            found.ok_or_else(|| Error::internal_defect(format!("a kept answer refers to {reference:?}")))?;
        let answer = self.read_again(caller, kind, id).await?;
        reply.answer.revision = serde_json::from_slice::<Shown>(&answer).ok().and_then(|shown| shown.revision);
        reply.answer.answer = answer;
        Ok(reply)
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))
}
