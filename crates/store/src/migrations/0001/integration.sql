CREATE TABLE integration (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, type_id {text} NOT NULL, enabled {int} NOT NULL, status {text} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX integration_name ON integration (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX integration_by_time ON integration (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX integration_by_type ON integration (tenant_id, type_id, name) WHERE deleted_at IS NULL;

-- Sealed at its place: the integration, the secret's name and the instant when it was set.
CREATE TABLE integration_secret (
  tenant_id {text} NOT NULL, integration_id {text} NOT NULL, name {text} NOT NULL, sealed {blob} NOT NULL,
  updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, integration_id, name),
  FOREIGN KEY (tenant_id, integration_id) REFERENCES integration (tenant_id, id)
) {strict};
