//! The page on which people let a device in.

use std::sync::Arc;

use axum::{extract::Request, response::Response};
use http::{HeaderValue, StatusCode, header};
use plimsoll_app::oauth::{Decision, SignIn, SignedIn};
use plimsoll_authority::{
    oauth::{Form, metadata::path},
    secret::{ExposeSecret as _, SecretString},
};
use plimsoll_core::{Error, ErrorCode, Result, audit::Origin};

use super::{
    cookie::{Browser, Transport},
    page::{self, View},
    request,
};
use crate::{http::status, state::Server};

/// The tenant that most people sign in to.
const TENANT: &str = "default";

/// A request to the page.
struct Visit {
    server: Arc<Server>,
    origin: Origin,
    browser: Browser,
    form: Form,
}

/// What is shown, or what is wrong and what is shown beside it.
type Shown = Result<View, (Error, View)>;

/// `/device` is what people type.
pub(super) async fn short(request: Request) -> Response {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(value) = HeaderValue::from_str(&format!("{}{query}", path::DEVICE)) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

pub(super) async fn show(server: Arc<Server>, request: Request) -> Response {
    let code = request.uri().query().and_then(|query| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "user_code").map(|(_, code)| code.chars().take(32).collect::<String>())
    });
    let (origin, admitted) = request::admit(&server, &request);
    let transport = transport(&server);
    let known = Browser::known(request.headers(), transport);
    let browser = known.unwrap_or_else(|| Browser::fresh(&server.app.context, transport));
    let visit = Visit { server, origin, browser, form: Form::default() };
    let code = code.unwrap_or_default();
    let shown = match admitted {
        Ok(()) => visit.begin(&code).await,
        Err(_) => Err((too_many(), sign_in_view(&code, TENANT, ""))),
    };
    visit.answer(shown)
}

pub(super) async fn sign_in(server: Arc<Server>, request: Request) -> Response {
    match Visit::read(server, request).await {
        Ok(mut visit) => {
            let shown = visit.sign_in().await;
            visit.answer(shown)
        }
        Err(response) => *response,
    }
}

pub(super) async fn password(server: Arc<Server>, request: Request) -> Response {
    match Visit::read(server, request).await {
        Ok(mut visit) => {
            let shown = visit.password().await;
            visit.answer(shown)
        }
        Err(response) => *response,
    }
}

pub(super) async fn decision(server: Arc<Server>, request: Request) -> Response {
    match Visit::read(server, request).await {
        Ok(mut visit) => {
            let shown = visit.decision().await;
            visit.answer(shown)
        }
        Err(response) => *response,
    }
}

impl Visit {
    /// Reads a form that was sent from our own page by the browser that shows the cookie.
    async fn read(server: Arc<Server>, request: Request) -> Result<Self, Box<Response>> {
        let (origin, admitted) = request::admit(&server, &request);
        let transport = transport(&server);
        let elsewhere = request.headers().get("sec-fetch-site").is_some_and(|site| site != "same-origin");
        let known = Browser::known(request.headers(), transport).filter(|_| !elsewhere);
        let fresh = Browser::fresh(&server.app.context, transport);
        let again = |error: Error, browser: &Browser| {
            let view = sign_in_view("", TENANT, "");
            Box::new(page::answer(&view, Some((&error, status::of(error.kind()))), browser, &origin.request_id))
        };
        if admitted.is_err() {
            return Err(again(too_many(), known.as_ref().unwrap_or(&fresh)));
        }
        let mut form = match request::read(request, origin.clone()).await {
            Ok(read) => read.form,
            Err(error) => {
                return Err(again(Error::new(ErrorCode::ValidationFailed, error.description()), &fresh));
            }
        };
        match known {
            Some(browser) if form.take_text("csrf").is_some_and(|sent| sent == browser.csrf()) => {
                Ok(Self { server, origin, browser, form })
            }
            _ => Err(again(stale_page(), &fresh)),
        }
    }

    fn answer(&self, shown: Shown) -> Response {
        match shown {
            Ok(view) => page::answer(&view, None, &self.browser, &self.origin.request_id),
            Err((error, view)) => {
                tracing::debug!(request_id = self.origin.request_id, ?error, "the sign-in page refused");
                page::answer(&view, Some((&error, status::of(error.kind()))), &self.browser, &self.origin.request_id)
            }
        }
    }

    fn text(&mut self, name: &str) -> String {
        self.form.take_text(name).unwrap_or_default()
    }

