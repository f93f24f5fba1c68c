//! The list of routes: each operation of the table that is built, with its handler. A test equates it
//! with the table.

use plimsoll_core::Result;
use plimsoll_protocol::operation::OperationId as Op;

use super::{
    agent, agent_stream, approval_policy, audit_event, client, component, deployment_job, environment, evidence_packet,
    freeze_window, integration, promotion, registration_token, release, role, role_binding, rollback, route::Route,
    target, tenant, user, version_sticker,
};

/// Every route.
pub(crate) fn all() -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    routes.extend(integration::routes()?);
    routes.extend(component::routes()?);
    routes.extend(release::routes()?);
    routes.extend(environment::routes()?);
    routes.extend(freeze_window::routes()?);
    routes.extend(target::routes()?);
    routes.extend(promotion::routes()?);
    routes.extend(rollback::routes()?);
    routes.extend(approval_policy::routes()?);
    routes.extend(agent::routes()?);
    routes.push(Route::new(Op::AgentTaskStream, agent_stream::open).raw(&["application/json"]));
    routes.extend(deployment_job::routes()?);
    routes.extend(evidence_packet::routes());
    routes.extend(version_sticker::routes());
    routes.extend(tenant::routes()?);
    routes.extend(user::routes()?);
    routes.extend(client::routes()?);
    routes.extend(role::routes()?);
    routes.extend(role_binding::routes()?);
    routes.extend(registration_token::routes()?);
    routes.extend(audit_event::routes());
    routes.extend(super::stream_ticket::routes()?);
    Ok(routes)
}
