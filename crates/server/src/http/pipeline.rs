//! What every call goes through, in this order: request id, token, rate limit, permission, body, handler,
//! envelope. Nothing here knows an operation; everything comes from the operation table.

use std::{net::IpAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use plimsoll_app::Caller;
use plimsoll_core::{
    Digest, Error, ErrorCode, Result, Timestamp, ValidationError,
    audit::{Origin, Principal, PrincipalType},
    json::parse_strict,
    permission::denied,
    rate::{Quota, Tier, Verdict},
};
use plimsoll_protocol::operation::{Effect, Idempotency, Method};
use plimsoll_store::idempotency::IdempotencyKey;
use serde_json::{Map, Value};
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    answer,
    call::Call,
    rate::{self, Class, Payer},
    route::Route,
};
use crate::state::Server;

/// The largest body; artifacts aside.
const BODY: usize = 1024 * 1024;
/// The deepest JSON.
const DEPTH: usize = 64;

/// The peer's address, put into the request by the listener.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves one call of `route`.
pub(crate) async fn run(
    server: Arc<Server>,
    route: Arc<Route>,
    path: Vec<(String, String)>,
    request: Request<Body>,
) -> Response {
    let now = server.app.context.now();
    let origin = origin(&server, &request);
    let request_id = origin.request_id.clone();
    let mut known = Known::default();
    let operation = route.operation.id.as_str();
    let span = tracing::info_span!(
        "request",
        otel.name = operation,
        otel.kind = "server",
        request_id,
        http.response.status_code = tracing::field::Empty
    );
    let serving = serve(&server, &route, path, request, origin, now, &mut known).instrument(span.clone());
    let outcome = Box::pin(serving).await;
    let ended = server.app.context.now();
    let mut response = match outcome.and_then(|answer| answer::envelop(answer, &request_id, ended)) {
        Ok(response) => response,
        Err(error) => answer::refuse(&error, &request_id, ended),
    };
    if let Some((verdict, quota)) = known.spent {
        rate::headers(&verdict, quota, response.headers_mut());
    }
    server.metrics.served(operation, response.status().as_u16(), ended.micros_since(now));
    span.record("http.response.status_code", response.status().as_u16());
    tracing::info!(
        operation,
        request_id,
        principal_type = known.principal.as_ref().map(|one| one.kind.as_str()),
        principal_id = known.principal.as_ref().map(|one| tracing::field::display(one.id)),
        tenant_id = known.principal.as_ref().map(|one| tracing::field::display(one.tenant)),
        status = response.status().as_u16(),
        micros = ended.micros_since(now),
        "served"
    );
    finish(response, &request_id)
}

