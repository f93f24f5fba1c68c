//! Bad input gets a clear error and changes nothing: every case says what it expects and is held against the rows
//! that there were before it.

mod moves;
mod registries;
mod requests;
mod tokens;

use serde_json::Value;

use crate::world::{Answer, World};

/// One thing that somebody does wrong.
struct Case {
    /// What it is about, for whoever reads a failure.
    what: String,
    method: &'static str,
    path: String,
    body: Option<Value>,
    status: u16,
    code: &'static str,
    /// Words that the error must have: what is wrong, or the field.
    says: &'static str,
}

fn case(what: impl Into<String>, method: &'static str, path: impl Into<String>) -> Case {
    let (what, path) = (what.into(), path.into());
    Case { what, method, path, body: None, status: 400, code: "VALIDATION_FAILED", says: "" }
}

impl Case {
    fn body(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    fn is(self, status: u16, code: &'static str, says: &'static str) -> Self {
        Self { status, code, says, ..self }
    }
}

/// The world as it was before anything wrong was done.
struct Before<'a> {
    world: &'a World,
    rows: Vec<(String, i64)>,
}

impl<'a> Before<'a> {
    async fn of(world: &'a World) -> Self {
        Self { world, rows: world.synced().await }
    }

    /// What the background still had to do is done.
    async fn settled(world: &'a World) -> Self {
        Self { world, rows: world.settled().await }
    }

    /// Somebody who may everything does all of it.
    async fn refuses(&self, cases: impl IntoIterator<Item = Case>) {
        for case in cases {
            // A user of their own each: nobody's bucket of calls runs dry.
            let token = self.world.token(self.world.home, self.world.context.id(), crate::world::all());
            self.refuses_to(&token, case).await;
        }
    }

    /// Whoever holds this token does it.
    async fn refuses_to(&self, token: &str, case: Case) -> Answer {
        let answer = self.world.call(case.method, &case.path, Some(token), case.body.as_ref()).await;
        self.refused(&case.what, answer, case.status, case.code, case.says).await
    }

    /// The answer is a clear error, and nothing has changed.
    async fn refused(&self, what: &str, answer: Answer, status: u16, code: &str, says: &str) -> Answer {
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code), "{what}: {}", answer.body);
        let error = &answer.body["error"];
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.len() > 10 && answer.body["success"] == false, "{what}: {}", answer.body);
        assert!(answer.body["meta"]["requestId"].is_string(), "{what}: {}", answer.body);
        let told = format!("{message} {}", error["validationErrors"]);
        assert!(told.contains(says), "{what} does not say {says:?}: {}", answer.body);
        for inner in ["SELECT ", "INSERT ", "sqlite", "postgres", "panicked", ".rs:"] {
            assert!(!told.contains(inner), "{what} tells what is inside: {}", answer.body);
        }
        self.unchanged(what).await;
        answer
    }

    /// Every table has as many rows as it had.
    async fn unchanged(&self, what: &str) {
        assert_eq!(self.rows, self.world.rows().await, "{what} changed something");
    }
}
