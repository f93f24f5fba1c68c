-- The tenant's signing key for orders, stickers and evidence; the private part is sealed.
CREATE TABLE evidence_key (
  tenant_id {text} NOT NULL, key_id {text} NOT NULL, created_at {int} NOT NULL, public_key {text} NOT NULL, sealed {blob} NOT NULL,
  row_id {text} NOT NULL,
  PRIMARY KEY (tenant_id, key_id)
) {strict};

-- Packets: the deciding transaction stores the statement's exact bytes, a signer adds the envelope.
CREATE TABLE evidence_packet (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  type {text} NOT NULL, environment_id {text}, release_id {text}, promotion_id {text}, job_id {text}, key_id {text},
  signed {int} NOT NULL,
  statement {blob} NOT NULL, statement_digest {text} NOT NULL, packet {blob},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX evidence_packet_by_time ON evidence_packet (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX evidence_packet_by_promotion ON evidence_packet (tenant_id, promotion_id);
CREATE INDEX evidence_packet_by_job ON evidence_packet (tenant_id, job_id);
CREATE INDEX evidence_packet_unsigned ON evidence_packet (signed, created_at) WHERE signed = 0;
-- One packet a decision, one a job.
CREATE UNIQUE INDEX evidence_packet_one_decision ON evidence_packet (tenant_id, promotion_id) WHERE type = 'promotion_decision';
CREATE UNIQUE INDEX evidence_packet_one_job ON evidence_packet (tenant_id, job_id) WHERE type IN ('deployment', 'rollback');

-- Questions to agents about targets: asked by any replica, answered through the one that has the agent.
CREATE TABLE observation (
  tenant_id {text} NOT NULL, id {text} NOT NULL, agent_id {text} NOT NULL, target_id {text} NOT NULL, kind {text} NOT NULL,
  created_at {int} NOT NULL, deadline {int} NOT NULL, report {text},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX observation_by_agent ON observation (tenant_id, agent_id, deadline) WHERE report IS NULL;

-- The stickers that agents placed. One an application and target is in force.
CREATE TABLE version_sticker (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  target_id {text} NOT NULL, environment_id {text} NOT NULL, application {text} NOT NULL, release_id {text} NOT NULL,
  job_id {text} NOT NULL, epoch {int} NOT NULL, verification {text} NOT NULL, superseded_at {int},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX version_sticker_by_time ON version_sticker (tenant_id, created_at, id);
CREATE INDEX version_sticker_by_environment ON version_sticker (tenant_id, environment_id, created_at, id);
CREATE INDEX version_sticker_by_target ON version_sticker (tenant_id, target_id, created_at, id);
CREATE INDEX version_sticker_by_release ON version_sticker (tenant_id, release_id, created_at, id);
CREATE INDEX version_sticker_by_job ON version_sticker (tenant_id, job_id);
CREATE UNIQUE INDEX version_sticker_in_force ON version_sticker (tenant_id, target_id, application)
  WHERE superseded_at IS NULL;

-- What lay on each target when it was last looked at.
CREATE TABLE sticker_reading (
  tenant_id {text} NOT NULL, target_id {text} NOT NULL, at {int} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, target_id)
) {strict};
