//! A server as agents see it: enrolment, tokens, heartbeats, the task stream; and it writes down all that it
//! is told. It offers again what was not acknowledged, as the real one does.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
};

use axum::{
    Form, Json, Router,
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use plimsoll_core::{Timestamp, context::Context, id::AgentId};
use plimsoll_evidence::SigningKey;
use plimsoll_protocol::agent::{
    AgentFrame, Decoded, Envelope, PROTOCOL_VERSION, ServerFrame,
    enrol::{AssertionClaims, HeartbeatAnswer, RegisterRequest, Registered},
    order::{
        LeaseRenewed, ORDER_PAYLOAD_TYPE, OrderSignature, ServerHello, ServerKey, TargetInfo, TaskOffer, TaskOrder,
    },
    report::{ResultAck, ResultVerdict, TaskResult},
    secret::SecretValue,
};
use serde_json::json;
use tokio::sync::mpsc;

use crate::site::answer;

pub const TOKEN: &str = "registration-token";

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    key: SigningKey,
    agent: AgentId,
    book: Mutex<Book>,
    /// Whether results are acknowledged.
    acks: AtomicBool,
    /// Whether leases are renewed.
    leases: AtomicBool,
    lease_seconds: AtomicU32,
    connections: AtomicUsize,
}

/// What the server knows.
#[derive(Default)]
pub struct Book {
    pub agent_key: Option<String>,
    pub joins: Vec<(u64, String)>,
    /// Up to here joins were taken before, and their answers were lost for good.
    pub answered: u64,
    pub heartbeats: usize,
    pub frames: Vec<AgentFrame>,
    pub targets: Vec<TargetInfo>,
    offers: Vec<TaskOffer>,
    streams: Vec<mpsc::UnboundedSender<Say>>,
}

enum Say {
    Frame(Box<ServerFrame>),
    Hang,
}

impl Server {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner {
            key: SigningKey::generate().unwrap(),
            agent: Context::system().id(),
            book: Mutex::default(),
            acks: AtomicBool::new(true),
            leases: AtomicBool::new(true),
            lease_seconds: AtomicU32::new(60),
            connections: AtomicUsize::new(0),
        });
        let server = Self { address, inner };
        let routes = Router::new()
            .route("/api/v1/agents/register", post(register))
            .route("/oauth/token", post(token))
            .route("/api/v1/agents/{id}/heartbeat", post(heartbeat))
            .route("/api/v1/agents/{id}/task-stream", get(stream))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn agent(&self) -> AgentId {
        self.inner.agent
    }

    pub fn key_pem(&self) -> String {
        self.inner.key.public_key().to_pem()
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.inner.book.lock().unwrap()
    }

    pub fn acknowledges(&self, yes: bool) {
        self.inner.acks.store(yes, Ordering::SeqCst);
    }

    pub fn renews_leases(&self, yes: bool, seconds: u32) {
        self.inner.lease_seconds.store(seconds, Ordering::SeqCst);
        self.inner.leases.store(yes, Ordering::SeqCst);
    }

    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// An order, signed.
    pub fn sign(&self, order: &TaskOrder) -> TaskOffer {
        let text = serde_json::to_string(order).unwrap();
        let signed = self.inner.key.sign_payload(ORDER_PAYLOAD_TYPE, text.as_bytes()).unwrap();
        TaskOffer {
            task_id: order.task_id,
            epoch: order.epoch,
            lease_seconds: 60,
            order: text,
            signature: OrderSignature {
                key_id: self.inner.key.key_id().to_owned(),
                value: signed.signatures[0].sig.clone(),
            },
        }
    }

    /// Offers until it is acknowledged.
    pub fn offer(&self, offer: TaskOffer) {
        self.say(ServerFrame::Offer(offer.clone()));
        self.book().offers.push(offer);
    }

    pub fn say(&self, frame: ServerFrame) {
        self.book().streams.retain(|stream| stream.send(Say::Frame(Box::new(frame.clone()))).is_ok());
    }

    /// Drops every connection without a word.
    pub fn hang_up(&self) {
        self.book().streams.drain(..).for_each(|stream| _ = stream.send(Say::Hang));
    }

    /// The results that came of a task.
    pub fn results(&self, order: &TaskOrder) -> Vec<TaskResult> {
        let book = self.book();
        let results = book.frames.iter().filter_map(|frame| match frame {
            AgentFrame::Result(result) if result.task_id == order.task_id => Some(result.clone()),
            _ => None,
        });
        results.collect()
    }

    /// The acknowledgements that came of a task: whether each was a yes.
    pub fn acks(&self, order: &TaskOrder) -> Vec<bool> {
        let book = self.book();
        let acks = book.frames.iter().filter_map(|frame| match frame {
            AgentFrame::Ack(ack) if ack.task_id == order.task_id => Some(ack.refusal.is_none()),
            _ => None,
        });
        acks.collect()
    }
}

fn data(value: &impl serde::Serialize) -> Json<serde_json::Value> {
    Json(
        json!({ "success": true, "data": value, "meta": { "requestId": "r", "timestamp": Timestamp::from_seconds(0) } }),
    )
}

async fn register(State(server): State<Server>, headers: HeaderMap, Json(body): Json<RegisterRequest>) -> Response {
    if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        let error = json!({ "success": false, "error": { "code": "UNAUTHENTICATED", "message": "no" } });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let mut book = server.book();
    if book.agent_key.as_ref().is_some_and(|known| *known != body.public_key_pem) {
        let error = json!({ "success": false, "error": { "code": "TOKEN_ALREADY_USED", "message": "used" } });
        return (StatusCode::CONFLICT, Json(error)).into_response();
    }
    let code = if book.agent_key.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    book.agent_key = Some(body.public_key_pem);
    let registered = Registered {
        agent_id: server.agent(),
        name: body.hostname,
        token_endpoint: "/oauth/token".to_owned(),
        assertion_audience: "the-issuer".to_owned(),
        heartbeat_seconds: 10,
        server_keys: keys(&server),
        ca_pem: Vec::new(),
    };
    (code, data(&registered)).into_response()
}

