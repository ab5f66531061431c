-- The conventions that every object of the extension keeps.
BEGIN;
SELECT no_plan();

CREATE TEMP VIEW ours AS
SELECT p.*, p.oid::regprocedure::text AS name
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace;

SELECT is_empty($$
    SELECT name FROM ours WHERE obj_description(oid, 'pg_proc') IS NULL
$$, 'every function has a COMMENT');

SELECT is_empty($$
    SELECT c.oid::regclass
      FROM pg_class AS c
     WHERE c.relnamespace = 'pggit_chaos'::regnamespace
       AND c.relkind IN ('r', 'v', 'S')
       AND obj_description(c.oid, 'pg_class') IS NULL
       -- the sequence behind an identity column
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.objid = c.oid AND d.deptype = 'i' AND d.refobjsubid > 0)
$$, 'every table, view and sequence has a COMMENT');

SELECT is_empty($$
    SELECT name
      FROM ours
     WHERE prosqlbody IS NULL
       AND NOT COALESCE(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
       AND name NOT IN (
           -- The hit path: a SET clause would cost more than all the rest.  They qualify
           -- every name instead.
           'pggit_chaos._before_write_hook()', 'pggit_chaos._before_delete_hook()',
           'pggit_chaos._after_hook()', 'pggit_chaos._commit_hook()',
           'pggit_chaos._hit_armed(text)')
$$, 'every function pins its search_path or has an ATOMIC body');

SELECT set_eq($$
    SELECT name FROM ours WHERE prosecdef
$$, ARRAY[
    -- Whoever calls pgGit passes a hook.  The faults are for the extension's owner
    -- alone to read, and so these two look for them as the owner.  A caller
    -- could call the first one by hand: it can then let a fault strike that was
    -- armed for its own session, and learns no more than if it had passed there.
    -- The other one only PostgreSQL calls.
    'pggit_chaos._pass(text)',
    'pggit_chaos._ddl_hook()'
], 'no function is SECURITY DEFINER but those on the list');

SELECT set_eq($$
    SELECT name FROM ours WHERE has_function_privilege('public', oid, 'EXECUTE')
$$, ARRAY['pggit_chaos.hit(text)', 'pggit_chaos._armed()', 'pggit_chaos._armed_rows()',
         'pggit_chaos._armed(text)',
         'pggit_chaos._bits(text)', 'pggit_chaos._covered()', 'pggit_chaos._hit_armed(text)',
         'pggit_chaos._pass(text)'],
'PUBLIC can execute the hit path and nothing else');

SELECT is_empty($$
    SELECT c.oid::regclass
      FROM pg_class AS c
     WHERE c.relnamespace = 'pggit_chaos'::regnamespace
       AND (CASE WHEN c.relkind IN ('r', 'v')
                 THEN has_table_privilege('public', c.oid, 'SELECT, INSERT, UPDATE, DELETE') END
            OR CASE WHEN c.relkind = 'S'
                    THEN has_sequence_privilege('public', c.oid, 'USAGE, SELECT, UPDATE') END)
       -- What the hit path looks at.
       AND c.relname NOT IN ('_shared_failpoints', '_shared_rows', '_shared_scopes')
$$, 'PUBLIC can read and write nothing');

SELECT is_empty($$
    SELECT c.oid::regclass
      FROM pg_class AS c
     WHERE c.relnamespace = 'pggit_chaos'::regnamespace
       AND CASE WHEN c.relkind = 'S'
                THEN has_sequence_privilege('public', c.oid, 'USAGE, UPDATE') END
$$, 'PUBLIC moves no sequence');

SELECT is_empty($$
    SELECT name FROM ours WHERE prosrc ~* '\mrandom\s*\('
$$, 'nothing is left to chance');

SELECT is_empty($$
    SELECT name
      FROM ours
     WHERE prosrc ~* 'RAISE EXCEPTION' AND prosrc !~ 'ERRCODE'
$$, 'every error has an ERRCODE');

SELECT is_empty($$
    SELECT name
      FROM ours
     WHERE prosrc ~* 'WHEN OTHERS'
       AND name NOT IN (
           -- The sweep is there to catch whatever a statement ends in.
           'pggit_chaos._rehearse(text,text,text[])',
           -- Put back what no rollback takes back, and raise again.
           'pggit_chaos._sweep(text,text[],boolean,text,text)',
           'pggit_chaos._trace(text,text)',
           -- Closes a connection and raises again.
           'pggit_chaos.hold_lock(text,text,interval)',
           -- Raises a condition itself, to see whether there is one of that name.
           'pggit_chaos._sqlstate_of(text)')
$$, 'WHEN OTHERS stands only where its reason does');

SELECT is_empty($$
    SELECT c.oid::regclass
      FROM pg_class AS c
     WHERE c.relnamespace = 'pggit_chaos'::regnamespace
       AND c.relkind IN ('r', 'v')
       AND c.relname ~ '(ies|[^s]s)$'
$$, 'tables and views are named in the singular');

SELECT is_empty($$
    SELECT name
      FROM ours
     WHERE proname !~ '^_'
       AND proname NOT IN ('is_enabled', 'install_hooks', 'uninstall_hooks', 'hooks_intact', 'hit',
                           'arm', 'disarm', 'disarm_all', 'corrupt', 'heal', 'heal_all', 'fsck',
                           'accept_finding', 'reject_finding', 'repair',
                           'record_digests', 'forget_digests',
                           'digest', 'state_digest', 'wake',
                           'wait_triggered', 'hold_lock', 'release_lock', 'drill', 'drill_all',
                           'drill_pair', 'drill_pairs', 'trace', 'sweep')
$$, 'no function is public but those of the contract');

SELECT * FROM finish();
ROLLBACK;
