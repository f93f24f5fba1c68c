CREATE TABLE promotion (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  release_id {text} NOT NULL, application {text} NOT NULL, environment_id {text} NOT NULL, status {text} NOT NULL,
  requested_by {text} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX promotion_by_time ON promotion (tenant_id, created_at, id);
CREATE INDEX promotion_by_environment ON promotion (tenant_id, environment_id, application, created_at, id);
CREATE INDEX promotion_by_release ON promotion (tenant_id, release_id, created_at, id);
CREATE INDEX promotion_by_status ON promotion (tenant_id, status, created_at, id);
-- One promotion of a release into an environment at a time.
CREATE UNIQUE INDEX promotion_one_open ON promotion (tenant_id, release_id, environment_id)
  WHERE status IN ('evaluating', 'blocked', 'awaiting_approval', 'scheduled', 'approved', 'deploying');

-- A yes or no, as it was given; whether it counts is computed.
CREATE TABLE approval (
  tenant_id {text} NOT NULL, id {text} NOT NULL, promotion_id {text} NOT NULL, at {int} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, promotion_id) REFERENCES promotion (tenant_id, id)
) {strict};
CREATE INDEX approval_by_promotion ON approval (tenant_id, promotion_id, at, id);

-- Who changed what decides about an environment, and when: they are makers there for a while.
CREATE TABLE rule_change (
  tenant_id {text} NOT NULL, id {text} NOT NULL, environment_id {text} NOT NULL, user_id {text} NOT NULL, at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX rule_change_by_environment ON rule_change (tenant_id, environment_id, at);

CREATE TABLE approval_policy (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX approval_policy_name ON approval_policy (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX approval_policy_by_time ON approval_policy (tenant_id, created_at, id) WHERE deleted_at IS NULL;
