//! What an operation acts upon, as the audit trail names it.

use super::Operation;

/// The collections of mutations, each with the noun that the trail uses.
const NOUNS: &[(&str, &str)] = &[
    ("ab-releases", "ab_release"),
    ("agents", "agent"),
    ("approval-policies", "approval_policy"),
    ("audit-reports", "audit_report"),
    ("clients", "client"),
    ("components", "component"),
    ("deployment-jobs", "deployment_job"),
    ("environments", "environment"),
    ("freeze-windows", "freeze_window"),
    ("integrations", "integration"),
    ("plugin-instances", "plugin_instance"),
    ("plugins", "plugin"),
    ("promotions", "promotion"),
    ("registration-tokens", "registration_token"),
    ("releases", "release"),
    ("role-bindings", "role_binding"),
    ("roles", "role"),
    // A rollback is a deployment job.
    ("rollbacks", "deployment_job"),
    ("targets", "target"),
    ("tenants", "tenant"),
    ("users", "user"),
    ("workflow-runs", "workflow_run"),
    ("workflow-templates", "workflow_template"),
];

/// What a call was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The kind of resource, such as `role_binding`; the same word as in the event of a call that succeeded.
    pub noun: &'static str,
    /// The path parameter that names it. `None`: the call was to make one.
    pub parameter: Option<&'static str>,
}

impl Operation {
    /// The resource that the path names last; without an id in it, the noun that the path begins with. To
    /// make something inside another thing is about that thing until it is made.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let mut subject = Subject { noun: noun(self.tag()), parameter: None };
        let mut collection = "";
        for part in self.path.split('/') {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(parameter) => subject = Subject { noun: noun(collection), parameter: Some(parameter) },
                None => collection = part,
            }
        }
        subject
    }
}

fn noun(collection: &'static str) -> &'static str {
    NOUNS.iter().find(|(known, _)| *known == collection).map_or(collection, |(_, noun)| noun)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Effect, OPERATIONS, OperationId};

    #[test]
    fn every_mutation_has_a_noun() {
        for operation in OPERATIONS.iter().filter(|one| one.effect == Effect::Mutation) {
            assert!(NOUNS.iter().any(|(_, noun)| *noun == operation.subject().noun), "{operation:?}");
        }
    }

    #[test]
    fn the_last_id_in_the_path_is_what_a_call_is_about() {
        let about = |id: OperationId| (id.operation().subject().noun, id.operation().subject().parameter);
        assert_eq!(about(OperationId::IntegrationDelete), ("integration", Some("id")));
        assert_eq!(about(OperationId::FreezeWindowDelete), ("freeze_window", Some("windowId")));
        assert_eq!(about(OperationId::FreezeWindowCreate), ("environment", Some("envId")));
        assert_eq!(about(OperationId::RollbackCreate), ("deployment_job", None));
        assert_eq!(about(OperationId::ReleaseFromLatest), ("release", None));
    }
}
