//! Traces to an OpenTelemetry collector. There is none to install here: a listener that takes OTLP over HTTP
//! (`POST /v1/traces`, protobuf) and keeps what it gets stands for it.

use std::{
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use plimsoll_testkit::{PATIENCE, eventually_async};

use crate::support::Served;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_call_is_a_span_and_none_is_lost_at_the_end() {
    let taken: Arc<Mutex<Vec<u8>>> = Arc::default();
    let keep = Arc::clone(&taken);
    let collector = Router::new().route(
        "/v1/traces",
        post(move |body: Bytes| {
            keep.lock().unwrap().extend_from_slice(&body);
            std::future::ready(())
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });
    let home = tempfile::tempdir().unwrap();
    let mut server = Served::start_with(home.path(), &["--otlp-endpoint", &endpoint]);
    let calls = reqwest::Client::builder().build().unwrap();
    for path in ["/api/v1/components", "/api/v1/releases"] {
        let answer = calls.get(format!("{}{path}", server.url)).header("X-Request-Id", "seen-in-traces").send();
        assert_eq!(answer.await.unwrap().status(), 401);
    }
    assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
    eventually_async("the server has ended", PATIENCE, async || server.child.try_wait().unwrap().is_some())
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&taken.lock().unwrap()).into_owned();
    for part in ["service.name", "plimsoll", "component_list", "release_list", "seen-in-traces"] {
        assert!(text.contains(part), "no {part} in {text:?}");
    }
}
