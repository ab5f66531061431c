--
-- The checks (one row a file in sql/60_integrity/checks/).  A query, not a
-- function: it can be read as it is, run on its own, and sent over a read-only
-- connection to a database that has nothing of ours.
--
CREATE TABLE @extschema@._integrity_check (
    check_id text    PRIMARY KEY CHECK (check_id ~ '^[a-z][a-z0-9_]*$'),
    category text    NOT NULL,
    severity text    NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    sound    boolean NOT NULL,
    relation text    NOT NULL,
    summary  text    NOT NULL,
    requires text[]  NOT NULL,
    action   text    NOT NULL,
    query    text    NOT NULL,
    compares text
);
COMMENT ON TABLE @extschema@._integrity_check IS
    'The integrity checks, each defined by one file under sql/60_integrity/checks/.';
COMMENT ON COLUMN @extschema@._integrity_check.sound IS
    'Whether a finding is damage on every pgGit; else some pgGit breaks this promise by itself.';
COMMENT ON COLUMN @extschema@._integrity_check.requires IS
    'What this pgGit must have: schema.table or schema.table.column, one an element.';
COMMENT ON COLUMN @extschema@._integrity_check.query IS
    'Returns one row a finding: row_identity text, message text.';
COMMENT ON COLUMN @extschema@._integrity_check.compares IS
    'The subject whose recorded digests it compares with: without them it does not apply.';

--
-- How the findings of a check can be mended: in the check's file, behind it.
-- Method, relation and query are those of a kind of corruption, and one engine
-- does both.
--
CREATE TABLE @extschema@._repair (
    check_id text PRIMARY KEY REFERENCES @extschema@._integrity_check ON DELETE CASCADE,
    method   text NOT NULL
        CHECK (method IN ('update', 'delete', 'insert', 'sequence', 'statement')),
    relation text,
    query    text NOT NULL,
    CHECK ((relation IS NOT NULL) = (method IN ('update', 'delete', 'insert')))
);
COMMENT ON TABLE @extschema@._repair IS 'The repairs, one a check that has one.';
COMMENT ON COLUMN @extschema@._repair.query IS
    'Chooses the rows and their new values; its columns depend on the method.';
