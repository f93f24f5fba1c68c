//! One connection: what waits goes out, what comes in goes to work, lease and token are kept fresh.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt, StreamExt};
use secrecy::ExposeSecret;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::Message;

use plimsoll_core::{Error, ErrorCode};
use plimsoll_protocol::agent::{
    AgentFrame, Decoded, Envelope, LEASE_SECONDS, ServerFrame, frame::Auth, order::LeaseRenewed, report::LeaseRenew,
};

use super::{
    api::Refused,
    connect::Stream,
    outbox::Waiting,
    shared::Shared,
    token::{Token, Tokens},
};
use crate::work::Event;

/// The server pings every 20 s.
const SILENCE: Duration = Duration::from_mins(1);
/// For the server to take one message.
const TAKE: Duration = Duration::from_secs(10);
/// A fresh token is sent when the present one has this left.
const FRESH: Duration = Duration::from_secs(90);
/// Lease requests that may still be answered.
const MAX_ASKED: usize = 8;

/// One connection.
pub struct Connection {
    stream: Stream,
    shared: Shared,
    work: mpsc::Sender<Event>,
    nonce: u64,
    asked: VecDeque<(u64, Instant)>,
    lease_length: Duration,
    renew_at: Instant,
}

impl Connection {
    /// Over an open stream.
    #[must_use]
    pub fn new(stream: Stream, shared: Shared, work: mpsc::Sender<Event>) -> Self {
        let lease_length = Duration::from_secs(u64::from(LEASE_SECONDS));
        // Nonces rise over connections too.
        let nonce = u64::try_from(shared.context.now().as_micros()).unwrap_or_default();
        Self { stream, shared, work, nonce, asked: VecDeque::new(), lease_length, renew_at: Instant::now() }
    }

    /// Serves until the connection ends; the error says why.
    pub async fn serve(mut self, tokens: &Tokens, mut token: Token) -> Refused {
        match self.run(tokens, &mut token).await {
            Ok(()) => lost("the server closed the stream"),
            Err(refused) => refused,
        }
    }

    async fn run(&mut self, tokens: &Tokens, token: &mut Token) -> Result<(), Refused> {
        self.renew_lease().await?;
        self.tell(Event::Connected).await?;
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                waiting = self.shared.outbox.next() => self.pass_on(waiting).await?,
                message = self.stream.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(text.as_str()).await?,
                        Some(Ok(Message::Close(frame))) => return closed(frame.map(|frame| u16::from(frame.code))),
                        Some(Ok(_)) => {}
                        Some(Err(cause)) => return Err(lost(&cause.to_string())),
                        None => return Ok(()),
                    }
                }
                () = sleep_until(self.renew_at) => self.renew_lease().await?,
                () = sleep_until(token.expires - FRESH) => {
                    *token = tokens.get(FRESH + FRESH).await?;
                    let text = token.text.expose_secret().to_owned();
                    self.send(AgentFrame::Auth(Auth { token: text })).await?;
                }
                () = sleep_until(heard + SILENCE) => return Err(lost("the server is silent")),
            }
        }
    }

    async fn pass_on(&mut self, waiting: Waiting) -> Result<(), Refused> {
        self.send(waiting.frame.clone()).await?;
        self.shared.outbox.sent(&waiting);
        match waiting.frame {
            AgentFrame::Ack(_) => fail::fail_point!("agent::ack_sent"),
            AgentFrame::Result(_) => fail::fail_point!("agent::result_sent"),
            AgentFrame::Progress(_)
            | AgentFrame::Log(_)
            | AgentFrame::SecretRequest(_)
            | AgentFrame::LeaseRenew(_)
            | AgentFrame::Observation(_)
            | AgentFrame::Status(_)
            | AgentFrame::Auth(_) => {}
        }
        Ok(())
    }

    async fn take(&mut self, text: &str) -> Result<(), Refused> {
        match Envelope::<ServerFrame>::decode(text) {
            Ok(Decoded::Known(envelope)) => match envelope.frame {
                ServerFrame::LeaseRenewed(renewed) => self.lease_renewed(renewed).await,
                frame => {
                    if let ServerFrame::Hello(hello) = &frame {
                        self.lease_length = Duration::from_secs(u64::from(hello.lease_seconds.max(1)));
                    }
                    self.tell(Event::Frame(frame)).await
                }
            },
            Ok(Decoded::Unknown { kind }) => {
                tracing::debug!(kind, "a frame of a newer server is passed over");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "the server sent what is no frame");
                Ok(())
            }
        }
    }

    async fn renew_lease(&mut self) -> Result<(), Refused> {
        self.nonce += 1;
        self.asked.push_back((self.nonce, Instant::now()));
        if self.asked.len() > MAX_ASKED {
            self.asked.pop_front();
        }
        self.renew_at = self.next_renewal();
        let tasks = self.shared.held.borrow().clone();
        self.send(AgentFrame::LeaseRenew(LeaseRenew { nonce: self.nonce, tasks })).await
    }

    async fn lease_renewed(&mut self, renewed: LeaseRenewed) -> Result<(), Refused> {
        let asked = self.asked.iter().find(|(nonce, _)| *nonce == renewed.nonce).map(|(_, at)| *at);
        if let Some(at) = asked {
            self.lease_length = Duration::from_secs(u64::from(renewed.lease_seconds.max(1)));
            self.shared.lease.granted(at, self.lease_length);
            // Leases may be shorter than they were when the next renewal was planned.
            self.renew_at = self.renew_at.min(self.next_renewal());
        }
        if renewed.revoked.is_empty() { Ok(()) } else { self.tell(Event::Revoked(renewed.revoked)).await }
    }

    /// Early enough that two requests may be lost.
    fn next_renewal(&self) -> Instant {
        Instant::now() + self.lease_length / 3
    }

    async fn send(&mut self, frame: AgentFrame) -> Result<(), Refused> {
        let text =
            Envelope::new(self.shared.context.now(), frame).encode().map_err(|error| Refused { status: 0, error })?;
        match timeout(TAKE, self.stream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(cause)) => Err(lost(&cause.to_string())),
            Err(_) => Err(lost("the server takes nothing")),
        }
    }

    async fn tell(&self, event: Event) -> Result<(), Refused> {
        self.work.send(event).await.map_err(|_| lost("the agent is stopping"))
    }
}

/// 4401: the token ran out or the agent was revoked.
fn closed(code: Option<u16>) -> Result<(), Refused> {
    match code {
        Some(4401) => Err(Refused {
            status: 401,
            error: Error::new(ErrorCode::Unauthenticated, "the server does not accept the agent's token any more"),
        }),
        Some(_) | None => Ok(()),
    }
}

fn lost(what: &str) -> Refused {
    Refused { status: 0, error: Error::new(ErrorCode::Unavailable, format!("the task stream ended: {what}")) }
}
