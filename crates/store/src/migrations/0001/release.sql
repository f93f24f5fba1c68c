CREATE TABLE release (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, version {text} NOT NULL, status {text} NOT NULL, channel {text}, digest {text},
  sealed_at {int}, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX release_version ON release (tenant_id, name, version) WHERE deleted_at IS NULL;
CREATE INDEX release_by_time ON release (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX release_by_name ON release (tenant_id, name, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX release_by_status ON release (tenant_id, status, created_at, id) WHERE deleted_at IS NULL;

-- What a living release refers to.
CREATE TABLE release_component (
  tenant_id {text} NOT NULL, release_id {text} NOT NULL, component_id {text} NOT NULL, version_id {text} NOT NULL,
  PRIMARY KEY (tenant_id, release_id, component_id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES release (tenant_id, id),
  FOREIGN KEY (tenant_id, component_id) REFERENCES component (tenant_id, id),
  FOREIGN KEY (tenant_id, version_id) REFERENCES component_version (tenant_id, id)
) {strict};
CREATE INDEX release_component_by_component ON release_component (tenant_id, component_id, release_id);

-- What was sealed: written once with the digest of its canonical JSON, never changed.
CREATE TABLE release_seal (
  tenant_id {text} NOT NULL, release_id {text} NOT NULL, digest {text} NOT NULL, body {text} NOT NULL,
  PRIMARY KEY (tenant_id, release_id),
  FOREIGN KEY (tenant_id, release_id) REFERENCES release (tenant_id, id)
) {strict};
