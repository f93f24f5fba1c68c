//! The request log: one line a call, with who called and for which tenant.

use std::{
    io::Write,
    sync::{Arc, Mutex, OnceLock},
};

use plimsoll_core::id::AgentId;
use serde_json::{Value, json};

use crate::{
    examples,
    hand::{self, Hand},
    on_both,
    world::World,
};

on_both! {
    each_heartbeat_is_in_the_log_with_agent_and_tenant;
}

/// What this process has logged, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The process has one log, whichever test comes first.
    fn of_the_process() -> &'static Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        LINES.get_or_init(|| {
            let lines = Self::default();
            let writer = lines.clone();
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).init();
            lines
        })
    }

    /// The fields of the line about the request with this id.
    fn served(&self, request_id: &str) -> Value {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut about =
            lines.filter(|line| line["fields"]["message"] == "served" && line["fields"]["request_id"] == request_id);
        about.next().unwrap_or_else(|| panic!("no line about {request_id}"))
    }
}

async fn each_heartbeat_is_in_the_log_with_agent_and_tenant(world: &World) {
    let log = Lines::of_the_process();
    let agent: AgentId = Hand::with_a_job(world).await.agent();
    let token = hand::token(world, agent, 600);
    let beat = examples::body(plimsoll_protocol::operation::OperationId::AgentHeartbeat).unwrap();
    for _ in 0..2 {
        let answer = world.call("POST", &format!("/api/v1/agents/{agent}/heartbeat"), Some(&token), Some(&beat)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let line = log.served(answer.header("x-request-id"));
        let fields = &line["fields"];
        assert_eq!(
            [&fields["operation"], &fields["principal_type"], &fields["principal_id"], &fields["tenant_id"]],
            [&json!("agent_heartbeat"), &json!("agent"), &json!(agent.to_string()), &json!(world.home.to_string())]
        );
        assert!(line["timestamp"].is_string(), "{line}");
    }
    let read = world.get("/api/v1/components").await;
    let fields = &log.served(read.header("x-request-id"))["fields"];
    assert_eq!(
        [&fields["principal_type"], &fields["principal_id"]],
        [&json!("user"), &json!(world.admin_id.to_string())]
    );
    let nobody = world.call("GET", "/api/v1/components", None, None).await;
    assert!(log.served(nobody.header("x-request-id"))["fields"]["principal_id"].is_null());
}
