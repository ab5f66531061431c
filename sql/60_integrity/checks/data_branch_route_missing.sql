--
-- See data_branch_view_missing. Without the trigger a write to the view fails,
-- or goes to main.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'data_branch_route_missing', 'data', 'error', true, 'pg_catalog.pg_trigger',
    'a view that routes to branches of a table has its three triggers',
    '{}',
    'Create the trigger again as pgGit does.',
$query$
SELECT format('trigger=%s %s', v.oid::regclass, e.event),
       format('view "%s" has no trigger INSTEAD OF %s', v.oid::regclass, e.event)
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_class AS v
    ON v.relname = substr(c.relname, length('_pggit_main_') + 1) AND v.relkind = 'v'
 CROSS JOIN LATERAL (VALUES ('INSERT', 4), ('DELETE', 8), ('UPDATE', 16)) AS e(event, bit)
 WHERE c.relnamespace = to_regnamespace('pggit_base')
   AND c.relkind IN ('r', 'p')
   AND starts_with(c.relname, '_pggit_main_')
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_trigger AS t
                    WHERE t.tgrelid = v.oid
                      AND t.tgtype & 64 <> 0
                      AND t.tgtype & e.bit <> 0
                      AND t.tgenabled IN ('O', 'A'))
$query$);
