--
-- Those that an owner has unless they are revoked; functions of pgGit that are
-- SECURITY DEFINER run with them. What others may do is for each site to
-- decide.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'privilege_missing', 'definition', 'error', true, 'pg_catalog.pg_class',
    'the owners of pgGit''s objects may use them',
    '{}',
    'Grant the privilege to the owner again.',
$query$
WITH ours AS MATERIALIZED (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl
      FROM pg_catalog.pg_namespace AS n
     WHERE n.nspname ~ '^pggit(_|$)'
       AND n.nspname !~ '^pggit_(base$|branch)'
       AND n.nspname <> '@extschema@'),
owned AS (
    SELECT 'schema ' || quote_ident(n.nspname) AS object, n.nspowner AS owner, n.nspacl AS acl,
           '{USAGE,CREATE}'::text[] AS needed
      FROM ours AS n
    UNION ALL
    SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || c.oid::regclass,
           c.relowner, c.relacl,
           CASE c.relkind WHEN 'S' THEN '{USAGE,SELECT,UPDATE}'::text[]
                          WHEN 'v' THEN '{SELECT}'
                          ELSE '{SELECT,INSERT,UPDATE,DELETE}' END
      FROM ours AS n
      JOIN pg_catalog.pg_class AS c
        ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'S')
    UNION ALL
    SELECT 'function ' || p.oid::regprocedure, p.proowner, p.proacl, '{EXECUTE}'::text[]
      FROM ours AS n
      JOIN pg_catalog.pg_proc AS p ON p.pronamespace = n.oid)
SELECT 'object=' || o.object,
       format('role "%s" owns %s, and may not %s', pg_get_userbyid(o.owner), o.object,
              string_agg(p.privilege, ', ' ORDER BY p.privilege))
  FROM owned AS o
 CROSS JOIN LATERAL unnest(o.needed) AS p(privilege)
 WHERE o.acl IS NOT NULL
   AND NOT EXISTS (SELECT
                     FROM aclexplode(o.acl) AS a
                    WHERE a.grantee IN (o.owner, 0)
                      AND a.privilege_type = p.privilege)
 GROUP BY o.object, o.owner
$query$);
