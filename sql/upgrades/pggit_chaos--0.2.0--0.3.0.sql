--
-- 0.2.0 to 0.3.0.
--
-- 0.2.0 made it among its functions, so an upgrade from 0.1.0 comes by without it.
CREATE SEQUENCE IF NOT EXISTS @extschema@._lock_hold_id;
COMMENT ON SEQUENCE @extschema@._lock_hold_id IS 'Numbers the lock holds.';

DROP TABLE @extschema@._integrity_check;
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

-- A copy that was restored is to be compared, too.
SELECT pg_catalog.pg_extension_config_dump('@extschema@._recorded_digest', '');


-- Faults for other sessions: sealed, and found by filters.
CREATE SEQUENCE @extschema@._shared_failpoints MINVALUE 0 START 0;
COMMENT ON SEQUENCE @extschema@._shared_failpoints IS
    'Bloom filter of the failpoints at which faults are armed for other sessions; see _bits().';
CREATE SEQUENCE @extschema@._shared_rows MINVALUE 0 START 0;
COMMENT ON SEQUENCE @extschema@._shared_rows IS
    'Is set while a fault may be armed at a failpoint of a row for other sessions.';
CREATE SEQUENCE @extschema@._shared_scopes MINVALUE 0 START 0;
COMMENT ON SEQUENCE @extschema@._shared_scopes IS
    'Filter of the scopes of the faults that are armed for other sessions; see _filter_faults().';
-- NULL, which PostgreSQL tells of a sequence that was never set, would not end an AND.
SELECT pg_catalog.setval('@extschema@._shared_scopes', 0);

CREATE FUNCTION @extschema@._sealed_faults()
RETURNS bytea
LANGUAGE sql
STABLE
RETURN NULL::bytea;
COMMENT ON FUNCTION @extschema@._sealed_faults() IS
    'Holds the faults that are armed for other sessions, sealed; arm() replaces it.';

CREATE TABLE @extschema@._secret (
    key bytea NOT NULL CHECK (length(key) = 32)
);
COMMENT ON TABLE @extschema@._secret IS
    'The key of what others could read in the catalogue: one row, of this database alone.';
-- The one use of chance: every other role can read what is sealed with it.
INSERT INTO @extschema@._secret (key)
SELECT pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
       OPERATOR(pg_catalog.||) pg_catalog.uuid_send(pg_catalog.gen_random_uuid());

-- hit() has a new body below.  Until then it rests, on nothing that goes.
CREATE OR REPLACE FUNCTION @extschema@._armed()
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
CREATE OR REPLACE FUNCTION @extschema@._armed(failpoint text)
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
DROP FUNCTION @extschema@._armed_for_others();
DROP FUNCTION @extschema@._armed_for_others(text);
DROP FUNCTION @extschema@._shared_faults();

-- The row triggers have a function for each phase now: install_hooks() makes them.
DO $do$
DECLARE
    v_drop text;
BEGIN
    FOR v_drop IN
        SELECT pg_catalog.format('DROP TRIGGER %I ON %s', g.tgname,
                                 g.tgrelid::pg_catalog.regclass)
          FROM pg_catalog.pg_trigger AS g
         WHERE g.tgfoid = '@extschema@._row_hook()'::pg_catalog.regprocedure
           AND g.tgparentid = 0
    LOOP
        EXECUTE v_drop;
    END LOOP;
END;
$do$;
DROP FUNCTION @extschema@._row_hook();

COMMENT ON COLUMN @extschema@._corruption_kind.query IS
    'Chooses victims and damage by the seed ($1), rows by ids $2 to $3 too; see the method.';
