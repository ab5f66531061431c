--
-- What pgGit's tables cannot tell by themselves: that a row, or a function, reads as
-- it did before.  A subject is what digests are recorded of; its query stands behind
-- the check that compares with them, in the check's file.
--
CREATE TABLE @extschema@._recording (
    subject  text PRIMARY KEY CHECK (subject ~ '^[a-z][a-z0-9_]*$'),
    check_id text NOT NULL REFERENCES @extschema@._integrity_check ON DELETE CASCADE,
    query    text NOT NULL
);
COMMENT ON TABLE @extschema@._recording IS
    'The subjects of record_digests(), one a check that compares with what was recorded.';
COMMENT ON COLUMN @extschema@._recording.query IS
    'Returns what can be recorded now: row_identity text, digest bytea.';

CREATE TABLE @extschema@._recorded_digest (
    subject      text        COLLATE "C" NOT NULL,
    row_identity text        COLLATE "C" NOT NULL,
    digest       bytea       NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (subject, row_identity)
);
COMMENT ON TABLE @extschema@._recorded_digest IS
    'One row a digest that was recorded; it is dumped, and outlives an upgrade.';

-- A copy that was restored is to be compared, too.  Where only the script was run,
-- there is no extension, and pg_dump takes the table anyway.
DO $do$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pggit_chaos') THEN
        PERFORM pg_catalog.pg_extension_config_dump('@extschema@._recorded_digest', '');
    END IF;
END;
$do$;
