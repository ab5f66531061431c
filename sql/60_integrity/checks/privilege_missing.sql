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

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'privilege_missing', 'statement', NULL,
$query$
SELECT p.part[1] AS object,
       format('GRANT %s ON %s TO %s', o.missing, p.part[1], o.owner) AS damage,
       format('REVOKE %s ON %s FROM %s', o.missing, p.part[1], o.owner) AS undo,
       o.probe
  FROM finding AS f
 CROSS JOIN LATERAL regexp_match(f.row_identity, '^object=((\w+) (.*))$') AS p(part)
 CROSS JOIN LATERAL (
       SELECT c.relowner::regrole::text, c.relacl, c.relowner,
              CASE c.relkind WHEN 'S' THEN '{USAGE,SELECT,UPDATE}'::text[]
                             WHEN 'v' THEN '{SELECT}'
                             ELSE '{SELECT,INSERT,UPDATE,DELETE}' END,
              format('SELECT c.relacl::text FROM pg_catalog.pg_class AS c'
                     ' WHERE c.oid = to_regclass(%L)', p.part[3])
         FROM pg_catalog.pg_class AS c
        WHERE p.part[2] IN ('table', 'sequence')
          AND c.oid = to_regclass(p.part[3])
       UNION ALL
       SELECT r.proowner::regrole::text, r.proacl, r.proowner, '{EXECUTE}',
              format('SELECT r.proacl::text FROM pg_catalog.pg_proc AS r'
                     ' WHERE r.oid = to_regprocedure(%L)', p.part[3])
         FROM pg_catalog.pg_proc AS r
        WHERE p.part[2] = 'function'
          AND r.oid = to_regprocedure(p.part[3])
       UNION ALL
       SELECT n.nspowner::regrole::text, n.nspacl, n.nspowner, '{USAGE,CREATE}',
              format('SELECT n.nspacl::text FROM pg_catalog.pg_namespace AS n'
                     ' WHERE n.oid = to_regnamespace(%L)', p.part[3])
         FROM pg_catalog.pg_namespace AS n
        WHERE p.part[2] = 'schema'
          AND n.oid = to_regnamespace(p.part[3])) AS k(owner, acl, role, needed, probe)
 CROSS JOIN LATERAL (
       SELECT k.owner, k.probe, string_agg(n.privilege, ', ' ORDER BY n.privilege) AS missing
         FROM unnest(k.needed) AS n(privilege)
        WHERE NOT EXISTS (SELECT
                            FROM aclexplode(k.acl) AS a
                           WHERE a.grantee IN (k.role, 0)
                             AND a.privilege_type = n.privilege)) AS o
 ORDER BY p.part[1]
$query$);
