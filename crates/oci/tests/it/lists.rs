//! Lists in pages from a server that keeps to its own page size, as many do.

use plimsoll_oci::RegistryError;
use serde_json::json;

use crate::{
    fake::{self, Fake, Seen},
    support::{client, client_of, config, repository},
};

/// Tags `0000`…, at most `largest` a page, paged as the specification says (`n`, `last`, `Link`).
fn tags(seen: &Seen, count: usize, largest: usize) -> axum::response::Response {
    let n = seen.query("n").map_or(largest, |n| n.parse::<usize>().unwrap().min(largest));
    let first = seen.query("last").map_or(0, |last| last.parse::<usize>().unwrap() + 1);
    let end = (first + n).min(count);
    let page: Vec<String> = (first..end).map(|tag| format!("{tag:04}")).collect();
    let body = json!({"name": "shop/api", "tags": page}).to_string();
    if end == count {
        return fake::answer(200, &[("content-type", "application/json")], body);
    }
    // The inner name, as registries behind proxies write it.
    let link = format!("<http://registry.internal:9999{}?n={n}&last={:04}>; rel=\"next\"", seen.path(), end - 1);
    fake::answer(200, &[("content-type", "application/json"), ("link", &link)], body)
}

#[tokio::test]
async fn all_pages_are_read_to_the_last_tag() {
    let fake = Fake::start(|seen| tags(seen, 2501, 100)).await;
    let found = client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap();
    assert_eq!(found, (0..2501).map(|tag| format!("{tag:04}")).collect::<Vec<_>>());
    let seen = fake.targets();
    assert_eq!(seen.len(), 26);
    assert_eq!(seen[0], "/v2/shop/api/tags/list?n=1000");
    assert_eq!(seen[25], "/v2/shop/api/tags/list?n=100&last=2499");
}

#[tokio::test]
async fn a_caller_can_go_page_by_page() {
    let fake = Fake::start(|seen| tags(seen, 3, 2)).await;
    let (client, api) = (client(&fake.url()), repository("shop/api"));
    let first = client.tags_page(&api, None).await.unwrap();
    assert_eq!(first.tags, ["0000", "0001"]);
    let second = client.tags_page(&api, first.next.as_deref()).await.unwrap();
    assert_eq!((second.tags, second.next), (vec!["0002".to_owned()], None));
}

#[tokio::test]
async fn an_endless_list_ends() {
    let fake = Fake::start(|seen| tags(seen, usize::MAX, 10)).await;
    let mut few_pages = config(&fake.url());
    few_pages.limits.pages = 7;
    let error = client_of(few_pages).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(error.to_string().contains("more than 7 pages"), "{error}");
    assert_eq!(fake.seen().len(), 7);

    let mut few_tags = config(&fake.url());
    few_tags.limits.tags = 25;
    let error = client_of(few_tags).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(error.to_string().contains("more than 25 tags"), "{error}");
}

#[tokio::test]
async fn a_list_that_turns_in_circles_is_an_error() {
    let fake = Fake::start(|_| {
        fake::answer(200, &[("link", "</v2/shop/api/tags/list?n=1000>; rel=\"next\"")], r#"{"tags":["1"]}"#)
    })
    .await;
    let error = client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(error, RegistryError::BadAnswer { .. }), "{error:?}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn a_repository_without_tags_may_say_null() {
    let fake = Fake::start(|_| fake::answer(200, &[], r#"{"name":"shop/api","tags":null}"#)).await;
    assert_eq!(client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_catalog_looks_through_pages_for_what_matches() {
    let fake = Fake::start(|seen| {
        let page: u32 = seen.query("last").map_or(0, |last| last.parse().unwrap());
        let names = json!({"repositories": [format!("team/{page}"), format!("team/api-{page}")]}).to_string();
        let link = format!("</v2/_catalog?n=500&last={}>; rel=\"next\"", page + 1);
        fake::answer(200, &[("link", &link)], names)
    })
    .await;
    let client = client(&fake.url());
    let first = client.catalog(None, Some("API-")).await.unwrap();
    assert_eq!((first.repositories.len(), first.repositories[19].as_str()), (20, "team/api-19"));
    let second = client.catalog(first.next.as_deref(), Some("api-")).await.unwrap();
    assert_eq!(second.repositories[0], "team/api-20");
    assert_eq!(fake.targets()[0], "/v2/_catalog?n=500");
}

#[tokio::test]
async fn the_catalog_holds_names_of_repositories_each_once() {
    let fake = Fake::start(|seen| {
        let (names, link) = if seen.query("last").is_none() {
            let odd = ["../../etc", "shop/api\u{1b}[31m", "<script>", "Shop/Api", "", "a//b", "x?n=1"];
            (json!([&odd[..], &["shop/api", "shop/web", "shop/api"]].concat()), "</v2/_catalog?n=500&last=b>; rel=next")
        } else {
            (json!(["shop/web", "shop/db", "x".repeat(256)]), "</v2/>; rel=prev")
        };
        fake::answer(200, &[("link", link)], json!({ "repositories": names }).to_string())
    })
    .await;
    let found = client(&fake.url()).catalog(None, None).await.unwrap();
    assert_eq!(
        (found.repositories, found.next),
        (["shop/api", "shop/web", "shop/db"].map(str::to_owned).to_vec(), None)
    );
}

#[tokio::test]
async fn a_catalog_that_turns_in_circles_is_an_error() {
    // a → b → c → a: no page links to itself.
    let fake = Fake::start(|seen| {
        let next = match seen.query("last").as_deref() {
            None | Some("c") => "a",
            Some("a") => "b",
            Some(_) => "c",
        };
        let link = format!("</v2/_catalog?n=500&last={next}>; rel=next");
        fake::answer(200, &[("link", &link)], json!({"repositories": [format!("shop/{next}")]}).to_string())
    })
    .await;
    let error = client(&fake.url()).catalog(None, None).await.unwrap_err();
    assert!(error.to_string().contains("read already"), "{error}");
    assert_eq!(fake.seen().len(), 4);
    let error = client(&fake.url()).catalog(Some("n=500&last=b"), None).await.unwrap_err();
    assert!(error.to_string().contains("read already"), "{error}");
}
