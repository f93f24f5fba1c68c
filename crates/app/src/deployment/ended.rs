//! What the end of a job means for others: its evidence, its promotion, and whoever waits for its turn.

use plimsoll_core::{Result, deployment::DeploymentJob};
use plimsoll_store::Tx;

use crate::Notes;

/// Called in the transaction that ends the job.
pub(crate) fn on_end(tx: &mut Tx<'_>, notes: &mut Notes, job: &mut DeploymentJob) -> Result<()> {
    crate::evidence::seal_job(tx, notes, job)?;
    super::turn::pass_on(tx, notes, job)?;
    crate::promotion::job_ended(tx, notes, job)
}
