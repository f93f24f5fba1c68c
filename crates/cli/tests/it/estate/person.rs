//! People who signed in by device code, as the command line does it.

use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{Estate, PASSWORD, plimsoll};

/// Somebody with a token.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
    url: String,
    http: reqwest::Client,
    home: std::path::PathBuf,
}

impl Estate {
    /// The first administrator.
    pub async fn administrator(&self) -> Person {
        let mut admin = self.sign_in("admin").await;
        let me = admin.get("/users").await;
        admin.id = me[0]["id"].as_str().unwrap().to_owned();
        admin
    }

    /// A new user who holds these built-in roles everywhere.
    pub async fn person(&self, admin: &Person, name: &str, roles: &[&str]) -> Person {
        let made = admin.post("/users", &json!({ "name": name, "password": PASSWORD })).await;
        let known = admin.get("/roles?pageSize=100").await;
        for role in roles {
            let role = known.as_array().unwrap().iter().find(|one| one["name"] == *role).expect(role);
            let principal = json!({ "type": "user", "id": made["id"] });
            let body = json!({ "roleId": role["id"], "principal": principal, "reason": "to do their work" });
            admin.post("/role-bindings", &body).await;
        }
        Person { id: made["id"].as_str().unwrap().to_owned(), ..self.sign_in(name).await }
    }

    async fn sign_in(&self, name: &str) -> Person {
        let post = async |url: String, cookie: &str, form: &[(&str, &str)]| {
            let answer = self.http.post(url).header("Cookie", cookie).form(form).send().await.unwrap();
            let cookie = answer.headers().get("set-cookie").map(|one| one.to_str().unwrap().to_owned());
            (cookie.unwrap_or_default(), answer.text().await.unwrap())
        };
        let client = ("client_id", "plimsoll-cli");
        let (_, asked) = post(format!("{}/oauth/device_authorization", self.url), "", &[client]).await;
        let asked: Value = serde_json::from_str(&asked).unwrap();
        let page = self.http.get(asked["verification_uri_complete"].as_str().unwrap()).send().await.unwrap();
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let page = page.text().await.unwrap();
        let code = ("user_code", asked["user_code"].as_str().unwrap());
        let who = [("tenant", "default"), ("user", name), ("password", PASSWORD), code, ("csrf", csrf(&page))];
        let device = format!("{}/oauth/device", self.url);
        let (fresh, shown) = post(device.clone(), &cookie, &who).await;
        let cookie = if fresh.is_empty() { cookie } else { fresh.split(';').next().unwrap().to_owned() };
        let decision = [code, ("decision", "approve"), ("csrf", csrf(&shown))];
        post(format!("{device}/decision"), &cookie, &decision).await;
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
        let device_code = ("device_code", asked["device_code"].as_str().unwrap());
        let (_, tokens) = post(format!("{}/oauth/token", self.url), "", &[client, grant, device_code]).await;
        let tokens: Value = serde_json::from_str(&tokens).unwrap();
        let token = tokens["access_token"].as_str().unwrap_or_else(|| panic!("{name} was not let in: {tokens}"));
        Person {
            id: String::new(),
            token: token.to_owned(),
            url: self.url.clone(),
            http: self.http.clone(),
            home: self.folder().to_owned(),
        }
    }
}

fn csrf(page: &str) -> &str {
    let rest = page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("no form in {page}")).1;
    rest.split_once('"').unwrap().0
}

impl Person {
    /// The answer's status and whole body; an error when nobody answers.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|cause| format!("{path}: {cause:?}"))?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(|cause| format!("{path}: {cause:?}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// A POST under an Idempotency-Key, to be repeated as it is when its answer was lost.
    pub async fn post_once(&self, path: &str, body: &Value, key: &str) -> Result<(u16, Value), String> {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token).json(body);
        let answer = request.header("Idempotency-Key", key).send().await.map_err(|cause| format!("{cause:?}"))?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.map_err(|cause| format!("{cause:?}"))?))
    }

    pub async fn try_get(&self, path: &str) -> Result<Value, String> {
        match self.call("GET", path, None).await? {
            (200, body) => Ok(body["data"].clone()),
            (_, body) => Err(body.to_string()),
        }
    }

    #[track_caller]
    pub fn data(path: &str, answer: Result<(u16, Value), String>) -> Value {
        match answer {
            Ok((200..=299, body)) => body["data"].clone(),
            other => panic!("{path}: {other:?}"),
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        Self::data(path, self.call("GET", path, None).await)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Value {
        Self::data(path, self.call("POST", path, Some(body)).await)
    }

    /// The code of the error that it is refused with.
    pub async fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let (status, body) = self.call("POST", path, Some(body)).await.unwrap();
        (status, body["error"]["code"].as_str().unwrap_or_else(|| panic!("{path} was not refused: {body}")).to_owned())
    }

    /// The command line as this person.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = plimsoll(&self.home);
        command.env("PLIMSOLL_URL", &self.url).env("PLIMSOLL_TOKEN", &self.token).args(arguments);
        command
    }

    /// What it prints on a good end.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "plimsoll {arguments:?} ended with {}: {said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}
