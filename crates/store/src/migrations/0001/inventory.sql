CREATE TABLE environment (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, order_index {int} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX environment_name ON environment (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX environment_by_time ON environment (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX environment_by_order ON environment (tenant_id, order_index, id) WHERE deleted_at IS NULL;

-- Secrets of environments. Each set of target labels (canonical JSON) has its own value of a name.
CREATE TABLE environment_secret (
  tenant_id {text} NOT NULL, environment_id {text} NOT NULL, name {text} NOT NULL, target_labels {text} NOT NULL,
  sealed {blob} NOT NULL, set_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, environment_id, name, target_labels)
) {strict};

-- The version of each secret that was removed: one that comes again goes on from there, so that no version ever
-- stands for two values.
CREATE TABLE environment_secret_spent (
  tenant_id {text} NOT NULL, environment_id {text} NOT NULL, name {text} NOT NULL, target_labels {text} NOT NULL,
  version {int} NOT NULL,
  PRIMARY KEY (tenant_id, environment_id, name, target_labels)
) {strict};

CREATE TABLE freeze_window (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  environment_id {text} NOT NULL, name {text} NOT NULL, starts_at {int} NOT NULL, ends_at {int}, recurring {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX freeze_window_by_environment ON freeze_window (tenant_id, environment_id, starts_at, id) WHERE deleted_at IS NULL;

CREATE TABLE target (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  environment_id {text} NOT NULL, name {text} NOT NULL, type {text} NOT NULL, status {text} NOT NULL, agent_id {text},
  maintenance {int} NOT NULL, reconciliation_pending {int} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX target_name ON target (tenant_id, environment_id, name) WHERE deleted_at IS NULL;
CREATE INDEX target_by_time ON target (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX target_unsettled ON target (reconciliation_pending, updated_at) WHERE reconciliation_pending = 1;
CREATE INDEX target_by_agent ON target (tenant_id, agent_id) WHERE deleted_at IS NULL;

-- What an agent saw last of each target.
CREATE TABLE target_sight (
  tenant_id {text} NOT NULL, target_id {text} NOT NULL, at {int} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, target_id)
) {strict};

CREATE TABLE agent (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, hostname {text} NOT NULL, status {text} NOT NULL, enabled {int} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX agent_name ON agent (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX agent_by_time ON agent (tenant_id, created_at, id) WHERE deleted_at IS NULL;

-- What each agent last told of itself: written often, for many agents at once, and never with a revision.
CREATE TABLE agent_beat (
  tenant_id {text} NOT NULL, agent_id {text} NOT NULL, at {int} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, agent_id)
) {strict};
CREATE INDEX agent_beat_by_age ON agent_beat (at);
