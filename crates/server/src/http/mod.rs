//! HTTP: the only room that knows axum.

mod agent;
mod agent_stream;
pub(crate) mod answer;
mod approval_policy;
mod audit_event;
pub(crate) mod call;
mod client;
mod component;
mod deployment_job;
mod download;
mod environment;
mod evidence_packet;
mod freeze_window;
mod integration;
mod job_stream;
pub(crate) mod openapi;
pub(crate) mod pipeline;
mod promotion;
pub(crate) mod rate;
mod reference;
mod registration_token;
mod release;
mod role;
mod role_binding;
mod rollback;
pub(crate) mod route;
mod routes;
pub(crate) mod schema;
pub(crate) mod status;
mod stream;
mod stream_ticket;
mod target;
mod tenant;
mod user;
mod version_sticker;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request},
    middleware::from_fn_with_state,
    response::Response,
    routing::{MethodFilter, MethodRouter, get},
};
use bytes::Bytes;
use plimsoll_core::{Error, ErrorCode, Result};
use plimsoll_protocol::operation::Method;

use crate::state::Server;

/// The public router: the operations that are built, the OpenAPI document, health; unknown paths and
/// methods in the envelope.
pub(crate) fn router(server: &Arc<Server>) -> Result<Router> {
    let routes: Vec<Arc<route::Route>> = routes::all()?.into_iter().map(Arc::new).collect();
    let described = routes.clone();
    let mut by_path: BTreeMap<String, MethodRouter> = BTreeMap::new();
    for route in routes {
        let path = route.operation.full_path();
        let methods = by_path.remove(&path).unwrap_or_else(|| limited_unknown_method(server));
        by_path.insert(path, attach(methods, server, route));
    }
    let mut router = Router::new();
    for (path, methods) in by_path {
        router = router.route(&path, methods);
    }
    let (alive, ready) = (Arc::clone(server), Arc::clone(server));
    Ok(router
        .merge(open(server, Document { routes: described, bytes: OnceLock::new(), page: OnceLock::new() }))
        .route("/healthz", get(move || crate::health::alive(Arc::clone(&alive))))
        .route("/readyz", get(move || crate::health::ready(Arc::clone(&ready)))))
}

/// What anybody may ask, limited by address: the document for programs and for people, and every path that does not exist.
fn open(server: &Arc<Server>, document: Document) -> Router {
    let (unknown, described) = (Arc::clone(server), Arc::clone(server));
    let (document, reader) = (Arc::new(document), Arc::clone(server));
    let readable = Arc::clone(&document);
    let describe = move |request: Request| {
        let bytes = rate::admitted(&request).and_then(|()| document.bytes());
        std::future::ready(bytes.map_or_else(|error| refuse(&described, &request, &error), json_file))
    };
    let read = move |request: Request| {
        let page = rate::admitted(&request).and_then(|()| readable.page());
        std::future::ready(page.map_or_else(|error| refuse(&reader, &request, &error), reference::respond))
    };
    Router::new()
        .route("/openapi.json", unknown_method(server).get(describe))
        .route("/docs", unknown_method(server).get(read))
        .fallback(move |request: Request| {
            let error = Error::new(
                ErrorCode::UnknownPath,
                format!("there is no {}; /openapi.json lists what there is", request.uri().path()),
            );
            std::future::ready(refuse(&unknown, &request, &error))
        })
        .layer(from_fn_with_state(Arc::clone(server), rate::by_address))
}

/// The OpenAPI document of the operations that are built, as `GET /openapi.json` answers it, laid out for people.
pub fn openapi_document() -> Result<String> {
    let routes: Vec<Arc<route::Route>> = routes::all()?.into_iter().map(Arc::new).collect();
    serde_json::to_string_pretty(&openapi::document(&routes)?)
        .map_err(|cause| Error::internal_defect(format!("the OpenAPI document is not JSON: {cause}")))
}

fn attach(methods: MethodRouter, server: &Arc<Server>, route: Arc<route::Route>) -> MethodRouter {
    let filter = match route.operation.method {
        Method::Get | Method::WebSocket => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    let server = Arc::clone(server);
    methods.on(filter, move |params: RawPathParams, request: Request<Body>| {
        let path = params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        pipeline::run(Arc::clone(&server), Arc::clone(&route), path, request)
    })
}

/// Methods that a path does not know, in the envelope.
pub(crate) fn unknown_method(server: &Arc<Server>) -> MethodRouter {
    let server = Arc::clone(server);
    MethodRouter::new().fallback(move |request: Request| {
        let error = Error::new(
            ErrorCode::MethodNotAllowed,
            format!("{} is not offered at {}; /openapi.json lists what is", request.method(), request.uri().path()),
        );
        std::future::ready(refuse(&server, &request, &error))
    })
}

/// The same at an operation's path, where calls with a token are limited by their principal and these by address.
fn limited_unknown_method(server: &Arc<Server>) -> MethodRouter {
    unknown_method(server).layer(from_fn_with_state(Arc::clone(server), rate::by_address))
}

fn refuse(server: &Server, request: &Request, error: &Error) -> Response {
    let origin = pipeline::origin(server, request);
    let throttled = rate::admitted(request).err();
    let error = throttled.as_ref().unwrap_or(error);
    pipeline::finish(answer::refuse(error, &origin.request_id, server.app.context.now()), &origin.request_id)
}

/// The OpenAPI document, made when it is first asked for.
struct Document {
    routes: Vec<Arc<route::Route>>,
    bytes: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
}

impl Document {
    fn bytes(&self) -> Result<Bytes> {
        if let Some(made) = self.bytes.get() {
            return Ok(made.clone());
        }
        let made = serde_json::to_vec(&openapi::document(&self.routes)?)
            .map_err(|cause| Error::internal_defect(format!("the OpenAPI document is not JSON: {cause}")))?;
        Ok(self.bytes.get_or_init(|| Bytes::from(made)).clone())
    }

    /// The same for people.
    fn page(&self) -> Result<Bytes> {
        if let Some(made) = self.page.get() {
            return Ok(made.clone());
        }
        let made = reference::page(&openapi::document(&self.routes)?)?;
        Ok(self.page.get_or_init(|| made).clone())
    }
}

fn json_file(bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
