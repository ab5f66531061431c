--
-- An upgrade replaces all code and migrates the tables.  The script is this file,
-- the migration of the tables (sql/upgrades/pggit_chaos--OLD--NEW.sql, never
-- edited after release), and every layer from 30 on.  What hooks refer to cannot
-- be dropped while they are in place; it is replaced.  Faults that are armed end
-- here: which they are is told by code.
--
DROP EVENT TRIGGER IF EXISTS pggit_chaos_drop_guard;  -- an upgrade over two versions comes by twice
DELETE FROM @extschema@._corruption_kind;
DELETE FROM @extschema@._integrity_check;

DO $do$
DECLARE
    v_drop text;
BEGIN
    FOR v_drop IN
        SELECT pg_catalog.format('DROP VIEW %s', c.oid::pg_catalog.regclass)
          FROM pg_catalog.pg_class AS c
         WHERE c.relnamespace = '@extschema@'::pg_catalog.regnamespace
           AND c.relkind = 'v'
    LOOP
        EXECUTE v_drop;
    END LOOP;
    FOR v_drop IN
        SELECT pg_catalog.format('DROP FUNCTION %s', p.oid::pg_catalog.regprocedure)
          FROM pg_catalog.pg_proc AS p
         WHERE p.pronamespace = '@extschema@'::pg_catalog.regnamespace
           AND p.proname NOT IN ('hit', '_hit_armed', '_armed', '_armed_rows', '_bits', '_covered', '_pass',
                                 '_before_write_hook', '_before_delete_hook', '_after_hook',
                                 '_commit_hook', '_ddl_hook', '_sealed_faults',
                                 -- of 0.1.0 and 0.2.0
                                 '_armed_for_others', '_shared_faults', '_row_hook')
         -- An ATOMIC body depends on what it calls, which is older.
         ORDER BY p.prosqlbody IS NULL, p.oid DESC
    LOOP
        EXECUTE v_drop;
    END LOOP;
END;
$do$;
