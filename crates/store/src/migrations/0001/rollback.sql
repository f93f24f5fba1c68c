-- Why a job goes back, and from what; how it stands is the job's.
CREATE TABLE rollback (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  environment_id {text} NOT NULL, application {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX rollback_by_time ON rollback (tenant_id, created_at, id);
CREATE INDEX rollback_by_environment ON rollback (tenant_id, environment_id, application, created_at, id);
