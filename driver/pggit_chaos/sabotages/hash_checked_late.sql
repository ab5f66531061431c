-- category: transaction
-- A Trinity ID that is taken is refused at COMMIT, when the call has long succeeded.
ALTER TABLE pggit.commits
    DROP CONSTRAINT commits_hash_key,
    ADD CONSTRAINT commits_hash_key UNIQUE (hash) DEFERRABLE INITIALLY DEFERRED;
