//! Signing in by device code (RFC 8628), as `plimsoll login` and a browser do it together.

use anyhow::{Context as _, Result, ensure};
use plimsoll_protocol::identity::CLI_CLIENT;
use reqwest::header;
use serde_json::Value;

use super::api::{Person, http, text};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The tenant of the first start.
const TENANT: &str = "default";

/// A browser with one cookie.
struct Browser {
    http: reqwest::Client,
    cookie: String,
}

/// Signs `name` in at `server`.
pub(crate) async fn sign_in(server: &str, name: &str, password: &str) -> Result<Person> {
    let http = http()?;
    let client = ("client_id", CLI_CLIENT);
    let asked = form(&http, &format!("{server}/oauth/device_authorization"), &[client]).await?;
    let code = ("user_code", text(&asked, "user_code")?);
    let mut browser = Browser { http: http.clone(), cookie: String::new() };
    let page = browser.visit(text(&asked, "verification_uri_complete")?, &[]).await?;
    let device = format!("{server}/oauth/device");
    let who = [("tenant", TENANT), ("user", name), ("password", password), code, ("csrf", csrf(&page)?)];
    let page = browser.visit(&device, &who).await?;
    let decision = [code, ("decision", "approve"), ("csrf", csrf(&page)?)];
    browser.visit(&format!("{device}/decision"), &decision).await?;
    let grant = [client, ("grant_type", GRANT), ("device_code", text(&asked, "device_code")?)];
    let tokens = form(&http, &format!("{server}/oauth/token"), &grant).await?;
    let token = tokens["access_token"].as_str().with_context(|| format!("{name} was not let in: {tokens}"))?;
    Ok(Person::new(token.to_owned(), server, http))
}

async fn form(http: &reqwest::Client, url: &str, form: &[(&str, &str)]) -> Result<Value> {
    http.post(url).form(form).send().await?.json().await.with_context(|| format!("{url} gave no JSON"))
}

impl Browser {
    /// Opens a page, or sends a form to it.
    async fn visit(&mut self, url: &str, form: &[(&str, &str)]) -> Result<String> {
        let request = if form.is_empty() { self.http.get(url) } else { self.http.post(url).form(form) };
        let answer = request.header(header::COOKIE, &self.cookie).send().await?;
        let cookie = answer.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        if let Some(cookie) = cookie.and_then(|cookie| cookie.split(';').next()) {
            cookie.clone_into(&mut self.cookie);
        }
        let status = answer.status();
        let page = answer.text().await?;
        ensure!(status.is_success(), "{url} answered {status}: {page}");
        Ok(page)
    }
}

/// What the form on a page has to send along.
fn csrf(page: &str) -> Result<&str> {
    let rest = page.split_once("name=\"csrf\" value=\"").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split_once('"')).map(|(value, _)| value).context("the sign-in page has no form")
}
