-- Data keys, wrapped by the root key that no database holds. The installation's own stand under the nil tenant.
CREATE TABLE sealing_key (
  tenant_id {text} NOT NULL, version {int} NOT NULL, wrapped {blob} NOT NULL, created_at {int} NOT NULL,
  PRIMARY KEY (tenant_id, version)
) {strict};
