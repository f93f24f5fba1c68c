//! A started installation on one of both databases, with a clock that moves when it is told to.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use plimsoll_app::{
    App,
    identity::{AuthoritySettings, Started, start},
    settings::Settings,
};
use plimsoll_authority::{
    password::PasswordCost,
    token::{Admission, VerifiedToken},
};
use plimsoll_core::{
    Result, Timestamp,
    context::{Ambient, Context},
};
use plimsoll_store::{Store, StoreConfig};
use plimsoll_testkit::postgres::{Postgres, TestDatabase};
use tempfile::TempDir;

pub const ISSUER: &str = "https://plimsoll.example";

/// A clock that starts now and moves when it is told to, over the system's randomness.
#[derive(Clone)]
pub struct Clock {
    system: Context,
    moved: Arc<AtomicI64>,
}

impl Clock {
    pub fn new() -> Self {
        Self { system: Context::system(), moved: Arc::default() }
    }

    pub fn advance_seconds(&self, seconds: i64) {
        self.moved.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Ambient for Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.system.now().as_micros() + self.moved.load(Ordering::SeqCst))
    }

    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(1) {
            chunk.copy_from_slice(&self.system.random::<1>());
        }
    }
}

/// Where a test's data is.
pub struct Place {
    pub folder: TempDir,
    pub database: Option<TestDatabase>,
}

impl Place {
    pub fn sqlite() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), database: None }
    }

    pub fn postgres() -> Self {
        let database = Postgres::shared().unwrap().fresh_database().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), database: Some(database) }
    }

    pub fn store(&self) -> Store {
        let config = match &self.database {
            None => StoreConfig::Sqlite { path: self.folder.path().join("plimsoll.db"), readers: 2 },
            Some(database) => StoreConfig::Postgres { url: database.url(), connections: 4 },
        };
        Store::open(&config).unwrap()
    }

    pub fn settings(&self) -> AuthoritySettings {
        AuthoritySettings {
            password_cost: PasswordCost::CHEAPEST,
            ..AuthoritySettings::new(ISSUER, self.folder.path())
        }
    }

    pub async fn start(&self, clock: &Clock) -> Result<Started> {
        start(self.store(), Context::new(clock.clone()), &self.settings(), Settings::default()).await
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A started installation.
pub struct World {
    pub place: Place,
    pub clock: Clock,
    pub app: Arc<App>,
}

impl World {
    pub async fn begin(place: Place) -> Self {
        let clock = Clock::new();
        let app = place.start(&clock).await.unwrap().app;
        Self { place, clock, app }
    }

    /// Whom a token speaks for, after revocations were renewed.
    pub async fn admit(&self, token: &str) -> Result<Arc<VerifiedToken>> {
        self.app.renew_authority().await?;
        let authority = self.app.authority()?;
        match authority.gate().admit(token, self.app.context.now())? {
            Admission::Ready(token) => Ok(token),
            Admission::NeedsGrants { token, text } => {
                let limited = self.app.limited_grants(token.principal()).await?;
                Ok(authority.gate().complete(token, text, limited, self.app.context.now()))
            }
        }
    }
}

/// Makes `name::sqlite` and `name::postgres` out of one async body that takes a [`Place`].
#[macro_export]
macro_rules! on_both {
    ($($name:ident;)+) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::identity::world::Place::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::identity::world::Place::postgres()).await;
            }
        }
    )+};
}
