//! Evidence packets over HTTP: their forms, whole and in part.

use plimsoll_testkit::{PATIENCE, eventually_async};
use reqwest::header;
use serde_json::json;

use crate::{on_both, world::World};

on_both! {
    a_packet_is_downloaded_in_its_forms_whole_and_in_part;
}

/// The id of a signed packet.
async fn signed(world: &World) -> String {
    let made = world.post("/api/v1/environments", &json!({ "name": "prod" })).await;
    let body = json!({ "name": "prod", "soakSeconds": 60, "reason": "we saw leaks" });
    let path = format!("/api/v1/environments/{}", made.id());
    let request = world.request("PUT", &path, Some(&world.admin)).header(header::IF_MATCH, made.header("etag"));
    assert!(World::read(request.json(&body)).await.status.is_success());
    eventually_async("a packet is signed", PATIENCE, async || {
        let all = world.get("/api/v1/evidence-packets?filter={%22signed%22:true}").await;
        all.data()[0]["id"].as_str().map(str::to_owned).ok_or_else(|| anyhow::anyhow!("{}", all.body))
    })
    .await
    .unwrap()
}

async fn fetch(world: &World, path: &str, more: &[(header::HeaderName, &str)]) -> (u16, header::HeaderMap, Vec<u8>) {
    let mut request = world.request("GET", path, Some(&world.admin));
    for (name, value) in more {
        request = request.header(name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    (status, headers, response.bytes().await.unwrap().to_vec())
}

async fn a_packet_is_downloaded_in_its_forms_whole_and_in_part(world: &World) {
    let id = signed(world).await;
    let path = format!("/api/v1/evidence-packets/{id}/download");
    let text = |headers: &header::HeaderMap, name| headers[name].to_str().unwrap().to_owned();
    for (format, ending, kind) in [
        ("", "sigstore.json", "application/json"),
        ("?format=sigstore", "sigstore.json", "application/json"),
        ("?format=dsse", "dsse.json", "application/json"),
        ("?format=bundle", "zip", "application/zip"),
    ] {
        let path = format!("{path}{format}");
        let (status, headers, whole) = fetch(world, &path, &[]).await;
        assert_eq!((status, text(&headers, header::CONTENT_TYPE)), (200, kind.to_owned()), "{format}");
        assert_eq!(text(&headers, header::CONTENT_DISPOSITION), format!("attachment; filename=\"{id}.{ending}\""));
        let etag = text(&headers, header::ETAG);
        let (status, _, empty) = fetch(world, &path, &[(header::IF_NONE_MATCH, &etag)]).await;
        assert_eq!((status, empty.len()), (304, 0), "{format}");
        let range = [(header::RANGE, "bytes=10-19"), (header::IF_RANGE, etag.as_str())];
        let (status, headers, part) = fetch(world, &path, &range).await;
        assert_eq!((status, part.as_slice()), (206, &whole[10..20]), "{format}");
        assert_eq!(text(&headers, header::CONTENT_RANGE), format!("bytes 10-19/{}", whole.len()));
        let (status, _, _) = fetch(world, &path, &[(header::RANGE, "bytes=99999999-")]).await;
        assert_eq!(status, 416, "{format}");
        assert_eq!(whole.starts_with(b"PK"), ending == "zip");
    }
    world.get(&format!("{path}?format=pdf")).await.expect(400, "VALIDATION_FAILED");
    // Found by what it is about.
    let packet = world.get(&format!("/api/v1/evidence-packets/{id}")).await;
    assert_eq!(packet.data()["people"].as_array().map(Vec::len), Some(1));
    let digest = packet.data()["subject"][0]["digest"].as_str().unwrap().to_owned();
    let found = world.get(&format!("/api/v1/evidence-packets?filter={{%22digest%22:%22{digest}%22}}")).await;
    assert_eq!(found.data()[0]["id"], id.as_str());
}
