--
-- The findings that somebody knows of and lives with: fsck() leaves them out.
--
CREATE TABLE @extschema@._accepted_finding (
    check_id     text        NOT NULL,
    row_identity text        NOT NULL,
    reason       text        NOT NULL,
    accepted_at  timestamptz NOT NULL,
    accepted_by  name        NOT NULL,
    PRIMARY KEY (check_id, row_identity)
);
COMMENT ON TABLE @extschema@._accepted_finding IS
    'One row a finding that was accepted; it outlives an upgrade, and the check itself.';
