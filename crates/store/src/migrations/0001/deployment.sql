CREATE TABLE deployment_job (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  kind {text} NOT NULL, status {text} NOT NULL, environment_id {text} NOT NULL, application {text} NOT NULL,
  release_id {text} NOT NULL, promotion_id {text}, updated_at {int} NOT NULL, finished_at {int},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX deployment_job_by_time ON deployment_job (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX deployment_job_by_application ON deployment_job (tenant_id, environment_id, application, created_at, id);
CREATE INDEX deployment_job_by_promotion ON deployment_job (tenant_id, promotion_id);
-- In the order in which what belongs to them is forgotten.
CREATE INDEX deployment_job_by_end ON deployment_job (finished_at, tenant_id, id) WHERE finished_at IS NOT NULL;
-- One job at a time for an application in an environment; others wait in the queue.
CREATE UNIQUE INDEX deployment_job_one_at_a_time ON deployment_job (tenant_id, environment_id, application)
  WHERE status IN ('running', 'paused', 'cancelling');
CREATE INDEX deployment_job_open ON deployment_job (tenant_id, environment_id)
  WHERE status IN ('queued', 'running', 'paused', 'cancelling');

CREATE TABLE task (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  job_id {text} NOT NULL, target_id {text} NOT NULL, agent_id {text}, kind {text} NOT NULL, status {text} NOT NULL,
  batch {int} NOT NULL, epoch {int} NOT NULL,
  -- When the offer was acked, what the agent was told, and until when it may act.
  acked_at {int}, order_text {text}, order_signature {text}, order_key {text}, order_epoch {int}, deadline {int}, cancel_requested_at {int},
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, job_id) REFERENCES deployment_job (tenant_id, id)
) {strict};
CREATE INDEX task_by_job ON task (tenant_id, job_id, batch, id);
CREATE INDEX task_by_target ON task (tenant_id, target_id, epoch);
CREATE INDEX task_by_agent ON task (tenant_id, agent_id, status);
-- Who waits for a target.
CREATE INDEX task_pending ON task (tenant_id, target_id) WHERE status = 'pending';
-- One task in hand on a target at a time.
CREATE UNIQUE INDEX task_one_in_hand ON task (tenant_id, target_id) WHERE status IN ('assigned', 'running', 'verifying');

-- The fence of each target: raised by every offer and every cancel.
CREATE TABLE target_epoch (
  tenant_id {text} NOT NULL, target_id {text} NOT NULL, epoch {int} NOT NULL,
  PRIMARY KEY (tenant_id, target_id)
) {strict};

-- The deployment spec of each target of a job, and what ran there before.
CREATE TABLE job_spec (
  tenant_id {text} NOT NULL, job_id {text} NOT NULL, target_id {text} NOT NULL, spec {text}, previous {text}, digest {text} NOT NULL,
  PRIMARY KEY (tenant_id, job_id, target_id),
  FOREIGN KEY (tenant_id, job_id) REFERENCES deployment_job (tenant_id, id)
) {strict};

-- What runs where, as tasks reported it: the spec that a rollback puts back.
CREATE TABLE running (
  tenant_id {text} NOT NULL, target_id {text} NOT NULL, application {text} NOT NULL, environment_id {text} NOT NULL,
  release_id {text} NOT NULL, job_id {text} NOT NULL, spec {text} NOT NULL, since {int} NOT NULL,
  PRIMARY KEY (tenant_id, target_id, application)
) {strict};
CREATE INDEX running_by_environment ON running (tenant_id, environment_id, application);

CREATE TABLE task_log (
  tenant_id {text} NOT NULL, task_id {text} NOT NULL, first_seq {int} NOT NULL, lines {int} NOT NULL, chunk {int} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, task_id, first_seq)
) {strict};
CREATE UNIQUE INDEX task_log_chunk ON task_log (tenant_id, task_id, chunk);

-- What jobs leave behind, each with its content.
CREATE TABLE artifact (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  job_id {text} NOT NULL, task_id {text}, name {text} NOT NULL, content {blob} NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, job_id) REFERENCES deployment_job (tenant_id, id)
) {strict};
CREATE INDEX artifact_by_job ON artifact (tenant_id, job_id, created_at, id);
CREATE UNIQUE INDEX artifact_of_job ON artifact (tenant_id, job_id, name) WHERE task_id IS NULL;
CREATE UNIQUE INDEX artifact_of_task ON artifact (tenant_id, task_id, name) WHERE task_id IS NOT NULL;