#[derive(serde::Deserialize)]
struct TokenForm {
    grant_type: String,
    assertion: String,
}

async fn token(State(server): State<Server>, Form(form): Form<TokenForm>) -> Response {
    assert_eq!(form.grant_type, plimsoll_protocol::agent::enrol::TOKEN_GRANT);
    let mut book = server.book();
    let key = DecodingKey::from_ec_pem(book.agent_key.as_ref().unwrap().as_bytes()).unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&["the-issuer"]);
    let claims = jsonwebtoken::decode::<AssertionClaims>(&form.assertion, &key, &rules).unwrap().claims;
    assert_eq!((claims.iss, claims.sub), (server.agent(), server.agent()));
    let join = (claims.seq, claims.jti);
    if join.0 <= book.answered {
        let error = json!({ "error": "invalid_grant", "error_description": "go on", "code": "JOIN_ANSWERED" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let expected = book.joins.last().map_or(1, |(seq, _)| seq + 1).max(book.answered + 1);
    if join.0 != expected && book.joins.last() != Some(&join) {
        let error = json!({ "error": "invalid_grant", "error_description": format!("seq must be {expected}") });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    book.joins.push(join);
    Json(json!({ "access_token": "access", "token_type": "Bearer", "expires_in": 600 })).into_response()
}

async fn heartbeat(State(server): State<Server>, Path(id): Path<AgentId>) -> Response {
    assert_eq!(id, server.agent());
    server.book().heartbeats += 1;
    let server_time = Context::system().now();
    data(&HeartbeatAnswer {
        server_time,
        heartbeat_seconds: 10,
        cancel_tasks: Vec::new(),
        rotate_key: false,
        upgrade_to: None,
    })
    .into_response()
}

async fn stream(State(server): State<Server>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    assert_eq!(headers["authorization"], "Bearer access");
    server.inner.connections.fetch_add(1, Ordering::SeqCst);
    upgrade.on_upgrade(move |socket| serve(server, socket))
}

fn keys(server: &Server) -> Vec<ServerKey> {
    vec![ServerKey { key_id: server.inner.key.key_id().to_owned(), public_key_pem: server.key_pem() }]
}

async fn serve(server: Server, mut socket: WebSocket) {
    let (say, mut said) = mpsc::unbounded_channel();
    let hello = ServerFrame::Hello(ServerHello {
        server_version: "test".to_owned(),
        protocol_version: PROTOCOL_VERSION,
        lease_seconds: server.inner.lease_seconds.load(Ordering::SeqCst),
        heartbeat_seconds: 10,
        server_keys: keys(&server),
        announced_ca_pem: Vec::new(),
        targets: server.book().targets.clone(),
    });
    if send(&mut socket, hello).await.is_err() {
        return;
    }
    let offers = {
        let mut book = server.book();
        book.streams.push(say);
        book.offers.clone()
    };
    for offer in offers {
        if send(&mut socket, ServerFrame::Offer(offer)).await.is_err() {
            return;
        }
    }
    loop {
        let answer = tokio::select! {
            said = said.recv() => match said {
                Some(Say::Frame(frame)) => Some(*frame),
                Some(Say::Hang) | None => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match Envelope::<AgentFrame>::decode(text.as_str()).unwrap() {
                    Decoded::Known(envelope) => hear(&server, envelope.frame),
                    Decoded::Unknown { kind } => panic!("an unknown frame {kind}"),
                },
                Some(Ok(_)) => None,
                Some(Err(_)) | None => return,
            },
        };
        if let Some(frame) = answer
            && send(&mut socket, frame).await.is_err()
        {
            return;
        }
    }
}

fn hear(server: &Server, frame: AgentFrame) -> Option<ServerFrame> {
    let mut book = server.book();
    let answer = match &frame {
        AgentFrame::Ack(ack) => {
            book.offers.retain(|offer| (offer.task_id, offer.epoch) != (ack.task_id, ack.epoch));
            None
        }
        AgentFrame::Result(result) => server.inner.acks.load(Ordering::SeqCst).then(|| {
            let (task_id, epoch) = (result.task_id, result.epoch);
            ServerFrame::ResultAck(ResultAck { task_id, epoch, verdict: ResultVerdict::Recorded })
        }),
        AgentFrame::LeaseRenew(renew) => server.inner.leases.load(Ordering::SeqCst).then(|| {
            let lease_seconds = server.inner.lease_seconds.load(Ordering::SeqCst);
            ServerFrame::LeaseRenewed(LeaseRenewed { nonce: renew.nonce, lease_seconds, revoked: Vec::new() })
        }),
        AgentFrame::SecretRequest(request) => Some(ServerFrame::SecretValue(SecretValue {
            request_id: request.request_id,
            task_id: request.task_id,
            epoch: request.epoch,
            values: request.secrets.iter().map(answer).collect(),
        })),
        AgentFrame::Progress(_)
        | AgentFrame::Log(_)
        | AgentFrame::Observation(_)
        | AgentFrame::Status(_)
        | AgentFrame::Auth(_) => None,
    };
    book.frames.push(frame);
    answer
}

async fn send(socket: &mut WebSocket, frame: ServerFrame) -> Result<(), axum::Error> {
    let text = Envelope::new(Context::system().now(), frame).encode().unwrap();
    socket.send(Message::Text(text.into())).await
}
