--
-- privilege_revoked
--
-- What a restore with other roles leaves. The grants are put back in the catalogue,
-- because GRANT does not bring back that there never were any but the default.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'privilege_revoked', 'definition',
    'the owner of a table of pgGit may not delete from it',
    '{privilege_missing}',
    '{}',
    'statement', NULL,
$query$
SELECT format('privileges of table %s', r.oid::regclass) AS object,
       format('REVOKE DELETE ON TABLE %s FROM %I', r.oid::regclass,
              pg_get_userbyid(r.relowner)) AS damage,
       format('UPDATE pg_catalog.pg_class SET relacl = %L::pg_catalog.aclitem[]'
              ' WHERE oid = %L::regclass', r.relacl, r.oid::regclass) AS undo,
       format('SELECT r.relacl::text FROM pg_catalog.pg_class AS r'
              ' WHERE r.oid = to_regclass(%L)', r.oid::regclass) AS probe
  FROM pg_catalog.pg_class AS r
 WHERE r.relnamespace = to_regnamespace('pggit')
   AND r.relkind = 'r'
   AND EXISTS (SELECT
                 FROM aclexplode(COALESCE(r.relacl, acldefault('r', r.relowner))) AS a
                WHERE a.grantee = r.relowner
                  AND a.privilege_type = 'DELETE')
   AND NOT EXISTS (SELECT
                     FROM aclexplode(r.relacl) AS a
                    WHERE a.grantee = 0
                      AND a.privilege_type = 'DELETE')
 ORDER BY @extschema@._pick($1, r.oid::regclass::text), r.oid::regclass::text
 LIMIT 1
$query$);
