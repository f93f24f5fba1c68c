//! `WS /agents/{id}/task-stream`: the agent's session. It holds only what it has sent.

use std::{collections::HashSet, sync::Arc};

use axum::extract::ws::{Message, WebSocket};
use plimsoll_app::agent_session::AgentCaller;
use plimsoll_authority::token::VerifiedToken;
use plimsoll_core::{
    Error, ErrorCode, Result,
    audit::PrincipalType,
    id::{AgentId, TaskId, TypedId as _},
};
use plimsoll_protocol::agent::{AgentFrame, Decoded, Envelope, ServerFrame};
use plimsoll_store::POLL;
use tokio::time::Instant;

use super::{answer::Answer, call::Call, stream};
use crate::state::Server;

struct Session {
    server: Arc<Server>,
    agent: AgentCaller,
    seq: u64,
    offered: HashSet<(TaskId, u64)>,
    cancelled: HashSet<(TaskId, u64)>,
    asked: HashSet<String>,
    token: Arc<VerifiedToken>,
}

pub(crate) async fn open(mut call: Call) -> Result<Answer> {
    let id: AgentId = call.id("id")?;
    let principal = &call.caller.principal;
    if principal.kind != PrincipalType::Agent || principal.id != id.uuid() {
        return Err(Error::not_found(id));
    }
    let agent = AgentCaller::new(principal.clone());
    let upgrade = stream::upgrade(&mut call)?;
    let session = Session {
        token: call.token,
        server: call.server,
        agent,
        seq: 0,
        offered: HashSet::new(),
        cancelled: HashSet::new(),
        asked: HashSet::new(),
    };
    Ok(Answer::Raw(Box::new(upgrade.on_upgrade(move |socket| session.run(socket)))))
}

impl Session {
    async fn run(mut self, mut socket: WebSocket) {
        tracing::info!(agent = %self.agent.id, "an agent's stream opened");
        let code = match self.serve(&mut socket).await {
            Ok(()) => stream::CLOSE_AWAY,
            Err(code) => code,
        };
        tracing::info!(agent = %self.agent.id, code, "an agent's stream closed");
        stream::close(socket, code, "reconnect").await;
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> Result<(), u16> {
        let mut waiter = self.server.app.store.wake().waiter();
        let (mut pinged, mut heard) = (Instant::now(), Instant::now());
        let hello = self.server.app.agent_hello(&self.agent).await.map_err(|error| failed(&error))?;
        self.send(socket, hello).await?;
        loop {
            self.send_pending(socket).await?;
            self.check()?;
            if pinged.elapsed() >= stream::PING {
                stream::ping(socket).await?;
                pinged = Instant::now();
            }
            if heard.elapsed() >= stream::SILENT {
                return Err(stream::CLOSE_AWAY);
            }
            tokio::select! {
                () = waiter.wait(POLL) => {}
                received = socket.recv() => match received {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Ok(()),
                    Some(Ok(Message::Text(text))) => { heard = Instant::now(); self.take(socket, text.as_str()).await?; }
                    Some(Ok(_)) => heard = Instant::now(),
                }
            }
        }
    }

    /// The stream ends with the token, with the agent's removal or lock, and when the server drains.
    fn check(&self) -> Result<(), u16> {
        let now = self.server.app.context.now();
        self.server.gate.recheck(&self.token, now).map_err(|_| stream::CLOSE_UNAUTHENTICATED)?;
        if self.server.draining.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(stream::CLOSE_AWAY);
        }
        Ok(())
    }

    async fn send_pending(&mut self, socket: &mut WebSocket) -> Result<(), u16> {
        let frames = self.server.app.agent_pending(&self.agent).await.map_err(|error| failed(&error))?;
        for frame in frames {
            let new = match &frame {
                ServerFrame::Offer(offer) => self.offered.insert((offer.task_id, offer.epoch)),
                ServerFrame::Cancel(cancel) => self.cancelled.insert((cancel.task_id, cancel.epoch)),
                ServerFrame::Observe(question) => self.asked.insert(question.request_id.clone()),
                ServerFrame::Hello(_)
                | ServerFrame::SecretValue(_)
                | ServerFrame::LeaseRenewed(_)
                | ServerFrame::ResultAck(_) => true,
            };
            if new {
                let offer = matches!(frame, ServerFrame::Offer(_));
                self.send(socket, frame).await?;
                if offer {
                    plimsoll_app::failpoint::hit("server::offer_sent");
                }
            }
        }
        Ok(())
    }

    async fn take(&mut self, socket: &mut WebSocket, text: &str) -> Result<(), u16> {
        let frame = match Envelope::<AgentFrame>::decode(text) {
            Ok(Decoded::Known(envelope)) => envelope.frame,
            Ok(Decoded::Unknown { kind }) => {
                tracing::debug!(agent = %self.agent.id, kind, "a frame of a newer agent was passed over");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(agent = %self.agent.id, error = ?error, "an agent sent what is no frame");
                return Err(stream::CLOSE_AWAY);
            }
        };
        if let AgentFrame::Auth(auth) = &frame {
            return self.renew(&auth.token).await;
        }
        match self.server.app.agent_frame(&self.agent, frame).await {
            Ok(answers) => {
                for answer in answers {
                    self.send(socket, answer).await?;
                }
                Ok(())
            }
            // The agent sends again after it reconnects; nothing of the frame was done.
            Err(error) => Err(failed(&error)),
        }
    }

    async fn renew(&mut self, token: &str) -> Result<(), u16> {
        match self.server.verified(token, self.server.app.context.now()).await {
            Ok(fresh) if fresh.principal.id == self.agent.principal.id => {
                self.token = fresh;
                Ok(())
            }
            _ => Err(stream::CLOSE_UNAUTHENTICATED),
        }
    }

    async fn send(&mut self, socket: &mut WebSocket, frame: ServerFrame) -> Result<(), u16> {
        self.seq += 1;
        let envelope = Envelope { seq: Some(self.seq), at: self.server.app.context.now(), frame };
        let text = envelope.encode().map_err(|error| failed(&error))?;
        stream::send(socket, text).await
    }
}

fn failed(error: &Error) -> u16 {
    if error.code() == ErrorCode::Unauthenticated {
        return stream::CLOSE_UNAUTHENTICATED;
    }
    tracing::warn!(error = ?error, "an agent's frame could not be served");
    stream::CLOSE_AWAY
}
