//! What an operator relies on: limits told in every answer, metrics, and a full disk that loses nothing.

use std::process::Command;

use plimsoll_core::context::Context;
use plimsoll_server::{config::Config, start};
use plimsoll_testkit::{PATIENCE, eventually_async};
use serde_json::json;

use crate::{
    examples::component,
    on_both,
    world::{Answer, World, all},
};

on_both! {
    every_answer_tells_its_limits;
    addresses_without_a_token_are_limited;
    metrics_are_for_the_operator_alone;
    a_full_disk_takes_nothing_new_and_loses_nothing;
}

fn limits(answer: &Answer) -> [u64; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
        .map(|name| answer.header(name).parse().unwrap_or_else(|_| panic!("{name}: {answer:?}")))
}

async fn every_answer_tells_its_limits(world: &World) {
    let admin = Some(world.admin.as_str());
    for (method, path, token, status) in [
        ("GET", "/api/v1/components", admin, 200),
        ("GET", "/api/v1/components", None, 401),
        ("GET", "/nowhere", None, 404),
        ("GET", "/api/v1/nowhere", admin, 404),
        ("PATCH", "/api/v1/components", admin, 405),
        ("GET", "/openapi.json", None, 200),
        ("POST", "/openapi.json", None, 405),
        ("GET", "/.well-known/jwks.json", None, 200),
        ("GET", "/oauth/token", None, 405),
        ("POST", "/oauth/token", None, 400),
        ("DELETE", "/oauth/device", None, 405),
    ] {
        let answer = world.call(method, path, token, None).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
        let [limit, remaining, reset] = limits(&answer);
        assert!(limit == 1000 && remaining < 100 && reset > 1_700_000_000, "{method} {path}: {answer:?}");
        if status == 405 {
            answer.expect(405, "METHOD_NOT_ALLOWED");
        }
    }
}

async fn addresses_without_a_token_are_limited(world: &World) {
    let mut refused = None;
    // The bucket refills by one every 60 ms, so a few more than 100 may pass on a slow machine.
    for _ in 0..400 {
        let answer = world.call("GET", "/nowhere", None, None).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the bucket never ran dry").expect(429, "RATE_LIMITED");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(world.call("GET", "/.well-known/jwks.json", None, None).await.status, 429);
    assert_eq!(world.call("GET", "/healthz", None, None).await.status, 200, "a supervisor always gets its answer");
    assert_eq!(world.get("/api/v1/components").await.status, 200, "who has a token is not affected");
}

async fn metrics_are_for_the_operator_alone(world: &World) {
    world.get("/metrics").await.expect(404, "UNKNOWN_PATH");
    world.get("/api/v1/components").await.data();
    let address = world.server.operator_address;
    assert!(address.ip().is_loopback());
    let get = async |path: &str| {
        let answer = world.client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (status, text) = get("/metrics").await;
    assert_eq!(status, 200, "{text}");
    for line in [
        "plimsoll_requests_total{operation=\"component_list\",status=\"200\"} 1",
        "plimsoll_request_duration_seconds_count{operation=\"component_list\"} 1",
        "plimsoll_stuck_rows{noun=\"deployment_job\"} 0",
        "plimsoll_stuck_rows{noun=\"promotion\"} 0",
        "plimsoll_stuck_rows{noun=\"task\"} 0",
        "plimsoll_unsigned_evidence 0",
    ] {
        assert!(text.lines().any(|one| one == line), "no {line} in {text}");
    }
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
        line.trim().parse::<f64>().unwrap()
    };
    assert!(value("plimsoll_disk_size_bytes ") >= value("plimsoll_disk_free_bytes "));
    assert!(value("plimsoll_resident_memory_bytes ") > 1e6);
    assert_eq!((get("/healthz").await.0, get("/readyz").await.0), (200, 200));
    assert_eq!(get("/api/v1/components").await.0, 404, "the API is not here");
}

/// A small file system of its own in a folder; taken away when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(folder: &std::path::Path) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(folder).status();
        assert!(mounted.unwrap().success());
        Self(folder.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the server may still have files open.
        let gone = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(gone.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

async fn a_full_disk_takes_nothing_new_and_loses_nothing(world: &World) {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(folder.path());
    let world = world.again_in(tempfile::tempdir_in(folder.path()).unwrap()).await;
    let made = world.post("/api/v1/components", &component(&world, "before").await).await;
    // Less is left than a fiftieth, and enough for what is under way.
    let ballast = disk.0.join("ballast");
    let script = "free=$(df --output=avail -k . | tail -n 1); head -c $(((free - 1200) * 1024)) /dev/zero > ballast";
    assert!(Command::new("sh").args(["-c", script]).current_dir(&disk.0).status().unwrap().success());
    let refused = eventually_async("the full disk is seen", PATIENCE, async || {
        let answer =
            world.post("/api/v1/environments", &json!({ "name": format!("e-{}", world.context.uuid()) })).await;
        answer.body["error"]["message"].as_str().is_some_and(|text| text.contains("disk is full")).then_some(answer)
    });
    refused.await.unwrap().expect(503, "UNAVAILABLE");
    assert_eq!(world.get(&format!("/api/v1/components/{}", made.id())).await.data()["name"], "before");
    std::fs::remove_file(&ballast).unwrap();
    eventually_async("there is space again", PATIENCE, async || {
        world.post("/api/v1/environments", &json!({ "name": "after" })).await.status == 201
    })
    .await
    .unwrap();
    drop(world);
    drop(disk);
}

/// Replicas share one PostgreSQL; SQLite has one server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_spent_at_one_replica_is_spent_at_the_other() {
    let world = World::postgres().await;
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_directory: folder.path().to_owned(),
        root_key_file: Some(world.data_directory().join("root.key")),
        public_url: Some(world.server.url.clone()),
        database_url: world.database_url(),
        ..Config::defaults()
    };
    let other = start(&config, Context::system()).await.unwrap();
    let token = world.token(world.home, world.context.id(), all());
    let call = async |url: &str| {
        let request = world.client.get(format!("{url}/api/v1/components")).bearer_auth(&token);
        request.send().await.unwrap().status().as_u16()
    };
    let spend = async |url: &str| {
        let mut allowed = 0;
        while call(url).await == 200 {
            allowed += 1;
            assert!(allowed < 400, "the bucket never ran dry");
        }
        allowed
    };
    assert!(spend(&world.server.url).await >= 100);
    // Until the next exchange the other one knows nothing of it, and each second gives back sixteen.
    let mut allowed = 0;
    eventually_async("the other replica refuses too", PATIENCE, async || match call(&other.url).await {
        429 => true,
        status => {
            assert_eq!(status, 200);
            allowed += 1;
            false
        }
    })
    .await
    .unwrap();
    assert!(allowed < 90, "{allowed} calls passed that were spent elsewhere");
}
