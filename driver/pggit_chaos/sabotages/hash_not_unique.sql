-- category: corruption
-- Two commits may have the same Trinity ID.
ALTER TABLE pggit.commits DROP CONSTRAINT commits_hash_key;
CREATE INDEX commits_hash_key ON pggit.commits (hash);
