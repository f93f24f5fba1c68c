//! A server that answers as a test says and remembers what it was asked.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode, header::AUTHORIZATION},
    response::Response,
};
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
}

impl Seen {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// A parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.queries(name).into_iter().next()
    }

    pub fn queries(&self, name: &str) -> Vec<String> {
        let url = reqwest::Url::parse("http://x").unwrap().join(&self.target).unwrap();
        url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned()).collect()
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Response + Send + Sync>;

#[derive(Clone)]
pub struct Fake {
    pub address: SocketAddr,
    pub router: axum::Router,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Fake {
    /// Serves plain HTTP on loopback until the test ends.
    pub async fn start(handler: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), handler).await
    }

    /// Serves at one address of this machine.
    pub async fn start_at(address: SocketAddr, handler: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let fake = Self::new(listener.local_addr().unwrap(), Arc::new(handler));
        let router = fake.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    /// The server's behaviour without a listener.
    pub fn new(address: SocketAddr, handler: Handler) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let answer = move |request: Request| {
            let one = Seen {
                method: request.method().clone(),
                target: request.uri().path_and_query().unwrap().to_string(),
                authorization: request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned()),
            };
            let response = handler(&one);
            log.lock().unwrap().push(one);
            async move { response }
        };
        Self { address, router: axum::Router::new().fallback(answer), seen }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn targets(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.target).collect()
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

pub fn json(body: &serde_json::Value) -> Response {
    answer(200, &[("content-type", "application/json")], body.to_string())
}

/// A refusal in the specification's form.
pub fn refusal(status: u16, code: &str) -> Response {
    let body = serde_json::json!({"errors": [{"code": code, "message": code.to_lowercase().replace('_', " "), "detail": null}]});
    answer(status, &[("content-type", "application/json")], body.to_string())
}
