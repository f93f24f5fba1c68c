//! `WS /deployment-jobs/{id}/stream`: a job's changes and its tasks' logs, from history first, then live.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use plimsoll_authority::token::VerifiedToken;
use plimsoll_core::{
    Error, Result, Timestamp,
    id::{EnvironmentId, JobId, TaskId, TypedId as _},
};
use plimsoll_store::{
    POLL,
    event::{self, Followed},
    retention,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{answer::Answer, call::Call, stream};
use crate::state::Server;

struct Follower {
    server: Arc<Server>,
    caller: plimsoll_app::Caller,
    job: JobId,
    environment: EnvironmentId,
    task: Option<TaskId>,
    position: i64,
    /// Since when there is the job.
    begun: Timestamp,
    token: Arc<VerifiedToken>,
}

pub(crate) async fn open(mut call: Call) -> Result<Answer> {
    let job: JobId = call.id("id")?;
    // Absent, another tenant's, or in an environment that the caller may not see: answered before the upgrade.
    let found = call.server.app.deployment_job_get(&call.caller, job).await?;
    let after: Option<i64> = call.parsed("after", "the seq of a message")?;
    let task = call.parsed("taskId", "a task's id")?;
    let upgrade = stream::upgrade(&mut call)?;
    let follower = Follower {
        token: call.token,
        server: call.server,
        caller: call.caller,
        job,
        environment: found.environment_id,
        task,
        position: after.unwrap_or(0),
        begun: found.created_at,
    };
    Ok(Answer::Raw(Box::new(upgrade.on_upgrade(move |socket| follower.run(socket)))))
}

fn unread(error: Error) -> u16 {
    tracing::warn!(error = ?error, "a stream could not read");
    stream::CLOSE_AWAY
}

impl Follower {
    async fn run(mut self, mut socket: WebSocket) {
        let (code, reason) = match self.follow(&mut socket).await {
            Ok(()) => (stream::CLOSE_END, "the job has ended"),
            Err(stream::CLOSE_SLOW) => (stream::CLOSE_SLOW, "too slow; resume with ?after="),
            Err(stream::CLOSE_UNAUTHENTICATED) => (stream::CLOSE_UNAUTHENTICATED, "the token has run out"),
            Err(_) => (stream::CLOSE_AWAY, "going away; resume with ?after="),
        };
        stream::close(socket, code, reason).await;
    }

    async fn follow(&mut self, socket: &mut WebSocket) -> Result<(), u16> {
        let mut waiter = self.server.app.store.wake().waiter();
        let (mut pinged, mut heard) = (Instant::now(), Instant::now());
        loop {
            let more = self.send_new(socket).await?;
            if !more && self.ended().await {
                // What was committed with the end has its position now.
                while self.send_new(socket).await? {}
                let at = self.server.app.context.now();
                return stream::send(socket, stream::message(self.position, "end", at, &json!({}))).await;
            }
            if self.server.draining.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(stream::CLOSE_AWAY);
            }
            let now = self.server.app.context.now();
            self.server.gate.recheck(&self.token, now).map_err(|_| stream::CLOSE_UNAUTHENTICATED)?;
            if pinged.elapsed() >= stream::PING {
                stream::ping(socket).await?;
                pinged = Instant::now();
            }
            if heard.elapsed() >= stream::SILENT {
                return Err(stream::CLOSE_AWAY);
            }
            // A long history is sent batch by batch: the peer is heard and its token looked at in between.
            let pause = if more { Duration::ZERO } else { POLL };
            tokio::select! {
                () = waiter.wait(pause) => {}
                received = socket.recv() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(stream::CLOSE_AWAY),
                    Some(Ok(Message::Text(text))) => { heard = Instant::now(); self.take(text.as_str()).await?; }
                    Some(Ok(_)) => heard = Instant::now(),
                }
            }
        }
    }

    /// Sends what is new; answers whether there may be more.
    async fn send_new(&mut self, socket: &mut WebSocket) -> Result<bool, u16> {
        const BATCH: u32 = 200;
        let (followed, position) = (self.followed(), self.position);
        // Both as of one instant: what is forgotten between two reads would be missed.
        let read = move |tx: &mut plimsoll_store::Tx<'_>| {
            Ok((retention::floor(tx)?, event::after(tx, &followed, position, BATCH)?))
        };
        let read = self.server.app.store.read(self.caller.scope(), "job_stream", read).await;
        let (floor, events) = read.map_err(unread)?;
        if let Some(floor) = floor.filter(|floor| floor.position > position && self.begun <= floor.at) {
            self.reset(socket, floor.position).await?;
            return Ok(true);
        }
        let more = events.len() == BATCH as usize;
        for event in events {
            self.position = event.position;
            if self.task.is_some_and(|task| event.topic == "task" && event.resource_id != task.uuid().to_string()) {
                continue;
            }
            let mut data = event.data;
            if let Value::Object(map) = &mut data
                && event.topic == "task"
            {
                map.insert("taskId".to_owned(), Value::String(event.resource_id));
            }
            stream::send(socket, stream::message(event.position, &event.kind, event.at, &data)).await?;
        }
        Ok(more)
    }

    /// Something between what the peer knows and what is kept may be forgotten: it begins anew with the job and its
    /// tasks as they are now.
    async fn reset(&mut self, socket: &mut WebSocket, position: i64) -> Result<(), u16> {
        let app = &self.server.app;
        let (job, tasks) = app.deployment_job_snapshot(&self.caller, self.job).await.map_err(unread)?;
        let at = app.context.now();
        self.position = position;
        stream::send(socket, stream::message(position, "reset", at, &json!({}))).await?;
        stream::send(socket, stream::message(position, "snapshot", at, &json!({ "job": job, "tasks": tasks }))).await
    }

    async fn ended(&self) -> bool {
        let job = self.server.app.deployment_job_get(&self.caller, self.job).await;
        let Ok(job) = job else { return false };
        if !job.status.is_terminal() {
            return false;
        }
        // The last change must have been sent: its position may still be on its way.
        let (scope, followed) = (self.caller.scope(), self.followed());
        let waiting = self
            .server
            .app
            .store
            .read(scope, "job_stream_end", move |tx| event::still_unsequenced(tx, &followed))
            .await;
        matches!(waiting, Ok(false))
    }

    fn followed(&self) -> Followed {
        Followed::Resource("deployment_job", self.job.uuid().to_string())
    }

    /// The peer sends a fresh token of the same principal before the old one runs out. What was taken from the
    /// principal meanwhile ends the stream.
    async fn take(&mut self, text: &str) -> Result<(), u16> {
        let Ok(message) = serde_json::from_str::<Value>(text) else { return Ok(()) };
        let token = message.pointer("/data/token").and_then(Value::as_str);
        let Some(token) = token.filter(|_| message["type"] == "auth") else { return Ok(()) };
        let now = self.server.app.context.now();
        match self.server.verified(token, now).await {
            Ok(fresh)
                if fresh.principal.id == self.caller.principal.id && fresh.principal.tenant == self.caller.tenant() =>
            {
                self.caller.principal = fresh.principal.clone();
                self.caller.may_in(self.environment).map_err(|_| stream::CLOSE_UNAUTHENTICATED)?;
                self.token = fresh;
                Ok(())
            }
            _ => Err(stream::CLOSE_UNAUTHENTICATED),
        }
    }
}
