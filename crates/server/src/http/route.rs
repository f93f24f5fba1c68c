//! A route: an operation of the table with its handler and the schemas of its body and answer.

use std::{future::Future, pin::Pin};

use plimsoll_core::{Error, Result, error::ValidationError};
use plimsoll_protocol::operation::{Method, Operation, OperationId};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::{PartialSchema, ToSchema};

use super::{
    answer::Answer,
    call::{Call, broken_besides},
    schema::{BodySchema, Schemas, collect},
};

type Running = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;
type Handler = Box<dyn Fn(Call) -> Running + Send + Sync>;

/// The shape of an answer in the OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnswerShape {
    /// One of this schema.
    One(String),
    /// A page of these.
    Page(String),
    /// A list of these, without pages.
    List(String),
    /// No body.
    None,
    /// Not in the envelope: a download or a stream.
    Raw(&'static [&'static str]),
}

/// A query parameter of a route that is no list's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) name: &'static str,
    /// Its JSON type.
    pub(crate) kind: &'static str,
    /// For the document.
    pub(crate) meaning: &'static str,
}

/// One route.
pub(crate) struct Route {
    pub(crate) operation: &'static Operation,
    /// The path parameter that names what the operation is about.
    pub(crate) subject: Option<&'static str>,
    pub(crate) handler: Handler,
    pub(crate) body: Option<(String, BodySchema)>,
    /// Of the body's type: what else is wrong with it, beside fields that its schema refused.
    pub(crate) rules: fn(&Value, &[ValidationError]) -> Vec<ValidationError>,
    pub(crate) body_required: bool,
    pub(crate) answer: AnswerShape,
    pub(crate) query: Vec<Query>,
    /// What a list can be filtered by beside columns, for the document.
    pub(crate) filter_note: &'static str,
    /// Adds what the body and the answer are made of; the document alone needs it.
    pub(crate) collect: Vec<fn(&mut Schemas) -> String>,
    /// Of a PUT: the top-level fields of its answer.
    pub(crate) answer_fields: Vec<String>,
}

impl Route {
    /// A route without a body, answering nothing until said otherwise.
    pub(crate) fn new<F>(id: OperationId, handler: fn(Call) -> F) -> Self
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        Self {
            operation: id.operation(),
            subject: id.operation().subject().parameter,
            handler: Box::new(move |call| Box::pin(handler(call))),
            body: None,
            rules: |_, _| Vec::new(),
            body_required: true,
            answer: AnswerShape::None,
            query: Vec::new(),
            filter_note: "",
            collect: Vec::new(),
            answer_fields: Vec::new(),
        }
    }

    /// Takes a body.
    pub(crate) fn takes<B>(mut self) -> Result<Self>
    where
        B: ToSchema + PartialSchema + DeserializeOwned + garde::Validate<Context = ()>,
    {
        self.collect.push(collect::<B>);
        self.rules = broken_besides::<B>;
        self.body = Some((B::name().into_owned(), BodySchema::compile::<B>()?));
        Ok(self)
    }

    /// The body may be left out.
    pub(crate) const fn optional_body(mut self) -> Self {
        self.body_required = false;
        self
    }

    /// Takes a query parameter.
    pub(crate) fn asks(mut self, name: &'static str, kind: &'static str, meaning: &'static str) -> Self {
        self.query.push(Query { name, kind, meaning });
        self
    }

    /// Lists without pages refuse parameters that they do not take, as those with pages do: a misspelt filter must
    /// not list everything.
    pub(crate) fn check_query(&self, given: &[(String, String)]) -> Result<()> {
        if !matches!(self.answer, AnswerShape::List(_)) {
            return Ok(());
        }
        let taken: Vec<&str> = self.query.iter().map(|one| one.name).collect();
        let hint = if taken.is_empty() {
            "this list takes no parameters".to_owned()
        } else {
            format!("this list takes {}", taken.join(" and "))
        };
        let unknown = given.iter().filter(|(name, _)| !taken.contains(&name.as_str()));
        let wrong: Vec<_> =
            unknown.map(|(name, _)| ValidationError::new(name, "unknown_parameter", hint.as_str())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
    }

    /// Says what a list can be filtered by beside columns.
    pub(crate) const fn filter_note(mut self, note: &'static str) -> Self {
        self.filter_note = note;
        self
    }

    /// Answers one of these.
    pub(crate) fn answers<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.collect.push(collect::<A>);
        self.answer = AnswerShape::One(A::name().into_owned());
        if self.operation.method == Method::Put {
            self.answer_fields = super::openapi::property_names::<A>();
        }
        self
    }

    /// Answers a page of these.
    pub(crate) fn pages<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.collect.push(collect::<A>);
        self.answer = AnswerShape::Page(A::name().into_owned());
        self
    }

    /// Answers a list of these.
    pub(crate) fn lists<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.collect.push(collect::<A>);
        self.answer = AnswerShape::List(A::name().into_owned());
        self
    }

    /// Answers something that is not in the envelope.
    pub(crate) fn raw(mut self, media_types: &'static [&'static str]) -> Self {
        self.answer = AnswerShape::Raw(media_types);
        self
    }
}
