--
-- Faults of more than one session
--
-- A session inside a REPEATABLE READ transaction sees no row that was committed
-- since, and so a table cannot tell it of a fault.  Two things every session sees
-- as they are now: sequences, and the definitions of functions.
--
-- Three sequences are filters, of the failpoints at which a fault is armed for other
-- sessions, of whether one is a row's, and of the scopes of these faults.  They are
-- what the hit path looks at, and they are set at once, even before arm() has
-- committed.  What they let through is looked at closely; what they hold back costs
-- no more.  While nothing is armed, nor at a row, the first two are as if never set,
-- and PostgreSQL tells NULL of them.
--
-- The faults themselves are the body of a function, which arm() and disarm()
-- replace.  Everybody can read pg_proc, and so the body is sealed with a key that
-- only the owner can read.
--
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
