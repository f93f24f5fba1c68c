CREATE TABLE component (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, repository {text} NOT NULL, registry_integration_id {text} NOT NULL,
  source_integration_id {text}, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX component_name ON component (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX component_by_time ON component (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX component_by_integration ON component (tenant_id, registry_integration_id) WHERE deleted_at IS NULL;
CREATE INDEX component_by_source ON component (tenant_id, source_integration_id) WHERE deleted_at IS NULL;
