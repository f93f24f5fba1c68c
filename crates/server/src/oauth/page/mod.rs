//! The sign-in page: plain HTML without a script, made on the server.

use axum::{body::Body, response::Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, StatusCode, header};
use minijinja::{Environment, context};
use plimsoll_authority::oauth::metadata::path;
use plimsoll_core::{Digest, Error, Result};
use serde::Serialize;

use super::cookie::Browser;
use crate::http::pipeline;

const STYLE: &str = include_str!("style.css");
const PAGE: &str = include_str!("page.html");

/// What the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "page", rename_all = "snake_case")]
pub(super) enum View {
    /// Asks for code, tenant, name and password.
    SignIn { user_code: String, tenant: String, user: String },
    /// Asks a person who signed in for the code.
    Code { user_code: String, tenant: String, user: String },
    /// Asks for a password in place of one that is good once.
    NewPassword { user_code: String, user: String },
    /// Asks whether a device is let in.
    Confirm {
        user_code: String,
        tenant: String,
        user: String,
        client: String,
        scope: Option<String>,
        origin: Option<String>,
    },
    /// Says that it is over.
    Done { text: &'static str },
}

impl View {
    const fn title(&self) -> &'static str {
        match self {
            Self::SignIn { .. } => "Sign in",
            Self::Code { .. } => "Let a device in",
            Self::NewPassword { .. } => "Choose a password",
            Self::Confirm { .. } => "Let this device in?",
            Self::Done { .. } => "Done",
        }
    }
}

/// The page as an answer; `wrong` is what the person must know first.
pub(super) fn answer(
    view: &View,
    wrong: Option<(&Error, StatusCode)>,
    browser: &Browser,
    request_id: &str,
) -> Response {
    let status = wrong.as_ref().map_or(StatusCode::OK, |(_, status)| *status);
    let text = render(view, wrong.map(|(error, _)| error), browser).unwrap_or_else(|error| {
        tracing::error!(request_id, ?error, "the sign-in page could not be made");
        "Something went wrong on our side; the server's log has the details.".to_owned()
    });
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, policy()), (header::SET_COOKIE, browser.set_cookie())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    pipeline::finish(response, request_id)
}

/// Nothing may run, load or frame the page; its one style is known by its hash.
fn policy() -> String {
    let style = STANDARD.encode(Digest::of(STYLE.as_bytes()).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}

fn render(view: &View, wrong: Option<&Error>, browser: &Browser) -> Result<String> {
    let failed = |cause: minijinja::Error| Error::internal_defect(format!("the sign-in page: {cause:#}"));
    let mut environment = Environment::new();
    environment.add_template("page.html", PAGE).map_err(failed)?;
    let values = context! {
        title => view.title(),
        style => STYLE,
        action => path::DEVICE,
        csrf => browser.csrf(),
        wrong => wrong.map(sentence),
        view => minijinja::value::Serde(view),
    };
    environment.get_template("page.html").and_then(|page| page.render(values)).map_err(failed)
}

/// What is wrong, without the name of the field.
fn sentence(error: &Error) -> String {
    match error.validation() {
        [one] if one.field == "password" => format!("The password {}.", one.message),
        [one] => one.message.clone(),
        _ => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browser() -> Browser {
        Browser::fresh(&plimsoll_core::context::Context::system(), super::super::cookie::Transport::Plain)
    }

    #[test]
    fn what_somebody_typed_cannot_become_html() {
        let nasty = "\"><script>alert(1)</script>".to_owned();
        let view = View::SignIn { user_code: nasty.clone(), tenant: nasty.clone(), user: nasty.clone() };
        let error = Error::field("userCode", "unknown", nasty);
        let text = render(&view, Some(&error), &browser()).unwrap();
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("&lt;script"));
    }

    #[test]
    fn the_policy_allows_the_page_and_nothing_else() {
        let page = answer(&View::Done { text: "x" }, None, &browser(), "r");
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"));
        let text = render(&View::Done { text: "x" }, None, &browser()).unwrap();
        assert!(text.contains(&format!("<style>{STYLE}</style>")), "the hash is that of the text");
        assert!(!PAGE.contains("<script") && !PAGE.contains("style=") && !PAGE.contains(" onclick"));
    }
}
