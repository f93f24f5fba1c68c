//! The reference registry behind a token server that follows the Distribution project's "Token
//! Authentication Specification": the registry verifies signature, issuer, audience, time and access.

use std::{path::PathBuf, sync::Arc};

use base64::Engine;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use plimsoll_oci::{Credentials, RegistryClient, RegistryError};
use serde_json::{Value, json};

use crate::{
    fake::{self, Fake, Seen},
    images::{Image, Push},
    registry::{Auth, PASSWORD, Registry, Storage},
    support::{Clock, client_of, config, reference, repository, user},
};

/// A token server for the user `robot`; nobody gets tokens without rights.
struct TokenServer {
    fake: Fake,
    root: PathBuf,
}

impl TokenServer {
    async fn start(storage: &Storage, field: &'static str) -> Self {
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["token-server".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let root = storage.path().join("token-root.pem");
        std::fs::write(&root, certificate.pem()).unwrap();
        let signing = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
        let chain = base64::engine::general_purpose::STANDARD.encode(certificate.der());
        let signer = Arc::new(move |claims: &Value| {
            let header = Header { x5c: Some(vec![chain.clone()]), ..Header::new(Algorithm::ES256) };
            jsonwebtoken::encode(&header, claims, &signing).unwrap()
        });
        let fake = Fake::start(move |seen| grant(seen, field, signer.as_ref())).await;
        Self { fake, root }
    }

    fn registry(&self, storage: &Storage) -> Registry {
        let realm = format!("{}/token", self.fake.url());
        storage.serve(&Auth::Token { realm: &realm, root: &self.root })
    }

    fn scopes(&self) -> Vec<Vec<String>> {
        self.fake.seen().iter().map(|seen| seen.queries("scope")).collect()
    }
}

fn grant(seen: &Seen, field: &str, sign: &dyn Fn(&Value) -> String) -> axum::response::Response {
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("robot:{PASSWORD}"));
    let subject = match &seen.authorization {
        Some(header) if *header == format!("Basic {expected}") => "robot",
        Some(_) => return fake::refusal(401, "UNAUTHORIZED"),
        None => "",
    };
    let access: Vec<Value> = seen
        .queries("scope")
        .iter()
        .filter(|_| !subject.is_empty())
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            Some(json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}))
        })
        .collect();
    let now = now();
    let token = sign(&json!({
        "iss": "token-server", "sub": subject, "aud": seen.query("service"), "nbf": now - 60, "iat": now - 60,
        "exp": now + 600, "jti": "1", "access": access,
    }));
    let mut body = json!({"expires_in": 300, "issued_at": "2026-11-23T10:00:00Z"});
    body[field] = token.into();
    fake::json(&body)
}

fn now() -> i64 {
    plimsoll_core::context::Context::system().now().as_seconds()
}

async fn setup(field: &'static str) -> (Storage, TokenServer, Registry, Image) {
    let storage = Storage::new();
    let image = Image::oci("amd64", None, b"x");
    let open = storage.serve(&Auth::None);
    for name in ["shop/api", "shop/web"] {
        Push::to(&open.url()).image(name, Some("1"), &image).await;
    }
    let tokens = TokenServer::start(&storage, field).await;
    let registry = tokens.registry(&storage);
    (storage, tokens, registry, image)
}

fn signed_in(registry: &Registry, clock: &Clock) -> RegistryClient {
    let mut config = config(&registry.url());
    config.credentials = user("robot", PASSWORD);
    RegistryClient::new(config, clock.context()).unwrap()
}

