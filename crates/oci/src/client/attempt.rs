//! One call through sign-in, bounds, judgement and repetition.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION},
};
use reqwest::{Request, Response};
use tokio::time::{Instant, timeout};

use super::{Answer, Call, Inner};
use crate::{
    error::{Asker, RegistryError, Subject, said},
    name::Reference,
    outbound::{host_of, read_limited},
    retry::retry_after,
};

/// Longest body of a refusal that is read for its code.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

impl Inner {
    /// Makes `call` until it works, with its whole answer.
    pub(super) async fn fetch(&self, call: &Call) -> Result<Answer, RegistryError> {
        let started = Instant::now();
        let mut failed = 0;
        loop {
            self.admit(started).await?;
            let result = timeout(self.timeouts.call, self.fetch_once(call)).await;
            match result.unwrap_or_else(|_| Err(RegistryError::TimedOut { host: self.host.clone() })) {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    failed += 1;
                    self.before_retry(error, failed, started).await?;
                }
            }
        }
    }

    /// Makes `call` until it is answered; the body is still to be read, and `call.limit` is the caller's.
    pub(super) async fn open(&self, call: &Call) -> Result<Response, RegistryError> {
        let started = Instant::now();
        let mut failed = 0;
        loop {
            self.admit(started).await?;
            let result = timeout(self.timeouts.call, self.judged(call)).await;
            match result.unwrap_or_else(|_| Err(RegistryError::TimedOut { host: self.host.clone() })) {
                Ok(response) => return Ok(response),
                Err(error) => {
                    failed += 1;
                    self.before_retry(error, failed, started).await?;
                }
            }
        }
    }

    async fn fetch_once(&self, call: &Call) -> Result<Answer, RegistryError> {
        let response = self.judged(call).await?;
        let headers = response.headers().clone();
        let body = Bytes::from(read_limited(response, call.limit).await?);
        Ok(Answer { headers, body })
    }

    /// Waits while the registry wants no calls, if the budget allows it.
    async fn admit(&self, started: Instant) -> Result<(), RegistryError> {
        let wait = self.paused_for();
        if wait.is_zero() {
            return Ok(());
        }
        if started.elapsed() + wait > self.retry.budget {
            let seconds = wait.as_micros().div_ceil(1_000_000);
            return Err(RegistryError::RateLimited {
                host: self.host.clone(),
                retry_after_seconds: u64::try_from(seconds).ok(),
            });
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Waits before the next try, or gives `error` back if there is none.
    async fn before_retry(&self, error: RegistryError, failed: u32, started: Instant) -> Result<(), RegistryError> {
        if !error.is_transient() {
            return Err(error);
        }
        let asked = match &error {
            RegistryError::RateLimited { retry_after_seconds, .. } => retry_after_seconds.map(Duration::from_secs),
            _ => None,
        };
        if let Some(asked) = asked {
            self.pause(asked);
        }
        let Some(wait) = self.retry.wait(failed, asked, started.elapsed(), self.jitter()) else { return Err(error) };
        tracing::debug!(host = %self.host, failed, wait_ms = wait.as_millis() as u64, reason = error.reason(), "retrying");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// The response to `call` if it is a success.
    async fn judged(&self, call: &Call) -> Result<Response, RegistryError> {
        let permit = self.permits.acquire().await;
        let response = self.signed_in(call).await?;
        drop(permit);
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(call, response).await)
    }

    /// Sends `call` as somebody: with what is known, and once more after a challenge. Only the registry
    /// itself may challenge; a host that it redirects to gets no credentials.
    async fn signed_in(&self, call: &Call) -> Result<Response, RegistryError> {
        let first = self.auth.first(&self.outbound, &call.scope).await?;
        let response = self.send(call, first.as_ref()).await?;
        let ours = response.url().origin() == self.base.origin();
        if response.status() != StatusCode::UNAUTHORIZED || !ours {
            return Ok(response);
        }
        let answered = self.auth.answer(&self.outbound, response.headers(), &call.scope, first.as_ref()).await;
        let second = answered.map_err(|error| about(error, &call.what))?;
        drop(response);
        let response = self.send(call, Some(&second)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(self.auth.refused(response.headers(), call.what.clone()));
        }
        Ok(response)
    }

    async fn send(&self, call: &Call, authorization: Option<&HeaderValue>) -> Result<Response, RegistryError> {
        let mut request = Request::new(call.method.clone(), call.url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(call.accept));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        Ok(self.outbound.send(request).await?)
    }

    /// What an unsuccessful answer means.
    async fn refusal(&self, call: &Call, response: Response) -> RegistryError {
        let status = response.status().as_u16();
        let wait = retry_after(response.headers(), self.context.now());
        let elsewhere = (response.url().origin() != self.base.origin()).then(|| host_of(response.url()));
        let body = read_limited(response, MAX_ERROR_BYTES).await.unwrap_or_default();
        let (code, said) = said(&body);
        let (host, what) = (self.host.clone(), call.what.clone());
        match status {
            400 if code.as_deref() == Some("PAGINATION_NUMBER_INVALID") => RegistryError::PageSize { host, what },
            401 | 403 | 404 if elsewhere.is_some() && what == Subject::Catalog => RegistryError::BadAnswer {
                host,
                what,
                problem: format!("a redirect to {}, which answers with status {status}", elsewhere.unwrap_or_default()),
            },
            401 => {
                let problem = format!("it answered with status 401{said}");
                RegistryError::Unauthorized { host, what, problem, by: Asker::Registry }
            }
            403 => RegistryError::Forbidden { host, what, said },
            404 => RegistryError::NotFound { host, what: missing(what, code.as_deref()), said },
            429 => RegistryError::RateLimited { host, retry_after_seconds: wait.map(|wait| wait.as_secs()) },
            500..=599 => RegistryError::Unavailable { host, what, status, said },
            other => RegistryError::BadAnswer { host, what, problem: format!("status {other}{said}") },
        }
    }
}

/// The same refusal, about what was really asked for.
fn about(error: RegistryError, asked: &Subject) -> RegistryError {
    match error {
        RegistryError::Unauthorized { host, problem, by, .. } => {
            RegistryError::Unauthorized { host, what: asked.clone(), problem, by }
        }
        other => other,
    }
}

/// A repository that isn't there at all is said to be missing, rather than its tag.
fn missing(asked: Subject, code: Option<&str>) -> Subject {
    let unknown = code == Some("NAME_UNKNOWN");
    match asked {
        Subject::Manifest(repository, Reference::Tag(_)) if unknown => Subject::Tags(repository),
        Subject::Api | Subject::Catalog | Subject::Tags(_) | Subject::Manifest(..) | Subject::Blob(..) => asked,
    }
}
