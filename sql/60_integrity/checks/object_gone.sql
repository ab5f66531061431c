--
-- A drop is recorded on the branch that the session is on, or on none. So the
-- record of main counts as stale where no branch knows of a drop, and either
-- every branch at work has the object or nobody ever recorded it. What was
-- renamed on another branch is known by its OID.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_gone', 'object', 'warning', false, 'pggit.objects',
    'an object of main that nobody dropped exists',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.full_name,pggit.objects.branch_name,'
    'pggit.objects.is_active,pggit.objects.metadata,pggit.branches.name,pggit.branches.status,'
    'pggit.history.object_id}',
    'Set is_active to false, or create the object again.',
$query$
WITH relation AS MATERIALIZED (
    SELECT c.oid::text, n.nspname::text AS schema_name, quote_ident(c.relname) AS name,
           quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'i', 'I')),
gone AS MATERIALIZED (
    SELECT o.*
      FROM ONLY pggit.objects AS o
     WHERE o.branch_name = 'main'
       AND o.is_active
       AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'INDEX')
       AND o.schema_name !~ '^(pg_|pggit$|pggit_)'
       AND NOT EXISTS (SELECT
                         FROM relation AS r
                        WHERE r.schema_name = o.schema_name
                          AND r.name = o.object_name)
       AND NOT EXISTS (SELECT
                         FROM relation AS r
                        WHERE r.schema_name = o.schema_name
                          AND r.full_name = o.object_name)
       AND NOT EXISTS (SELECT FROM relation AS r WHERE r.oid = o.metadata ->> 'oid')),
at_work AS MATERIALIZED (
    SELECT b.name
      FROM ONLY pggit.branches AS b
     WHERE b.status NOT IN ('DELETED', 'MERGED')),
twin AS MATERIALIZED (
    SELECT g.id, bool_or(NOT t.is_active) AS dropped, count(w.name) AS branches
      FROM gone AS g
      JOIN ONLY pggit.objects AS t
        ON t.object_type = g.object_type
       AND t.schema_name = g.schema_name
       AND t.object_name = g.object_name
      LEFT JOIN at_work AS w ON w.name = t.branch_name
     GROUP BY g.id),
recorded AS MATERIALIZED (
    SELECT DISTINCT h.object_id
      FROM ONLY pggit.history AS h
      JOIN gone AS g ON g.id = h.object_id)
SELECT format('id=%s', g.id),
       format('%s "%s" is active, and does not exist', g.object_type, g.full_name)
  FROM gone AS g
  JOIN twin AS t ON t.id = g.id
  LEFT JOIN recorded AS r ON r.object_id = g.id
 WHERE t.dropped IS NOT TRUE
   AND (r.object_id IS NULL
        OR t.branches = (SELECT count(*) FROM at_work AS w))
$query$);
