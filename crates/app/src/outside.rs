//! Changes of what belongs to the whole tenant, and such that call outside first: the Idempotency-Key is
//! reserved, then comes the call, then the one transaction with what was found.

use std::future::Future;

use plimsoll_core::Result;
use plimsoll_store::Tx;
use serde::Serialize;

use crate::{App, Caller, Change, Notes, Reply};

/// How long a reserved key stays taken when its call dies: longer than any of them lasts.
const LEASE_SECONDS: i64 = 90;

impl App {
    /// Checks the operation's permission in the whole tenant before anything is prepared. A refusal leaves its audit
    /// event, as one inside the transaction does.
    pub(crate) async fn may_everywhere(&self, caller: &Caller) -> Result<()> {
        let outcome = caller.may_everywhere();
        if let Err(error) = &outcome {
            self.after_refusal(caller, error, None).await?;
        }
        outcome
    }

    /// Makes a change of something that belongs to no environment: a permission that is limited to
    /// environments is not enough for it.
    pub(crate) async fn mutate_in_tenant<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            owned.may_everywhere()?;
            decide(tx, notes)
        })
        .await
    }

    /// Like [`App::mutate_in_tenant`] for an operation that calls outside: runs `ask`, which does, and hands
    /// what it found to the transaction of `decide`.
    pub(crate) async fn outside<A: Send + 'static, T: Serialize + 'static>(
        &self,
        caller: &Caller,
        ask: impl Future<Output = Result<A>>,
        decide: impl Fn(&A, &mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        let may = caller.may_everywhere();
        let asked = async {
            may?;
            ask.await
        };
        self.ask_then(caller, asked, decide).await
    }

    /// Like [`App::outside`], for what belongs to an environment: `ask` checks the permission there before
    /// it calls, and `decide` again.
    pub(crate) async fn ask_then<A: Send + 'static, T: Serialize + 'static>(
        &self,
        caller: &Caller,
        ask: impl Future<Output = Result<A>>,
        decide: impl Fn(&A, &mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        if let Some(reply) = self.reserve(caller, LEASE_SECONDS).await? {
            return Ok(reply);
        }
        let reserved = caller.idempotency.clone();
        match ask.await {
            Ok(found) => self.mutate_reserved(caller, reserved, move |tx, notes| decide(&found, tx, notes)).await,
            Err(error) => {
                self.after_refusal(caller, &error, reserved).await?;
                Err(error)
            }
        }
    }
}
