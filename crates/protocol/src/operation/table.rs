//! The rows of the operation table.

use plimsoll_core::permission::Permission;

use super::{Availability, Effect, Idempotency, Method, Operation, Origin, RateClass};

macro_rules! operations {
    ($($name:ident $id:literal, $method:ident $path:literal, $permission:ident, $effect:ident, $idempotency:ident, $rate:ident, $origin:ident, $availability:ident;)+) => {
        /// Every operation there is or will be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OperationId {
            $(#[doc = concat!("`", $id, "`")] $name,)+
        }

        impl OperationId {
            /// As in the OpenAPI document and the audit trail.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $id,)+ }
            }

            /// Its row.
            #[must_use]
            pub const fn operation(self) -> &'static Operation {
                &OPERATIONS[self as usize]
            }
        }

        /// The table, in the order of [`OperationId`].
        pub const OPERATIONS: &[Operation] = &[
            $(Operation {
                id: OperationId::$name,
                method: Method::$method,
                path: $path,
                permission: Permission::$permission,
                effect: Effect::$effect,
                idempotency: Idempotency::$idempotency,
                rate: RateClass::$rate,
                origin: Origin::$origin,
                availability: Availability::$availability,
            },)+
        ];
    };
}

operations! {
    IntegrationTypeList "integration_type_list", Get "/integration-types", IntegrationRead, Read, None, Standard, Contract, Built;
    IntegrationTypeGet "integration_type_get", Get "/integration-types/{typeId}", IntegrationRead, Read, None, Standard, Contract, Built;
    IntegrationCreate "integration_create", Post "/integrations", IntegrationWrite, Mutation, InTransaction, Standard, Contract, Built;
    IntegrationList "integration_list", Get "/integrations", IntegrationRead, Read, None, Standard, Contract, Built;
    IntegrationGet "integration_get", Get "/integrations/{id}", IntegrationRead, Read, None, Standard, Contract, Built;
    IntegrationUpdate "integration_update", Put "/integrations/{id}", IntegrationWrite, Mutation, None, Standard, Contract, Built;
    IntegrationDelete "integration_delete", Delete "/integrations/{id}", IntegrationWrite, Mutation, None, Standard, Contract, Built;
    IntegrationTest "integration_test", Post "/integrations/{id}/test", IntegrationWrite, Mutation, Reserved, Costly, Contract, Built;
    IntegrationDiscover "integration_discover", Post "/integrations/{id}/discover", IntegrationWrite, Mutation, Reserved, Costly, Contract, Built;
    IntegrationHealth "integration_health", Get "/integrations/{id}/health", IntegrationRead, Read, None, Standard, Contract, NotYet;
    EnvironmentCreate "environment_create", Post "/environments", EnvironmentWrite, Mutation, InTransaction, Standard, Contract, Built;
    EnvironmentList "environment_list", Get "/environments", EnvironmentRead, Read, None, Standard, Contract, Built;
    EnvironmentGet "environment_get", Get "/environments/{id}", EnvironmentRead, Read, None, Standard, Contract, Built;
    EnvironmentUpdate "environment_update", Put "/environments/{id}", EnvironmentWrite, Mutation, None, Standard, Contract, Built;
    EnvironmentDelete "environment_delete", Delete "/environments/{id}", EnvironmentWrite, Mutation, None, Standard, Contract, Built;
    FreezeWindowCreate "freeze_window_create", Post "/environments/{envId}/freeze-windows", FreezeWrite, Mutation, InTransaction, Standard, Contract, Built;
    FreezeWindowList "freeze_window_list", Get "/environments/{envId}/freeze-windows", EnvironmentRead, Read, None, Standard, Contract, Built;
    FreezeWindowDelete "freeze_window_delete", Delete "/environments/{envId}/freeze-windows/{windowId}", FreezeWrite, Mutation, None, Standard, Contract, Built;
    TargetCreate "target_create", Post "/targets", TargetWrite, Mutation, InTransaction, Standard, Contract, Built;
    TargetList "target_list", Get "/targets", TargetRead, Read, None, Standard, Contract, Built;
    TargetGet "target_get", Get "/targets/{id}", TargetRead, Read, None, Standard, Contract, Built;
    TargetUpdate "target_update", Put "/targets/{id}", TargetWrite, Mutation, None, Standard, Contract, Built;
    TargetDelete "target_delete", Delete "/targets/{id}", TargetWrite, Mutation, None, Standard, Contract, Built;
    TargetHealthCheck "target_health_check", Post "/targets/{id}/health-check", TargetWrite, Mutation, Reserved, Standard, Contract, Built;
    TargetSticker "target_sticker", Get "/targets/{id}/sticker", TargetRead, Read, None, Standard, Contract, Built;
    TargetDrift "target_drift", Get "/targets/{id}/drift", TargetRead, Read, None, Standard, Contract, NotYet;
    AgentRegister "agent_register", Post "/agents/register", AgentRegister, Mutation, InTransaction, Standard, Contract, Built;
    AgentList "agent_list", Get "/agents", AgentRead, Read, None, Standard, Contract, Built;
    AgentGet "agent_get", Get "/agents/{id}", AgentRead, Read, None, Standard, Contract, Built;
    AgentUpdate "agent_update", Put "/agents/{id}", AgentWrite, Mutation, None, Standard, Contract, Built;
    AgentDelete "agent_delete", Delete "/agents/{id}", AgentWrite, Mutation, None, Standard, Contract, Built;
    AgentHeartbeat "agent_heartbeat", Post "/agents/{id}/heartbeat", AgentSession, Telemetry, None, Agent, Contract, Built;
    ComponentCreate "component_create", Post "/components", ComponentWrite, Mutation, InTransaction, Standard, Contract, Built;
    ComponentList "component_list", Get "/components", ComponentRead, Read, None, Standard, Contract, Built;
    ComponentGet "component_get", Get "/components/{id}", ComponentRead, Read, None, Standard, Contract, Built;
    ComponentUpdate "component_update", Put "/components/{id}", ComponentWrite, Mutation, None, Standard, Contract, Built;
    ComponentDelete "component_delete", Delete "/components/{id}", ComponentWrite, Mutation, None, Standard, Contract, Built;
    ComponentSyncVersions "component_sync_versions", Post "/components/{id}/sync-versions", ComponentWrite, Mutation, Reserved, Standard, Contract, Built;
    ComponentVersions "component_versions", Get "/components/{id}/versions", ComponentRead, Read, None, Standard, Contract, Built;
    ReleaseCreate "release_create", Post "/releases", ReleaseCreate, Mutation, Reserved, Standard, Contract, Built;
    ReleaseList "release_list", Get "/releases", ReleaseRead, Read, None, Standard, Contract, Built;
    ReleaseGet "release_get", Get "/releases/{id}", ReleaseRead, Read, None, Standard, Contract, Built;
    ReleaseUpdate "release_update", Put "/releases/{id}", ReleaseCreate, Mutation, None, Standard, Contract, Built;
    ReleaseDelete "release_delete", Delete "/releases/{id}", ReleaseCreate, Mutation, None, Standard, Contract, Built;
    ReleaseState "release_state", Get "/releases/{id}/state", ReleaseRead, Read, None, Standard, Contract, Built;
    ReleaseDeprecate "release_deprecate", Post "/releases/{id}/deprecate", ReleaseCreate, Mutation, InTransaction, Standard, Contract, Built;
    ReleaseCompare "release_compare", Get "/releases/{id}/compare/{otherId}", ReleaseRead, Read, None, Costly, Contract, Built;
    ReleaseFromLatest "release_from_latest", Post "/releases/from-latest", ReleaseCreate, Mutation, Reserved, Standard, Contract, Built;
    WorkflowTemplateCreate "workflow_template_create", Post "/workflow-templates", WorkflowWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    WorkflowTemplateList "workflow_template_list", Get "/workflow-templates", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowTemplateGet "workflow_template_get", Get "/workflow-templates/{id}", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowTemplateUpdate "workflow_template_update", Put "/workflow-templates/{id}", WorkflowWrite, Mutation, None, Standard, Contract, NotYet;
    WorkflowTemplateDelete "workflow_template_delete", Delete "/workflow-templates/{id}", WorkflowWrite, Mutation, None, Standard, Contract, NotYet;
    WorkflowTemplateValidate "workflow_template_validate", Post "/workflow-templates/{id}/validate", WorkflowWrite, Read, None, Standard, Contract, NotYet;
    StepTypeList "step_type_list", Get "/step-types", WorkflowRead, Read, None, Standard, Contract, NotYet;
    StepTypeGet "step_type_get", Get "/step-types/{type}", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunCreate "workflow_run_create", Post "/workflow-runs", WorkflowWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    WorkflowRunList "workflow_run_list", Get "/workflow-runs", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunGet "workflow_run_get", Get "/workflow-runs/{id}", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunPause "workflow_run_pause", Post "/workflow-runs/{id}/pause", WorkflowWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    WorkflowRunResume "workflow_run_resume", Post "/workflow-runs/{id}/resume", WorkflowWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    WorkflowRunCancel "workflow_run_cancel", Post "/workflow-runs/{id}/cancel", WorkflowWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    WorkflowRunSteps "workflow_run_steps", Get "/workflow-runs/{id}/steps", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunStep "workflow_run_step", Get "/workflow-runs/{id}/steps/{nodeId}", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunStepLogs "workflow_run_step_logs", Get "/workflow-runs/{id}/steps/{nodeId}/logs", WorkflowRead, Read, None, Standard, Contract, NotYet;
    WorkflowRunStepArtifacts "workflow_run_step_artifacts", Get "/workflow-runs/{id}/steps/{nodeId}/artifacts", WorkflowRead, Read, None, Standard, Contract, NotYet;
    PromotionCreate "promotion_create", Post "/promotions", PromotionCreate, Mutation, InTransaction, Standard, Contract, Built;
    PromotionList "promotion_list", Get "/promotions", PromotionRead, Read, None, Standard, Contract, Built;
    PromotionGet "promotion_get", Get "/promotions/{id}", PromotionRead, Read, None, Standard, Contract, Built;
    PromotionApprove "promotion_approve", Post "/promotions/{id}/approve", PromotionApprove, Mutation, InTransaction, Standard, Contract, Built;
    PromotionReject "promotion_reject", Post "/promotions/{id}/reject", PromotionApprove, Mutation, InTransaction, Standard, Contract, Built;
    PromotionCancel "promotion_cancel", Post "/promotions/{id}/cancel", PromotionCreate, Mutation, InTransaction, Standard, Contract, Built;
    PromotionDecision "promotion_decision", Get "/promotions/{id}/decision", PromotionRead, Read, None, Standard, Contract, Built;
    PromotionApprovals "promotion_approvals", Get "/promotions/{id}/approvals", PromotionRead, Read, None, Standard, Contract, Built;
    PromotionEvidence "promotion_evidence", Get "/promotions/{id}/evidence", EvidenceRead, Read, None, Standard, Contract, Built;
    PromotionPreviewGates "promotion_preview_gates", Post "/promotions/preview-gates", PromotionRead, Read, None, Costly, Contract, Built;
    ApprovalPolicyCreate "approval_policy_create", Post "/approval-policies", GovernanceChange, Mutation, InTransaction, Standard, Contract, Built;
    ApprovalPolicyList "approval_policy_list", Get "/approval-policies", PolicyRead, Read, None, Standard, Contract, Built;
    MyPendingApprovals "my_pending_approvals", Get "/my/pending-approvals", SelfRead, Read, None, Standard, Contract, Built;
    DeploymentJobList "deployment_job_list", Get "/deployment-jobs", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobGet "deployment_job_get", Get "/deployment-jobs/{id}", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobTasks "deployment_job_tasks", Get "/deployment-jobs/{id}/tasks", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobTask "deployment_job_task", Get "/deployment-jobs/{id}/tasks/{taskId}", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobTaskLogs "deployment_job_task_logs", Get "/deployment-jobs/{id}/tasks/{taskId}/logs", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobArtifacts "deployment_job_artifacts", Get "/deployment-jobs/{id}/artifacts", DeploymentRead, Read, None, Standard, Contract, Built;
    DeploymentJobArtifact "deployment_job_artifact", Get "/deployment-jobs/{id}/artifacts/{artifactId}", DeploymentRead, Read, None, Standard, Contract, Built;
    RollbackCreate "rollback_create", Post "/rollbacks", RollbackCreate, Mutation, Reserved, Standard, Contract, Built;
    RollbackList "rollback_list", Get "/rollbacks", DeploymentRead, Read, None, Standard, Contract, Built;
    AbReleaseCreate "ab_release_create", Post "/ab-releases", ProgressiveWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    AbReleaseList "ab_release_list", Get "/ab-releases", ProgressiveRead, Read, None, Standard, Contract, NotYet;
    AbReleaseGet "ab_release_get", Get "/ab-releases/{id}", ProgressiveRead, Read, None, Standard, Contract, NotYet;
    AbReleaseStart "ab_release_start", Post "/ab-releases/{id}/start", ProgressiveWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    AbReleaseAdvance "ab_release_advance", Post "/ab-releases/{id}/advance", ProgressiveWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    AbReleasePromote "ab_release_promote", Post "/ab-releases/{id}/promote", ProgressiveWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    AbReleaseRollback "ab_release_rollback", Post "/ab-releases/{id}/rollback", ProgressiveWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    AbReleaseTraffic "ab_release_traffic", Get "/ab-releases/{id}/traffic", ProgressiveRead, Read, None, Standard, Contract, NotYet;
    AbReleaseHealth "ab_release_health", Get "/ab-releases/{id}/health", ProgressiveRead, Read, None, Standard, Contract, NotYet;
    RolloutStrategyList "rollout_strategy_list", Get "/rollout-strategies", ProgressiveRead, Read, None, Standard, Contract, NotYet;
    EvidenceKeyList "evidence_key_list", Get "/evidence-keys", EvidenceRead, Read, None, Standard, Addition, Built;
    EvidencePacketList "evidence_packet_list", Get "/evidence-packets", EvidenceRead, Read, None, Standard, Contract, Built;
    EvidencePacketGet "evidence_packet_get", Get "/evidence-packets/{id}", EvidenceRead, Read, None, Standard, Contract, Built;
    EvidencePacketDownload "evidence_packet_download", Get "/evidence-packets/{id}/download", EvidenceRead, Read, None, Standard, Contract, Built;
    AuditReportCreate "audit_report_create", Post "/audit-reports", ReportCreate, Mutation, InTransaction, Standard, Contract, NotYet;
    AuditReportGet "audit_report_get", Get "/audit-reports/{id}", ReportRead, Read, None, Standard, Contract, NotYet;
    AuditReportDownload "audit_report_download", Get "/audit-reports/{id}/download", ReportRead, Read, None, Standard, Contract, NotYet;
    VersionStickerList "version_sticker_list", Get "/version-stickers", EvidenceRead, Read, None, Standard, Contract, Built;
    VersionStickerGet "version_sticker_get", Get "/version-stickers/{id}", EvidenceRead, Read, None, Standard, Contract, Built;
    PluginList "plugin_list", Get "/plugins", PluginRead, Read, None, Standard, Contract, NotYet;
    PluginGet "plugin_get", Get "/plugins/{id}", PluginRead, Read, None, Standard, Contract, NotYet;
    PluginEnable "plugin_enable", Post "/plugins/{id}/enable", PluginWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    PluginDisable "plugin_disable", Post "/plugins/{id}/disable", PluginWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    PluginHealth "plugin_health", Get "/plugins/{id}/health", PluginRead, Read, None, Standard, Contract, NotYet;
    PluginInstanceCreate "plugin_instance_create", Post "/plugin-instances", PluginWrite, Mutation, InTransaction, Standard, Contract, NotYet;
    PluginInstanceList "plugin_instance_list", Get "/plugin-instances", PluginRead, Read, None, Standard, Contract, NotYet;
    PluginInstanceUpdate "plugin_instance_update", Put "/plugin-instances/{id}", PluginWrite, Mutation, None, Standard, Contract, NotYet;
    PluginInstanceDelete "plugin_instance_delete", Delete "/plugin-instances/{id}", PluginWrite, Mutation, None, Standard, Contract, NotYet;
    WorkflowRunStream "workflow_run_stream", WebSocket "/workflow-runs/{id}/stream", WorkflowRead, Read, None, Standard, Contract, NotYet;
    DeploymentJobStream "deployment_job_stream", WebSocket "/deployment-jobs/{id}/stream", DeploymentRead, Read, None, Standard, Contract, Built;
    AgentTaskStream "agent_task_stream", WebSocket "/agents/{id}/task-stream", AgentSession, Read, None, Agent, Contract, Built;
    DashboardStream "dashboard_stream", WebSocket "/dashboard/stream", DashboardRead, Read, None, Standard, Contract, NotYet;
    TenantCreate "tenant_create", Post "/tenants", TenantCreate, Mutation, InTransaction, Standard, Addition, Built;
    TenantList "tenant_list", Get "/tenants", TenantRead, Read, None, Standard, Addition, Built;
    UserCreate "user_create", Post "/users", UserWrite, Mutation, InTransaction, Standard, Addition, Built;
    UserList "user_list", Get "/users", UserRead, Read, None, Standard, Addition, Built;
    UserGet "user_get", Get "/users/{id}", UserRead, Read, None, Standard, Addition, Built;
    UserDelete "user_delete", Delete "/users/{id}", UserWrite, Mutation, None, Standard, Addition, Built;
    UserUpdate "user_update", Put "/users/{id}", UserWrite, Mutation, None, Standard, Addition, Built;
    ClientCreate "client_create", Post "/clients", ClientWrite, Mutation, InTransaction, Standard, Addition, Built;
    ClientList "client_list", Get "/clients", ClientRead, Read, None, Standard, Addition, Built;
    ClientGet "client_get", Get "/clients/{id}", ClientRead, Read, None, Standard, Addition, Built;
    ClientDelete "client_delete", Delete "/clients/{id}", ClientWrite, Mutation, None, Standard, Addition, Built;
    ClientUpdate "client_update", Put "/clients/{id}", ClientWrite, Mutation, None, Standard, Addition, Built;
    RoleCreate "role_create", Post "/roles", RoleWrite, Mutation, InTransaction, Standard, Addition, Built;
    RoleList "role_list", Get "/roles", RoleRead, Read, None, Standard, Addition, Built;
    RoleGet "role_get", Get "/roles/{id}", RoleRead, Read, None, Standard, Addition, Built;
    RoleDelete "role_delete", Delete "/roles/{id}", RoleWrite, Mutation, None, Standard, Addition, Built;
    RoleUpdate "role_update", Put "/roles/{id}", RoleWrite, Mutation, None, Standard, Addition, Built;
    RoleBindingCreate "role_binding_create", Post "/role-bindings", RoleWrite, Mutation, InTransaction, Standard, Addition, Built;
    RoleBindingList "role_binding_list", Get "/role-bindings", RoleRead, Read, None, Standard, Addition, Built;
    RoleBindingGet "role_binding_get", Get "/role-bindings/{id}", RoleRead, Read, None, Standard, Addition, Built;
    RoleBindingDelete "role_binding_delete", Delete "/role-bindings/{id}", RoleWrite, Mutation, None, Standard, Addition, Built;
    RegistrationTokenCreate "registration_token_create", Post "/registration-tokens", AgentWrite, Mutation, InTransaction, Standard, Addition, Built;
    RegistrationTokenList "registration_token_list", Get "/registration-tokens", AgentRead, Read, None, Standard, Addition, Built;
    RegistrationTokenGet "registration_token_get", Get "/registration-tokens/{id}", AgentRead, Read, None, Standard, Addition, Built;
    RegistrationTokenDelete "registration_token_delete", Delete "/registration-tokens/{id}", AgentWrite, Mutation, None, Standard, Addition, Built;
    AuditEventList "audit_event_list", Get "/audit-events", AuditRead, Read, None, Standard, Addition, Built;
    StreamTicketCreate "stream_ticket_create", Post "/stream-tickets", SelfRead, Read, None, Standard, Addition, Built;
    AuditEventGet "audit_event_get", Get "/audit-events/{id}", AuditRead, Read, None, Standard, Addition, Built;
    ApprovalPolicyGet "approval_policy_get", Get "/approval-policies/{id}", PolicyRead, Read, None, Standard, Addition, Built;
    ApprovalPolicyUpdate "approval_policy_update", Put "/approval-policies/{id}", GovernanceChange, Mutation, None, Standard, Addition, Built;
    ApprovalPolicyDelete "approval_policy_delete", Delete "/approval-policies/{id}", GovernanceChange, Mutation, None, Standard, Addition, Built;
    PromotionResume "promotion_resume", Post "/promotions/{id}/resume", PromotionCreate, Mutation, InTransaction, Standard, Addition, Built;
    AgentUnlock "agent_unlock", Post "/agents/{id}/unlock", AgentWrite, Mutation, InTransaction, Standard, Addition, Built;
    DeploymentJobCancel "deployment_job_cancel", Post "/deployment-jobs/{id}/cancel", DeploymentControl, Mutation, InTransaction, Standard, Addition, Built;
}
