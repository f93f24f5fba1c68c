-- What every change writes besides its own rows.

-- Lower case for filters that ignore case, the same in both databases: SQLite has it from the program.
--postgres
CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  AS $$ SELECT replace(lower($1 COLLATE "und-x-icu"), 'ς', 'σ') $$;
--sqlite
-- How many living resources of a kind a tenant has, kept by triggers.
CREATE TABLE living_count (
  tenant_id {text} NOT NULL, kind {text} NOT NULL, living {int} NOT NULL,
  PRIMARY KEY (tenant_id, kind)
) {strict};
--both

CREATE TABLE tenant (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL, name {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX tenant_name ON tenant (name) WHERE deleted_at IS NULL;

-- Labels of any resource, for filters by label.
CREATE TABLE label (
  tenant_id {text} NOT NULL, kind {text} NOT NULL, resource_id {text} NOT NULL, name {text} NOT NULL, value {text} NOT NULL,
  PRIMARY KEY (tenant_id, kind, resource_id, name)
) {strict};
CREATE INDEX label_by_value ON label (tenant_id, kind, name, value, resource_id);

-- Events in no order of their own; a position is given after the commit (event_position).
CREATE TABLE event (
  tenant_id {text} NOT NULL, id {text} NOT NULL, at {int} NOT NULL, topic {text} NOT NULL, resource_id {text} NOT NULL,
  parent_id {text}, type {text} NOT NULL, data {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};

CREATE TABLE event_position (
  tenant_id {text} NOT NULL, position {int} NOT NULL, event_id {text} NOT NULL, topic {text} NOT NULL, resource_id {text} NOT NULL,
  parent_id {text},
  PRIMARY KEY (tenant_id, position)
) {strict};
CREATE INDEX event_position_by_resource ON event_position (tenant_id, topic, resource_id, position);
CREATE INDEX event_position_by_parent ON event_position (tenant_id, parent_id, position) WHERE parent_id IS NOT NULL;

-- How far a tenant's events were forgotten: the last position that is gone, and the age of what is gone.
CREATE TABLE event_floor (
  tenant_id {text} NOT NULL PRIMARY KEY, position {int} NOT NULL, at {int} NOT NULL
) {strict};

-- The last job whose logs, or artifacts, were forgotten.
CREATE TABLE forgotten (
  kind {text} NOT NULL PRIMARY KEY, at {int} NOT NULL, job_tenant {text} NOT NULL, job_id {text} NOT NULL
) {strict};

-- What the sequencer has not yet taken. Written by every change and emptied at once: it has the one index that the
-- sequencer reads, and rows of all tenants lie side by side in it.
CREATE TABLE unsequenced (
  tenant_id {text} NOT NULL, event_id {text} NOT NULL, at {int} NOT NULL
) {strict};
CREATE INDEX unsequenced_by_time ON unsequenced (at, event_id);

CREATE TABLE audit_event (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL, deleted_at {int},
  body {text} NOT NULL, principal_type {text} NOT NULL, principal_id {text} NOT NULL, on_behalf_of {text},
  action {text} NOT NULL,
  resource_type {text} NOT NULL, resource_id {text}, outcome {text} NOT NULL, request_id {text} NOT NULL,
  canonical {blob} NOT NULL, digest {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX audit_event_by_time ON audit_event (tenant_id, created_at, id);
CREATE INDEX audit_event_by_resource ON audit_event (tenant_id, resource_type, resource_id, created_at, id);
CREATE INDEX audit_event_by_principal ON audit_event (tenant_id, principal_id, created_at, id);
CREATE INDEX audit_event_on_behalf ON audit_event (tenant_id, on_behalf_of, created_at, id) WHERE on_behalf_of IS NOT NULL;
CREATE INDEX audit_event_by_request ON audit_event (tenant_id, request_id);
--sqlite
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
--postgres
CREATE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event
  FOR EACH ROW EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event EXECUTE FUNCTION audit_event_is_append_only();
--both

-- The first answer to a POST with an Idempotency-Key, for 24 hours.
CREATE TABLE idempotency (
  tenant_id {text} NOT NULL, principal_id {text} NOT NULL, method {text} NOT NULL, path {text} NOT NULL, idempotency_key {text} NOT NULL,
  created_at {int} NOT NULL, body_digest {text} NOT NULL, reserved_until {int}, status {int}, answer {blob}, location {text},
  revision {int}, reference {text},
  PRIMARY KEY (tenant_id, principal_id, method, path, idempotency_key)
) {strict};
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Background work; claimed by lease with a fencing epoch. One row a (kind, subject).
CREATE TABLE work (
  tenant_id {text} NOT NULL, kind {text} NOT NULL, subject {text} NOT NULL, run_at {int} NOT NULL,
  owner {text}, lease_until {int}, epoch {int} NOT NULL, attempts {int} NOT NULL,
  PRIMARY KEY (tenant_id, kind, subject)
) {strict};
CREATE INDEX work_due ON work (kind, run_at);

-- Who does what only one may do at a time (the sequencer).
CREATE TABLE lease (
  name {text} NOT NULL PRIMARY KEY, owner {text} NOT NULL, epoch {int} NOT NULL, lease_until {int} NOT NULL
) {strict};
