//! A route: an operation of the table with its handler and the schemas of its body and answer.

use std::{future::Future, pin::Pin};

use plimsoll_core::Result;
use plimsoll_protocol::operation::{Operation, OperationId};
use utoipa::{PartialSchema, ToSchema};

use super::{
    answer::Answer,
    call::Call,
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
    Raw(&'static str),
}

/// One route.
pub(crate) struct Route {
    pub(crate) operation: &'static Operation,
    pub(crate) handler: Handler,
    pub(crate) body: Option<(String, BodySchema)>,
    pub(crate) body_required: bool,
    pub(crate) answer: AnswerShape,
    pub(crate) schemas: Schemas,
}

impl Route {
    /// A route without a body, answering nothing until said otherwise.
    pub(crate) fn new<F>(id: OperationId, handler: fn(Call) -> F) -> Self
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        Self {
            operation: id.operation(),
            handler: Box::new(move |call| Box::pin(handler(call))),
            body: None,
            body_required: true,
            answer: AnswerShape::None,
            schemas: Schemas::new(),
        }
    }

    /// Takes a body.
    pub(crate) fn takes<B: ToSchema + PartialSchema>(mut self) -> Result<Self> {
        let name = collect::<B>(&mut self.schemas);
        self.body = Some((name, BodySchema::compile::<B>()?));
        Ok(self)
    }

    /// The body may be left out.
    pub(crate) const fn optional_body(mut self) -> Self {
        self.body_required = false;
        self
    }

    /// Answers one of these.
    pub(crate) fn answers<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.answer = AnswerShape::One(collect::<A>(&mut self.schemas));
        self
    }

    /// Answers a page of these.
    pub(crate) fn pages<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.answer = AnswerShape::Page(collect::<A>(&mut self.schemas));
        self
    }

    /// Answers a list of these.
    pub(crate) fn lists<A: ToSchema + PartialSchema>(mut self) -> Self {
        self.answer = AnswerShape::List(collect::<A>(&mut self.schemas));
        self
    }

    /// Answers something that is not in the envelope.
    pub(crate) fn raw(mut self, media_type: &'static str) -> Self {
        self.answer = AnswerShape::Raw(media_type);
        self
    }
}
