//! A person with a browser that knows forms and cookies.

use reqwest::{StatusCode, header};

use crate::world::World;

/// A page, as the person sees it.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub text: String,
}

#[derive(Default)]
pub struct Browser {
    cookie: Option<String>,
    csrf: String,
}

impl Browser {
    pub async fn open(&mut self, world: &World, path: &str) -> Page {
        let request = world.request("GET", path, None);
        self.send(request).await
    }

    /// Sends the form of the page, as it was shown last.
    pub async fn submit(&mut self, world: &World, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        let request = world.request("POST", path, None).header("sec-fetch-site", "same-origin").form(&all);
        self.send(request).await
    }

    /// Sends a form with nothing of the page's own.
    pub async fn forge(&mut self, world: &World, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = world.request("POST", path, None).form(fields);
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let request = match &self.cookie {
            Some(cookie) => request.header(header::COOKIE, cookie),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(cookie) = headers.get(header::SET_COOKIE) {
            self.cookie = cookie.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let text = response.text().await.unwrap();
        assert!(!text.contains("<script"));
        if let Some(csrf) = value_of(&text, "csrf") {
            self.csrf = csrf;
        }
        Page { status, text }
    }
}

/// The value of the input with this name.
fn value_of(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}
