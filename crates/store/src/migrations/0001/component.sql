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
CREATE INDEX component_by_source ON component (tenant_id, source_integration_id)
  WHERE deleted_at IS NULL AND source_integration_id IS NOT NULL;

-- What living components depend on.
CREATE TABLE component_dependency (
  tenant_id {text} NOT NULL, component_id {text} NOT NULL, depends_on {text} NOT NULL,
  PRIMARY KEY (tenant_id, component_id, depends_on),
  FOREIGN KEY (tenant_id, component_id) REFERENCES component (tenant_id, id),
  FOREIGN KEY (tenant_id, depends_on) REFERENCES component (tenant_id, id)
) {strict};
CREATE INDEX component_dependency_back ON component_dependency (tenant_id, depends_on);

-- One row a tag and digest. A tag that moves makes a new row; the old one says when it was superseded.
CREATE TABLE component_version (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  component_id {text} NOT NULL, tag {text} NOT NULL, version {text} NOT NULL, sort_key {text} NOT NULL,
  digest {text} NOT NULL, discovered_at {int} NOT NULL, superseded_at {int},
  -- When the registry was last asked about the tag.
  checked_at {int},
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, component_id) REFERENCES component (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX component_version_tag ON component_version (tenant_id, component_id, tag) WHERE superseded_at IS NULL;
CREATE INDEX component_version_by_order ON component_version (tenant_id, component_id, sort_key, id) WHERE deleted_at IS NULL;
CREATE INDEX component_version_by_time ON component_version (tenant_id, component_id, discovered_at, id) WHERE deleted_at IS NULL;
CREATE INDEX component_version_by_digest ON component_version (tenant_id, component_id, digest);

-- The sync of a component: one at a time, others join it.
CREATE TABLE component_sync (
  tenant_id {text} NOT NULL, component_id {text} NOT NULL, epoch {int} NOT NULL, lease_until {int},
  finished_epoch {int} NOT NULL, outcome {text},
  PRIMARY KEY (tenant_id, component_id),
  FOREIGN KEY (tenant_id, component_id) REFERENCES component (tenant_id, id)
) {strict};
