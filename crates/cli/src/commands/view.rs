//! What people are told of a job while it runs: its state, the steps on each target, failures with the
//! last lines of their logs.

use std::collections::{HashMap, HashSet, VecDeque};

use plimsoll_core::{
    deployment::{Task, TaskKind, TaskStatus},
    id::{TaskId, TypedId as _},
};
use serde_json::Value;

use super::resource::text;
use crate::{
    client::stream::Message,
    output::{Live, plain},
};

/// Lines of a failed task's log that are shown.
const LAST_LINES: usize = 10;

/// What is known of a job that is followed.
#[derive(Debug, Default)]
pub(super) struct View {
    /// The last lines of each task.
    lines: HashMap<String, VecDeque<String>>,
    /// Tasks whose end was told; one that worked can still be put back.
    told: HashSet<(TaskId, TaskStatus)>,
}

/// Something to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    State(String, Option<(u64, u64)>),
    Step(String),
    Line(String),
}

impl Shown {
    /// Shows it.
    pub(super) fn on(self, live: &mut Live) {
        match self {
            Self::State(text, targets) => live.state(&text, targets),
            Self::Step(text) => live.step(&text),
            Self::Line(text) => live.line(&text),
        }
    }
}

impl View {
    /// Takes a message of the job's stream. What is not known is passed over: the server may be newer.
    pub(super) fn take(&mut self, message: &Message) -> Option<Shown> {
        let data = &message.data;
        match message.kind.as_str() {
            "job.changed" => Some(state("job", data)),
            "batch.waiting" => {
                let batch = data.pointer("/batch").and_then(Value::as_u64)? + 1;
                Some(Shown::Step(format!("batch {batch} waits until {}", text(data, "/until")?)))
            }
            "task.progress" => step(data),
            "task.log" => {
                let kept = self.lines.entry(text(data, "/taskId")?.to_owned()).or_default();
                for line in data.pointer("/lines").and_then(Value::as_array)? {
                    kept.push_back(plain(text(line, "/text").unwrap_or_default()));
                    if kept.len() > LAST_LINES {
                        kept.pop_front();
                    }
                }
                None
            }
            "task.changed" => self.task(&serde_json::from_value(data.clone()).ok()?),
            _ => None,
        }
    }

    /// Tells how a task ended, once.
    pub(super) fn task(&mut self, task: &Task) -> Option<Shown> {
        if !task.status.is_ended() || !self.told.insert((task.id, task.status)) {
            return None;
        }
        let doing = match task.kind {
            TaskKind::Forward => "",
            TaskKind::Rollback => " putting back what ran before",
        };
        let mut said = format!("{}:{doing} {}", task.target_name, task.status);
        if let Some(error) = &task.error {
            said.push_str(&format!(": {} [{}]", plain(&error.message), error.code));
            if let Some(hint) = &error.hint {
                said.push_str(&format!("\n  what to do: {}", plain(hint)));
            }
        }
        match task.status {
            TaskStatus::Failed | TaskStatus::Unknown => {
                let tail = task.error.as_ref().map(|error| error.log_tail.as_slice()).unwrap_or_default();
                let from = tail.len().saturating_sub(LAST_LINES);
                let mut last: Vec<String> = tail[from..].iter().map(|line| plain(line)).collect();
                if last.is_empty() {
                    last.extend(self.lines.remove(&task.id.uuid().to_string()).unwrap_or_default());
                }
                for line in last {
                    said.push_str(&format!("\n  | {line}"));
                }
            }
            TaskStatus::Pending
            | TaskStatus::Assigned
            | TaskStatus::Running
            | TaskStatus::Verifying
            | TaskStatus::Succeeded
            | TaskStatus::RolledBack
            | TaskStatus::Skipped
            | TaskStatus::Cancelled => {}
        }
        Some(Shown::Line(said))
    }
}