#[tokio::test]
async fn one_token_serves_a_repository_until_it_ends() {
    let (_storage, tokens, registry, image) = setup("token").await;
    let clock = Clock::new();
    let client = signed_in(&registry, &clock);
    let (api, web, tag) = (repository("shop/api"), repository("shop/web"), reference("1"));

    assert_eq!(client.resolve(&api, &tag).await.unwrap().digest, image.digest());
    assert_eq!(client.list_tags(&api).await.unwrap(), ["1"]);
    assert_eq!(tokens.scopes(), [["repository:shop/api:pull"]], "manifest, configuration and tags took one token");
    assert_eq!(tokens.fake.seen()[0].query("service").as_deref(), Some("tests"));

    client.head_manifest(&web, &tag).await.unwrap();
    assert_eq!(tokens.scopes().len(), 2, "another repository is another scope");
    clock.advance(280);
    client.head_manifest(&api, &tag).await.unwrap();
    assert_eq!(tokens.scopes().len(), 2, "still fresh");
    clock.advance(20);
    client.head_manifest(&api, &tag).await.unwrap();
    assert_eq!(tokens.scopes().len(), 3, "300 s are over");
}

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let (_storage, tokens, registry, image) = setup("access_token").await;
    let client = signed_in(&registry, &Clock::new());
    // The first call learns the scheme.
    client.list_tags(&repository("shop/web")).await.unwrap();
    let calls = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.head_manifest(&repository("shop/api"), &reference("1")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().digest, image.digest());
    }
    assert_eq!(tokens.scopes().len(), 2);
}

#[tokio::test]
async fn the_catalog_has_a_scope_of_its_own_and_ping_reports_all_steps() {
    let (_storage, tokens, registry, _image) = setup("token").await;
    let client = signed_in(&registry, &Clock::new());
    assert_eq!(client.catalog(None, None).await.unwrap().repositories, ["shop/api", "shop/web"]);
    assert_eq!(tokens.scopes(), [["registry:catalog:*"]]);
    let checks = client.ping(Some(&repository("shop/api"))).await;
    assert!(checks.len() == 5 && checks.iter().all(|check| check.ok), "{checks:?}");
    assert_eq!(checks[3].message, "signed in through the token server");
}

#[tokio::test]
async fn a_wrong_password_and_none_at_all_are_refused_and_said() {
    let (_storage, tokens, registry, _image) = setup("token").await;
    let api = repository("shop/api");
    let mut wrong = config(&registry.url());
    wrong.credentials = user("robot", "guess");
    let error = client_of(wrong).list_tags(&api).await.unwrap_err();
    assert!(matches!(&error, RegistryError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("does not accept the user and password; check both"), "{error}");

    let mut nobody = config(&registry.url());
    nobody.credentials = Credentials::Anonymous;
    let error = client_of(nobody).list_tags(&api).await.unwrap_err();
    assert!(!tokens.fake.seen().is_empty());
    assert!(matches!(&error, RegistryError::Forbidden { .. } | RegistryError::Unauthorized { .. }), "{error:?}");
}

#[tokio::test]
async fn a_token_that_the_registry_no_longer_takes_is_fetched_anew() {
    let api = repository("shop/api");
    let tokens = Fake::start(|_| fake::json(&json!({"token": "second", "expires_in": 3600}))).await;
    let realm = format!("{}/token", tokens.url());
    let registry = {
        let count = std::sync::atomic::AtomicUsize::new(0);
        Fake::start(move |seen| match seen.authorization.as_deref() {
            // The first token is good for one call.
            Some("Bearer second") if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) != 1 => {
                fake::json(&json!({"tags": ["1"]}))
            }
            _ => fake::answer(401, &[("www-authenticate", &format!("Bearer realm=\"{realm}\",service=s"))], ""),
        })
        .await
    };
    let client = client_of(config(&registry.url()));
    for _ in 0..2 {
        assert_eq!(client.list_tags(&api).await.unwrap(), ["1"]);
    }
    assert_eq!((tokens.seen().len(), registry.seen().len()), (2, 4));
}

#[tokio::test]
async fn a_password_goes_to_no_token_server_in_the_clear() {
    let stranger = Fake::start(|_| fake::json(&json!({"token": "t"}))).await;
    let port = stranger.address.port();
    for realm in [
        format!("http://localhost:{port}/token"),
        format!("http://127.0.0.2:{port}/token"),
        "ftp://127.0.0.1/token".to_owned(),
        "/token".to_owned(),
        String::new(),
    ] {
        let challenge = format!("Bearer realm=\"{realm}\",service=\"s\"");
        let registry = Fake::start(move |_| fake::answer(401, &[("www-authenticate", &challenge)], "")).await;
        let mut config = config(&registry.url());
        config.credentials = user("robot", PASSWORD);
        let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
        assert!(matches!(error, RegistryError::BadAnswer { .. }), "{realm}: {error:?}");
    }
    assert_eq!(stranger.targets(), Vec::<String>::new());
}
