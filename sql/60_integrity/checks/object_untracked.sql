--
-- What was there before pgGit has a lower OID than pgGit's tables have, until a
-- restore gives both new ones. Extensions version what is theirs themselves.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'object_untracked', 'object', 'warning', false, 'pg_catalog.pg_class',
    'a table, view or index that came after pgGit is an active object on some branch',
    '{pggit.objects.id,pggit.objects.object_type,pggit.objects.schema_name,'
    'pggit.objects.object_name,pggit.objects.is_active}',
    'Have pgGit track it: SELECT pggit.ensure_object(...).',
$query$
SELECT format('relation=%I.%I', r.nspname, r.relname),
       format('%s "%I.%I" exists, and pgGit does not track it', r.kind, r.nspname, r.relname)
  FROM (SELECT n.nspname, c.relname,
               CASE WHEN c.relkind IN ('i', 'I') THEN 'index'
                    WHEN c.relkind = 'v' THEN 'view'
                    WHEN c.relkind = 'm' THEN 'materialized view'
                    ELSE 'table' END AS kind,
               quote_ident(c.relname) AS name,
               quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
          LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'i', 'I')
           AND c.relpersistence <> 't'
           AND n.nspname !~ '^(pg_|pggit$|pggit_)'
           AND n.nspname <> 'information_schema'
           AND c.oid > to_regclass('pggit.objects')
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_depend AS d
                            WHERE d.classid = 'pg_catalog.pg_class'::regclass
                              AND d.objid = c.oid
                              AND d.deptype = 'e')
           AND NOT EXISTS (SELECT
                             FROM pg_catalog.pg_depend AS d
                            WHERE d.classid = 'pg_catalog.pg_class'::regclass
                              AND d.objid = i.indrelid
                              AND d.deptype = 'e')) AS r
  LEFT JOIN (SELECT DISTINCT o.schema_name, o.object_name
               FROM ONLY pggit.objects AS o
              WHERE o.is_active IS NOT FALSE
                AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'INDEX')) AS o
    ON o.schema_name = r.nspname AND o.object_name = r.name
  LEFT JOIN (SELECT DISTINCT o.schema_name, o.object_name
               FROM ONLY pggit.objects AS o
              WHERE o.is_active IS NOT FALSE
                AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED_VIEW', 'INDEX')) AS q
    ON q.schema_name = r.nspname AND q.object_name = r.full_name
 WHERE o.object_name IS NULL
   AND q.object_name IS NULL
$query$);