/// How something stands, in one line.
pub(super) fn state(noun: &str, item: &Value) -> Shown {
    let status = text(item, "/status").unwrap_or("unknown");
    let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_u64);
    let targets = number("/progress/total").map(|total| (number("/progress/succeeded").unwrap_or(0), total));
    let counted = targets.map_or(String::new(), |(done, total)| format!(", targets {done}/{total}"));
    let why = text(item, "/failure/message").map_or(String::new(), |why| format!(": {}", plain(why)));
    Shown::State(format!("{noun} {status}{counted}{why}"), targets)
}

fn step(data: &Value) -> Option<Shown> {
    let what = text(data, "/step")?.replace('_', " ");
    let target = text(data, "/targetName").unwrap_or_default();
    let component = text(data, "/component").map_or(String::new(), |one| format!(" {one}"));
    let detail = text(data, "/detail").map_or(String::new(), |detail| format!(": {}", plain(detail)));
    match text(data, "/status")? {
        "started" => Some(Shown::Step(format!("{target}: {what}{component}{detail}"))),
        "failed" => Some(Shown::Line(format!("{target}: {what}{component} failed{detail}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TASK: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn said(view: &mut View, kind: &str, data: Value) -> Option<Shown> {
        view.take(&Message { seq: 1, kind: kind.to_owned(), data })
    }

    fn task(status: &str, more: &Value) -> Value {
        let mut task = json!({
            "id": TASK, "taskId": TASK, "jobId": TASK, "kind": "forward", "targetId": TASK, "targetName": "web-1",
            "batch": 0, "status": status, "attempt": 1, "epoch": 1, "components": []
        });
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    }

    #[test]
    fn a_job_is_told_with_its_targets_and_steps() {
        let mut view = View::default();
        let running = json!({"status": "running", "progress": {"succeeded": 18, "total": 24}});
        let state = Shown::State("job running, targets 18/24".to_owned(), Some((18, 24)));
        assert_eq!(said(&mut view, "job.changed", running), Some(state));
        let pull = json!({"step": "stop_old", "status": "started", "component": "api", "targetName": "web-1"});
        assert_eq!(said(&mut view, "task.progress", pull), Some(Shown::Step("web-1: stop old api".to_owned())));
        let pause = json!({"batch": 1, "status": "waiting", "until": "2026-01-01T00:00:00Z"});
        let waits = Shown::Step("batch 2 waits until 2026-01-01T00:00:00Z".to_owned());
        assert_eq!(said(&mut view, "batch.waiting", pause), Some(waits));
        assert_eq!(said(&mut view, "job.invented_later", json!({})), None);
        assert_eq!(said(&mut view, "task.changed", task("running", &json!({}))), None);
        let done = Some(Shown::Line("web-1: succeeded".to_owned()));
        assert_eq!(said(&mut view, "task.changed", task("succeeded", &json!({}))), done);
        assert_eq!(said(&mut view, "task.changed", task("succeeded", &json!({}))), None);
    }

    #[test]
    fn a_failure_is_told_with_its_last_lines() {
        let mut view = View::default();
        let lines: Vec<Value> = (0..30).map(|number| json!({"text": format!("line {number}\u{1b}[2J")})).collect();
        assert_eq!(said(&mut view, "task.log", json!({"taskId": TASK, "lines": lines})), None);
        let error = json!({"error": {"code": "HEALTH", "message": "not healthy", "hint": "look"}});
        let Some(Shown::Line(text)) = said(&mut view, "task.changed", task("failed", &error)) else { panic!() };
        let told: Vec<&str> = text.lines().collect();
        assert_eq!(told[..2], ["web-1: failed: not healthy [HEALTH]", "  what to do: look"]);
        assert_eq!(told.len(), 2 + LAST_LINES);
        assert_eq!(told.last(), Some(&"  | line 29 [2J"));

        let mut view = View::default();
        let error = json!({"error": {"code": "HEALTH", "message": "not healthy", "logTail": ["boom"]}});
        let Some(Shown::Line(text)) = said(&mut view, "task.changed", task("failed", &error)) else { panic!() };
        assert!(text.ends_with("\n  | boom"), "{text}");
    }
}
