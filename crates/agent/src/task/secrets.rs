//! The values of a task's secrets: asked for when a step needs them, kept in memory while the task lives,
//! never on disk.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use secrecy::SecretString;
use tokio::sync::oneshot;

use plimsoll_core::id::TaskId;
use plimsoll_protocol::agent::{
    AgentFrame,
    report::{TaskError, TaskErrorCode},
    secret::{SecretAnswer, SecretRef, SecretRequest, SecretValue},
};

use crate::{masking::Masker, session::outbox::Outbox};

/// Answers that are waited for, over all tasks of the agent; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct SecretDesk(Arc<Desk>);

#[derive(Debug, Default)]
struct Desk {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<SecretValue>>>,
}

/// The secrets of one task.
#[derive(Clone, Debug)]
pub struct Secrets {
    task: TaskId,
    epoch: Arc<AtomicU64>,
    desk: SecretDesk,
    outbox: Outbox,
    masker: Masker,
    known: Arc<Mutex<HashMap<SecretRef, Secret>>>,
}

/// A secret's value.
#[derive(Clone, Debug)]
pub enum Secret {
    /// A text.
    Text(SecretString),
    /// A registry's credentials.
    Basic {
        /// The name.
        username: String,
        /// The password.
        password: SecretString,
    },
}

/// An answer is waited for this long, then asked for again: the connection may have been lost.
const ASK_AGAIN: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 6;

impl SecretDesk {
    /// An answer came.
    pub fn deliver(&self, value: SecretValue) {
        if let Some(waiting) = self.waiting().remove(&value.request_id) {
            _ = waiting.send(value);
        }
    }

    fn expect(&self) -> (u64, oneshot::Receiver<SecretValue>) {
        let request = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting().insert(request, sender);
        (request, receiver)
    }

    fn forget(&self, request: u64) {
        self.waiting().remove(&request);
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<SecretValue>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets {
    /// The secrets of `task`, none of them known yet.
    #[must_use]
    pub fn new(task: TaskId, epoch: u64, desk: SecretDesk, outbox: Outbox, masker: Masker) -> Self {
        Self { task, epoch: Arc::new(AtomicU64::new(epoch)), desk, outbox, masker, known: Arc::default() }
    }

    /// The task was offered again at a higher epoch.
    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The values of `wanted`, in that order.
    pub async fn get(&self, wanted: &[SecretRef]) -> Result<Vec<Secret>, TaskError> {
        let missing: Vec<SecretRef> = {
            let known = self.known();
            wanted.iter().filter(|secret| !known.contains_key(secret)).cloned().collect()
        };
        if !missing.is_empty() {
            let answers = self.ask(&missing).await?;
            for (wanted, answer) in missing.into_iter().zip(answers) {
                let secret = self.accept(&wanted, answer)?;
                self.known().insert(wanted, secret);
            }
        }
        let known = self.known();
        wanted.iter().map(|secret| known.get(secret).cloned().ok_or_else(|| unavailable(secret, "no answer"))).collect()
    }

    /// Name and password of a registry.
    pub async fn basic(&self, wanted: &SecretRef) -> Result<(String, SecretString), TaskError> {
        match &self.get(std::slice::from_ref(wanted)).await?[..] {
            [Secret::Basic { username, password }] => Ok((username.clone(), password.clone())),
            _ => Err(unavailable(wanted, "the server gave no name and password")),
        }
    }

    async fn ask(&self, wanted: &[SecretRef]) -> Result<Vec<SecretAnswer>, TaskError> {
        for _ in 0..ATTEMPTS {
            let (request_id, answer) = self.desk.expect();
            self.outbox.push(AgentFrame::SecretRequest(SecretRequest {
                request_id,
                task_id: self.task,
                epoch: self.epoch.load(Ordering::Relaxed),
                secrets: wanted.to_vec(),
            }));
            let answer = tokio::time::timeout(ASK_AGAIN, answer).await;
            self.desk.forget(request_id);
            if let Ok(Ok(value)) = answer {
                if value.values.len() == wanted.len() {
                    return Ok(value.values);
                }
                return Err(TaskError::new(
                    TaskErrorCode::SecretUnavailable,
                    "the server's answer doesn't fit the request",
                ));
            }
        }
        Err(TaskError::new(TaskErrorCode::SecretUnavailable, "the server did not answer the request for secrets")
            .hint("look at the link between agent and server, then deploy again"))
    }

    fn accept(&self, wanted: &SecretRef, answer: SecretAnswer) -> Result<Secret, TaskError> {
        match answer {
            SecretAnswer::Text { value } => {
                self.masker.learn(&value);
                Ok(Secret::Text(value.into()))
            }
            SecretAnswer::Basic { username, password } => {
                self.masker.learn(&password);
                Ok(Secret::Basic { username, password: password.into() })
            }
            SecretAnswer::Unavailable { reason } => Err(unavailable(wanted, &reason)),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<SecretRef, Secret>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable(secret: &SecretRef, reason: &str) -> TaskError {
    let what = match secret {
        SecretRef::Environment { name } => format!("the secret {name:?}"),
        SecretRef::Registry { integration_id, host } => {
            format!("the credentials of the registry {integration_id} for {host}")
        }
    };
    TaskError::new(TaskErrorCode::SecretUnavailable, format!("{what} can't be had: {reason}"))
        .hint("set it in the environment or integration, then deploy again")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn secrets(desk: &SecretDesk, outbox: &Outbox, masker: &Masker) -> Secrets {
        let task = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        Secrets::new(task, 1, desk.clone(), outbox.clone(), masker.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_asked_for_again_and_a_value_once() {
        let (desk, outbox, masker) = (SecretDesk::default(), Outbox::default(), Masker::default());
        let secrets = secrets(&desk, &outbox, &masker);
        let server = tokio::spawn(async move {
            for attempt in 0..2 {
                let waiting = outbox.next().await;
                outbox.sent(&waiting);
                let AgentFrame::SecretRequest(request) = waiting.frame else { panic!("a request is expected") };
                if attempt == 1 {
                    let (request_id, task_id, epoch) = (request.request_id, request.task_id, request.epoch);
                    let values = vec![SecretAnswer::Text { value: "hunter2".into() }];
                    desk.deliver(SecretValue { request_id, task_id, epoch, values });
                }
            }
        });
        let wanted = [SecretRef::Environment { name: "DB".into() }];
        for _ in 0..2 {
            let values = secrets.get(&wanted).await.unwrap();
            assert!(matches!(&values[..], [Secret::Text(text)] if text.expose_secret() == "hunter2"));
        }
        server.await.unwrap();
        assert_eq!(masker.mask("hunter2"), "***");
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_is_an_error_in_the_end() {
        let secrets = secrets(&SecretDesk::default(), &Outbox::default(), &Masker::default());
        let error = secrets.get(&[SecretRef::Environment { name: "DB".into() }]).await.unwrap_err();
        assert_eq!(error.code, TaskErrorCode::SecretUnavailable);
    }
}
