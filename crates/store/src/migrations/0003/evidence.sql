-- Packets are found by what they are about, and none that can't be signed holds up the others.
ALTER TABLE evidence_packet ADD COLUMN release_digest {text};
ALTER TABLE evidence_packet ADD COLUMN sign_after {int};
ALTER TABLE evidence_packet ADD COLUMN unsignable {int} NOT NULL DEFAULT 0;
CREATE INDEX evidence_packet_by_release_digest ON evidence_packet (tenant_id, release_digest, created_at, id);

-- The digests of images, releases, plans and rules that a packet is about.
CREATE TABLE evidence_subject (
  tenant_id {text} NOT NULL, digest {text} NOT NULL, packet_id {text} NOT NULL,
  PRIMARY KEY (tenant_id, digest, packet_id),
  FOREIGN KEY (tenant_id, packet_id) REFERENCES evidence_packet (tenant_id, id)
) {strict};

-- Names that a statement holds as salted hashes. They can be erased; the signature still fits.
CREATE TABLE evidence_person (
  tenant_id {text} NOT NULL, packet_id {text} NOT NULL, name_hash {text} NOT NULL, person_id {text} NOT NULL,
  name {text} NOT NULL, salt {text} NOT NULL,
  PRIMARY KEY (tenant_id, packet_id, name_hash),
  FOREIGN KEY (tenant_id, packet_id) REFERENCES evidence_packet (tenant_id, id)
) {strict};
CREATE INDEX evidence_person_by_person ON evidence_person (tenant_id, person_id);

-- A decision that overrode gates is of another type, and still the one of its promotion.
DROP INDEX evidence_packet_one_decision;
CREATE UNIQUE INDEX evidence_packet_one_decision ON evidence_packet (tenant_id, promotion_id)
  WHERE type IN ('promotion_decision', 'override');

-- What was sealed before.
--sqlite
UPDATE evidence_packet SET release_digest = json_extract(body, '$.releaseDigest');
INSERT OR IGNORE INTO evidence_subject (tenant_id, digest, packet_id)
  SELECT p.tenant_id, json_extract(one.value, '$.digest'), p.id FROM evidence_packet p, json_each(p.body, '$.subject') one;
INSERT OR IGNORE INTO evidence_subject (tenant_id, digest, packet_id)
  SELECT tenant_id, release_digest, id FROM evidence_packet WHERE release_digest IS NOT NULL;
--postgres
-- The wall stands before the owner too; it is raised again at the end.
ALTER TABLE evidence_packet NO FORCE ROW LEVEL SECURITY;
UPDATE evidence_packet SET release_digest = body::json ->> 'releaseDigest';
INSERT INTO evidence_subject (tenant_id, digest, packet_id)
  SELECT p.tenant_id, one ->> 'digest', p.id FROM evidence_packet p, json_array_elements(p.body::json -> 'subject') one
  ON CONFLICT DO NOTHING;
INSERT INTO evidence_subject (tenant_id, digest, packet_id)
  SELECT tenant_id, release_digest, id FROM evidence_packet WHERE release_digest IS NOT NULL ON CONFLICT DO NOTHING;
--both
