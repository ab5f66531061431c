--
-- Those that every release has; and of those that came together, all where
-- there is one. That a body was changed cannot be told from the catalogue
-- alone: function_altered compares with what was recorded.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'function_missing', 'definition', 'error', true, 'pg_catalog.pg_proc',
    'the functions that pgGit is used by exist',
    '{}',
    'Run the part of pgGit''s installer again that creates the function.',
$query$
WITH wanted AS MATERIALIZED (
    SELECT w.name, w.arguments, w.comes_with::name[]
      FROM (VALUES
           ('create_branch', 'text,text,boolean', NULL),
           ('switch_branch', 'text', NULL),
           ('checkout_branch', 'text', NULL),
           ('list_branches', 'pggit.branch_status,integer', NULL),
           ('merge_branches', 'text,text,text', NULL),
           ('resolve_conflict', 'text,integer,text', NULL),
           ('create_data_branch', 'text,text,text', NULL),
           ('ensure_object', 'pggit.object_type,text,text,text,jsonb', NULL),
           ('increment_version', 'integer,pggit.change_type,pggit.change_severity,text,jsonb,text',
            NULL),
           ('get_version', 'text', NULL),
           ('get_history', 'text,integer', NULL),
           ('compute_ddl_hash', 'pggit.object_type,text,text', NULL),
           ('handle_ddl_command', '', NULL),
           ('handle_sql_drop', '', NULL),
           ('generate_trinity_id', '', '{commit_changes}'),
           ('commit_changes', 'text,text,text', '{delete_branch_simple,calculate_schema_hash}'),
           ('delete_branch_simple', 'text', '{commit_changes,calculate_schema_hash}'),
           ('calculate_schema_hash', 'text', '{commit_changes,delete_branch_simple}')
           ) AS w(name, arguments, comes_with)),
present AS MATERIALIZED (
    -- Types that are not PostgreSQL's are printed with their schema: it is not on the path.
    SELECT p.proname, replace(oidvectortypes(p.proargtypes), ', ', ',') AS arguments
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronamespace = to_regnamespace('pggit')
       AND p.proname IN (SELECT w.name FROM wanted AS w))
SELECT format('function=pggit.%s(%s)', w.name, w.arguments),
       format('there is no function "pggit.%s(%s)"', w.name, w.arguments)
  FROM wanted AS w
 WHERE (w.comes_with IS NULL
        OR EXISTS (SELECT FROM present AS p WHERE p.proname = ANY (w.comes_with)))
   AND NOT EXISTS (SELECT
                     FROM present AS p
                    WHERE p.proname = w.name
                      AND p.arguments = w.arguments)
$query$);
