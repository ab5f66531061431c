--
-- Some releases of pgGit put a branched table into pggit_base under a name of
-- their own, and a view in its place that routes to the branch that a session
-- is on.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'data_branch_view_missing', 'data', 'error', true, 'pg_catalog.pg_class',
    'a table that is routed to its branches has a view in its place',
    '{}',
    'Create the view again as pgGit does, or move the table back to its name.',
$query$
SELECT format('relation=pggit_base.%I', c.relname),
       format('table "pggit_base.%I" has no view "%s"', c.relname,
              substr(c.relname, length('_pggit_main_') + 1))
  FROM pg_catalog.pg_class AS c
 WHERE c.relnamespace = to_regnamespace('pggit_base')
   AND c.relkind IN ('r', 'p')
   AND starts_with(c.relname, '_pggit_main_')
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_class AS v
                    WHERE v.relname = substr(c.relname, length('_pggit_main_') + 1)
                      AND v.relkind = 'v')
$query$);
