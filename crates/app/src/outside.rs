//! Operations that call outside: the Idempotency-Key is reserved first, then comes the call, then the one
//! transaction with what was found.

use std::future::Future;

use plimsoll_core::Result;
use plimsoll_store::Tx;
use serde::Serialize;

use crate::{App, Caller, Change, Notes, Reply};

/// How long a reserved key stays taken when its call dies: longer than any of them lasts.
const LEASE_SECONDS: i64 = 90;

impl App {
    /// Runs `ask`, which calls outside, and hands what it found to the transaction of `decide`.
    pub(crate) async fn outside<A: Send + 'static, T: Serialize + 'static>(
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
