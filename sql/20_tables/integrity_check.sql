--
-- The checks (one row a file in sql/60_integrity/checks/).  A query, not a
-- function: it can be read as it is, run on its own, and sent over a read-only
-- connection to a database that has nothing of ours.
--
CREATE TABLE @extschema@._integrity_check (
    check_id text   PRIMARY KEY CHECK (check_id ~ '^[a-z][a-z0-9_]*$'),
    category text   NOT NULL,
    severity text   NOT NULL CHECK (severity IN ('error', 'warning', 'info')),
    relation text   NOT NULL,
    summary  text   NOT NULL,
    requires text[] NOT NULL,
    action   text   NOT NULL,
    query    text   NOT NULL
);
COMMENT ON TABLE @extschema@._integrity_check IS
    'The integrity checks, each defined by one file under sql/60_integrity/checks/.';
COMMENT ON COLUMN @extschema@._integrity_check.requires IS
    'What this pgGit must have: schema.table or schema.table.column, one an element.';
COMMENT ON COLUMN @extschema@._integrity_check.query IS
    'Returns one row a finding: row_identity text, message text.';