/// Headers that every answer carries, those of unknown paths too.
pub(crate) fn finish(mut response: Response, request_id: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Where a request comes from. Its id is the client's if it is sane.
pub(crate) fn origin<B>(server: &Server, request: &Request<B>) -> Origin {
    let sane = |text: &&str| {
        (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    Origin {
        request_id: text("x-request-id")
            .filter(sane)
            .map_or_else(|| server.app.context.uuid().to_string(), str::to_owned),
        address: request.extensions().get::<Peer>().map(|peer| peer.0.to_string()),
        user_agent: text("user-agent").map(|text| text.chars().take(256).collect()),
    }
}

/// The id of what the call is about, if the path names one.
fn subject(route: &Route, path: &[(String, String)]) -> Option<Uuid> {
    let parameter = route.subject?;
    path.iter().find(|(name, _)| name == parameter)?.1.parse().ok()
}

type Spent = Option<(Verdict, Quota)>;

/// What came out about a call on its way, for its headers and its line in the log.
#[derive(Default)]
struct Known {
    spent: Spent,
    principal: Option<Principal>,
}

async fn serve(
    server: &Arc<Server>,
    route: &Route,
    path: Vec<(String, String)>,
    request: Request<Body>,
    origin: Origin,
    now: Timestamp,
    known: &mut Known,
) -> Result<answer::Answer> {
    let token = match server.authenticate(request.headers(), request.uri(), route.operation, now).await {
        Ok(token) => token,
        Err(error) => {
            limit(
                server,
                Payer::Address(origin.address.clone().unwrap_or_default()),
                Tier::Standard.quota(),
                now,
                &mut known.spent,
            )?;
            return Err(error);
        }
    };
    let principal = token.principal.clone();
    known.principal = Some(principal.clone());
    let class = Class::of(route.operation.rate);
    let quota = class.quota(server.quota(principal.tenant));
    limit(server, Payer::Principal(principal.id, class), quota, now, &mut known.spent)?;

    let (mut parts, body) = request.into_parts();
    let query = query(parts.uri.query())?;
    let mut caller = Caller {
        if_match: if_match(&parts.headers)?,
        idempotency: None,
        operation: route.operation.id,
        subject: subject(route, &path),
        principal,
        origin,
        now,
    };
    permitted(server, route, &caller).await?;
    route.check_query(&query)?;
    if route.operation.effect == Effect::Mutation {
        server.gate.check_mutation(now)?;
        if caller.principal.kind != PrincipalType::Agent {
            server.disk.check_new_work()?;
        }
    }
    let raw = read(body).await?;
    caller.idempotency = idempotency(route, &parts.headers, parts.uri.path(), &caller.principal, &raw)?;
    let (body, read_only) = check_body(route, &parts.headers, &raw)?;
    let upgrade = if route.operation.method == Method::WebSocket {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &()).await;
        Some(upgrade.map_err(|_| {
            Error::new(ErrorCode::ValidationFailed, "this is a stream: open it as a WebSocket (RFC 6455)")
        })?)
    } else {
        None
    };
    let headers = parts.headers;
    let call = Call { server: Arc::clone(server), caller, token, path, query, body, read_only, headers, upgrade };
    (route.handler)(call).await
}

fn limit(server: &Server, payer: Payer, quota: Quota, now: Timestamp, limited: &mut Spent) -> Result<()> {
    let verdict = server.limiter.take(payer, quota, now);
    *limited = Some((verdict, quota));
    if verdict.allowed { Ok(()) } else { Err(rate::refusal(&verdict)) }
}

/// The check at the door: the permission is held somewhere. Where matters is known later.
async fn permitted(server: &Server, route: &Route, caller: &Caller) -> Result<()> {
    let permission = route.operation.permission;
    if caller.principal.grants.somewhere(permission) {
        return Ok(());
    }
    let error = denied(permission, None);
    server.app.after_refusal(caller, &error, None).await?;
    Err(error)
}

async fn read(body: Body) -> Result<Bytes> {
    match Limited::new(body, BODY).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(cause) if cause.is::<LengthLimitError>() => {
            Err(Error::new(ErrorCode::BodyTooLarge, format!("the body is larger than {BODY} bytes")))
        }
        Err(cause) => {
            Err(Error::new(ErrorCode::MalformedJson, "the body did not arrive whole").internal(cause.to_string()))
        }
    }
}

fn query(raw: Option<&str>) -> Result<Vec<(String, String)>> {
    let raw = raw.unwrap_or_default();
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
    for (index, (name, _)) in pairs.iter().enumerate() {
        if pairs[..index].iter().any(|(earlier, _)| earlier == name) {
            return Err(Error::field(name, "duplicate", "this parameter is given twice"));
        }
    }
    Ok(pairs)
}

fn if_match(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text == "*" {
        return Ok(None);
    }
    let revision = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    revision.map(Some).ok_or_else(|| {
        Error::field("If-Match", "format", "give the revision as the ETag has it, in quotes, such as \"3\"")
    })
}

fn idempotency(
    route: &Route,
    headers: &HeaderMap,
    path: &str,
    principal: &Principal,
    body: &[u8],
) -> Result<Option<IdempotencyKey>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    if route.operation.method != Method::Post {
        return Ok(None);
    }
    let key = value.to_str().unwrap_or_default();
    if key.is_empty() || key.len() > 255 || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::field("Idempotency-Key", "format", "must be 1 to 255 visible ASCII characters"));
    }
    if route.operation.idempotency == Idempotency::None {
        // It changes nothing: a repeat finds what is there now, which is what the caller asks for.
        return Ok(None);
    }
    Ok(Some(IdempotencyKey {
        principal: principal.id,
        method: route.operation.method.as_str(),
        path: path.to_owned(),
        key: key.to_owned(),
        body: Digest::of(body),
    }))
}

fn check_body(route: &Route, headers: &HeaderMap, raw: &Bytes) -> Result<(Value, Map<String, Value>)> {
    let Some((_, schema)) = &route.body else {
        if raw.is_empty() || raw.as_ref() == b"{}" {
            return Ok((Value::Null, Map::new()));
        }
        return Err(Error::field("", "unexpected_body", "this operation takes no body"));
    };
    if raw.is_empty() && !route.body_required {
        return Ok((Value::Object(Map::new()), Map::new()));
    }
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Error::new(ErrorCode::UnsupportedMediaType, "send the body as Content-Type: application/json"));
    }
    let mut body = parse_strict(raw, DEPTH)?;
    let mut read_only = Map::new();
    if route.operation.method == Method::Put
        && let Value::Object(map) = &mut body
    {
        // A GET's answer can be changed and PUT back: what can only be read is compared later.
        let known = &route.answer_fields;
        let names: Vec<String> =
            map.keys().filter(|name| !schema.has_field(name) && known.contains(*name)).cloned().collect();
        for name in names {
            if let Some(value) = map.remove(&name) {
                read_only.insert(name, value);
            }
        }
    }
    let mut wrong: Vec<ValidationError> = schema.check(&body);
    if wrong.is_empty() {
        return Ok((body, read_only));
    }
    let more = (route.rules)(&body, &wrong);
    wrong.extend(more);
    Err(Error::invalid(wrong))
}
