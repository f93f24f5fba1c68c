//! Writes heartbeats, and marks agents that are silent. Run it at least every 5 s: a beat is then written
//! before its agent could count as silent.

use std::sync::Arc;

use plimsoll_core::Result;

use super::Progress;
use crate::App;

/// One step.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    app.agents_step().await?;
    Ok(Progress::Idle)
}
