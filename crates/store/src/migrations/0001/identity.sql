-- This installation: one row, from the first start on.
CREATE TABLE installation (
  one {int} NOT NULL PRIMARY KEY CHECK (one = 1), default_tenant_id {text} NOT NULL, first_administrator_id {text} NOT NULL,
  issuer {text} NOT NULL, root_key_check {text} NOT NULL, created_at {int} NOT NULL
) {strict};

-- Keys that sign tokens; the private half is sealed, and gone once it is not needed.
CREATE TABLE signing_key (
  id {text} NOT NULL PRIMARY KEY, created_at {int} NOT NULL, public_key {text} NOT NULL, sealed {blob}, state {text} NOT NULL
) {strict};

CREATE TABLE app_user (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, email {text}, active {int} NOT NULL, service_of {text}, updated_at {int} NOT NULL,
  password_hash {text}, used_password_hash {text},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX app_user_name ON app_user (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX app_user_by_time ON app_user (tenant_id, created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE client (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, owner_id {text} NOT NULL, authentication {text} NOT NULL, active {int} NOT NULL, updated_at {int} NOT NULL,
  secret_digest {text}, public_key {text},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX client_name ON client (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX client_by_time ON client (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX client_by_owner ON client (tenant_id, owner_id) WHERE deleted_at IS NULL;
-- A client names itself before its tenant is known.
CREATE INDEX client_by_id ON client (id);

-- Whoever answers or answered for a client, or knows or knew its secret, and until when: makers of what it makes,
-- also after it was deleted or given to somebody else.
CREATE TABLE client_hand (
  tenant_id {text} NOT NULL, client_id {text} NOT NULL, service_user_id {text} NOT NULL, hand {text} NOT NULL,
  user_id {text} NOT NULL, since {int} NOT NULL, ended {int},
  PRIMARY KEY (tenant_id, client_id, hand, user_id, since)
) {strict};
CREATE INDEX client_hand_by_service_user ON client_hand (tenant_id, service_user_id);

CREATE TABLE role (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  name {text} NOT NULL, built_in {int} NOT NULL, updated_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX role_name ON role (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX role_by_time ON role (tenant_id, created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE role_binding (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  role_id {text} NOT NULL, principal_type {text} NOT NULL, principal_id {text} NOT NULL, environment_id {text},
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE UNIQUE INDEX role_binding_once ON role_binding
  (tenant_id, principal_id, role_id, principal_type, coalesce(environment_id, '')) WHERE deleted_at IS NULL;
CREATE INDEX role_binding_by_role ON role_binding (tenant_id, role_id) WHERE deleted_at IS NULL;
CREATE INDEX role_binding_by_environment ON role_binding (tenant_id, environment_id) WHERE deleted_at IS NULL;
CREATE INDEX role_binding_by_time ON role_binding (tenant_id, created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE registration_token (
  tenant_id {text} NOT NULL, id {text} NOT NULL, revision {int} NOT NULL, created_at {int} NOT NULL,
  deleted_at {int}, body {text} NOT NULL,
  expires_at {int} NOT NULL, used_at {int}, agent_id {text}, created_by {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX registration_token_by_time ON registration_token (tenant_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX registration_token_by_maker ON registration_token (tenant_id, created_by) WHERE deleted_at IS NULL AND used_at IS NULL;

-- How an agent proves who it is: its key, and the count of its token requests, which shows a copied host.
CREATE TABLE agent_identity (
  tenant_id {text} NOT NULL, agent_id {text} NOT NULL, name {text} NOT NULL, public_key {text} NOT NULL,
  registration_token_id {text} NOT NULL, registered_at {int} NOT NULL, revoked_at {int}, join_state {text} NOT NULL,
  PRIMARY KEY (tenant_id, agent_id)
) {strict};
CREATE UNIQUE INDEX agent_identity_by_token ON agent_identity (tenant_id, registration_token_id);
-- An agent names itself before its tenant is known.
CREATE INDEX agent_identity_by_id ON agent_identity (agent_id);

-- One counter a tenant, raised by every change to who may do what.
CREATE TABLE authz_counter (
  tenant_id {text} NOT NULL PRIMARY KEY, version {int} NOT NULL
) {strict};
-- The counter's value at the last change to one principal; an empty principal stands for all of the tenant's.
CREATE TABLE authz_version (
  tenant_id {text} NOT NULL, principal_id {text} NOT NULL, version {int} NOT NULL, changed_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, principal_id)
) {strict};
CREATE INDEX authz_version_by_age ON authz_version (changed_at);

-- What voids tokens before they expire: a token's id or a principal's, for as long as such tokens can live.
CREATE TABLE revocation (
  tenant_id {text} NOT NULL, kind {text} NOT NULL, subject {text} NOT NULL, until {int} NOT NULL,
  PRIMARY KEY (tenant_id, kind, subject)
) {strict};
CREATE INDEX revocation_by_age ON revocation (until);

-- What may be used once: stream tickets, assertions.
CREATE TABLE used_nonce (
  tenant_id {text} NOT NULL, kind {text} NOT NULL, nonce {text} NOT NULL, until {int} NOT NULL,
  PRIMARY KEY (tenant_id, kind, nonce)
) {strict};
CREATE INDEX used_nonce_by_age ON used_nonce (until);

-- A sign-in by device code; it has no tenant before somebody approves it.
CREATE TABLE device_grant (
  id {text} NOT NULL PRIMARY KEY, device_code {text} NOT NULL, user_code {text} NOT NULL, expires_at {int} NOT NULL,
  client_id {text} NOT NULL, scope {text}, origin {text}, body {text} NOT NULL
) {strict};
CREATE UNIQUE INDEX device_grant_by_device_code ON device_grant (device_code);
CREATE UNIQUE INDEX device_grant_by_user_code ON device_grant (user_code);
CREATE INDEX device_grant_by_age ON device_grant (expires_at);

-- A family of refresh tokens: one sign-in of one user.
CREATE TABLE session (
  tenant_id {text} NOT NULL, id {text} NOT NULL, user_id {text} NOT NULL, created_at {int} NOT NULL, ends_at {int} NOT NULL,
  generation {int} NOT NULL, scope {text}, family {text} NOT NULL, token_id {text} NOT NULL,
  PRIMARY KEY (tenant_id, id)
) {strict};
CREATE INDEX session_by_user ON session (tenant_id, user_id);
CREATE INDEX session_by_id ON session (id);
CREATE INDEX session_by_age ON session (ends_at);

-- A browser on the sign-in page, after its password was right.
CREATE TABLE browser_session (
  cookie_digest {text} NOT NULL PRIMARY KEY, tenant_id {text} NOT NULL, user_id {text} NOT NULL, expires_at {int} NOT NULL
) {strict};
CREATE INDEX browser_session_by_user ON browser_session (tenant_id, user_id);
CREATE INDEX browser_session_by_age ON browser_session (expires_at);

-- Failed sign-ins of an account or an address.
CREATE TABLE sign_in_attempt (
  subject {text} NOT NULL PRIMARY KEY, failures {int} NOT NULL, last_at {int} NOT NULL
) {strict};
CREATE INDEX sign_in_attempt_by_age ON sign_in_attempt (last_at);