    fn secret(&mut self, name: &str) -> SecretString {
        self.form.take(name).unwrap_or_default()
    }

    async fn signed_in(&self) -> Result<Option<SignedIn>> {
        self.server.app.signed_in(self.browser.digest()).await
    }

    /// The first page: what comes next depends on whether the browser signed in a moment ago.
    async fn begin(&self, code: &str) -> Shown {
        let view = sign_in_view(code, TENANT, "");
        match self.signed_in().await.map_err(|error| (error, view.clone()))? {
            Some(who) if code.is_empty() => Ok(code_view(&who, code)),
            Some(who) => self.next(&who, code).await,
            None => Ok(view),
        }
    }

    async fn sign_in(&mut self) -> Shown {
        let code = self.text("user_code");
        let (tenant, user, password) = (self.text("tenant"), self.text("user"), self.secret("password"));
        let view = sign_in_view(&code, &tenant, &user);
        let wrong = |error| (error, view.clone());
        if password.expose_secret().is_empty()
            && let Some(who) = self.signed_in().await.map_err(wrong)?
        {
            return self.next(&who, &code).await;
        }
        // Another cookie from now on: whoever knew the old one did not sign in.
        let fresh = Browser::fresh(&self.server.app.context, transport(&self.server));
        let typed = SignIn { tenant: tenant.clone(), user: user.clone(), password };
        let who = self.server.app.sign_in(typed, fresh.digest(), &self.origin).await.map_err(wrong)?;
        self.browser = fresh;
        self.next(&who, &code).await
    }

    async fn password(&mut self) -> Shown {
        let code = self.text("user_code");
        let (password, repeated) = (self.secret("password"), self.secret("repeated"));
        let who = self.must_be_signed_in(&code).await?;
        let view = View::NewPassword { user_code: code.clone(), user: who.user.name.clone() };
        if !who.user.must_change_password {
            return self.next(&who, &code).await;
        }
        let changed =
            self.server.app.change_own_password(&who, password, &repeated, self.browser.digest(), &self.origin).await;
        let who = changed.map_err(|error| (error, view))?;
        self.next(&who, &code).await
    }

    async fn decision(&mut self) -> Shown {
        let code = self.text("user_code");
        let who = self.must_be_signed_in(&code).await?;
        let decision = match self.text("decision").as_str() {
            "approve" => Decision::Approve,
            _ => Decision::Deny,
        };
        let decided = self.server.app.decide_device(&who, &code, decision, &self.origin).await;
        decided.map_err(|error| (error, code_view(&who, &code)))?;
        Ok(View::Done {
            text: match decision {
                Decision::Approve => "The device is let in. You can close this window.",
                Decision::Deny => "The device was refused. You can close this window.",
            },
        })
    }

    async fn must_be_signed_in(&self, code: &str) -> Result<SignedIn, (Error, View)> {
        let view = sign_in_view(code, TENANT, "");
        match self.signed_in().await {
            Ok(Some(who)) => Ok(who),
            Ok(None) => Err((stale_page(), view)),
            Err(error) => Err((error, view)),
        }
    }

    /// What a person who signed in sees: a new password first, then the device.
    async fn next(&self, who: &SignedIn, code: &str) -> Shown {
        if who.user.must_change_password {
            return Ok(View::NewPassword { user_code: code.to_owned(), user: who.user.name.clone() });
        }
        match self.server.app.device_request(who, code, &self.origin).await {
            Ok(device) => Ok(View::Confirm {
                user_code: device.user_code,
                tenant: who.tenant.name.clone(),
                user: who.user.name.clone(),
                client: device.client,
                scope: device.scope,
                origin: device.origin,
            }),
            Err(error) => Err((error, code_view(who, code))),
        }
    }
}

fn transport(server: &Server) -> Transport {
    server.app.authority().map_or(Transport::Tls, |authority| Transport::of(authority.issuer().iss()))
}

fn sign_in_view(code: &str, tenant: &str, user: &str) -> View {
    View::SignIn { user_code: code.to_owned(), tenant: tenant.to_owned(), user: user.to_owned() }
}

fn code_view(who: &SignedIn, code: &str) -> View {
    View::Code { user_code: code.to_owned(), tenant: who.tenant.name.clone(), user: who.user.name.clone() }
}

fn too_many() -> Error {
    Error::new(ErrorCode::RateLimited, "Too many requests; wait a minute and try again.")
}

fn stale_page() -> Error {
    Error::new(ErrorCode::Unauthenticated, "This page was open for too long; sign in again.")
}
