--
-- Known by table, kind and columns: names differ between releases.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'constraint_missing', 'definition', 'error', true, 'pg_catalog.pg_constraint',
    'the keys and foreign keys of the core tables exist',
    '{}',
    'Add the constraint again, NOT VALID where the rows do not fulfil it yet.',
$query$
WITH present AS MATERIALIZED (
    SELECT c.conrelid, c.contype::text AS kind, c.confrelid,
           ARRAY(SELECT a.attname
                   FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
                   JOIN pg_catalog.pg_attribute AS a
                     ON a.attrelid = c.conrelid AND a.attnum = k.attnum
                  ORDER BY k.position) AS columns
      FROM pg_catalog.pg_constraint AS c
     WHERE c.conrelid IN (to_regclass('pggit.branches'), to_regclass('pggit.commits'),
                          to_regclass('pggit.objects'), to_regclass('pggit.history'))
       AND c.contype IN ('p', 'u', 'f'))
SELECT format('constraint=%s %s(%s)', t.relation, t.kind, array_to_string(t.columns, ',')),
       format('table "%s" has no %s on (%s)', t.relation,
              CASE t.kind WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique constraint'
                          ELSE format('foreign key to "%s"', t.target) END,
              array_to_string(t.columns, ', '))
  FROM (SELECT v.relation, v.kind, v.columns::name[], v.target
          FROM (VALUES
               ('pggit.branches', 'p', '{id}', NULL),
               ('pggit.branches', 'u', '{name}', NULL),
               ('pggit.branches', 'f', '{parent_branch_id}', 'pggit.branches'),
               ('pggit.commits', 'p', '{id}', NULL),
               ('pggit.commits', 'u', '{hash}', NULL),
               ('pggit.commits', 'f', '{branch_id}', 'pggit.branches'),
               ('pggit.objects', 'p', '{id}', NULL),
               ('pggit.objects', 'u', '{object_type,schema_name,object_name,branch_name}', NULL),
               ('pggit.objects', 'f', '{parent_id}', 'pggit.objects'),
               ('pggit.history', 'p', '{id}', NULL),
               ('pggit.history', 'f', '{object_id}', 'pggit.objects'),
               ('pggit.history', 'f', '{branch_id}', 'pggit.branches')
               ) AS v(relation, kind, columns, target)) AS t
 WHERE to_regclass(t.relation) IS NOT NULL
   AND NOT EXISTS (
       SELECT
         FROM present AS c
        WHERE c.conrelid = to_regclass(t.relation)
          AND c.kind = t.kind
          AND (t.target IS NULL OR c.confrelid = to_regclass(t.target))
          AND c.columns = t.columns)
$query$);

-- A foreign key does on deletion what pgGit's does. Rows that do not fulfil the constraint stop
-- it.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'constraint_missing', 'statement', NULL,
$query$
SELECT format('constraint %I of table %s', m.name, m.relation) AS object,
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', m.relation, m.name, m.definition) AS damage,
       format('ALTER TABLE %s DROP CONSTRAINT %I', m.relation, m.name) AS undo,
       format('SELECT pg_get_constraintdef(c.oid) FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              m.relation, m.name) AS probe
  FROM (SELECT p.part[1] AS relation,
               format('%s_%s_%s', split_part(p.part[1], '.', 2), replace(p.part[3], ',', '_'),
                      CASE p.part[2] WHEN 'p' THEN 'pkey' WHEN 'u' THEN 'key' ELSE 'fkey' END)
                   AS name,
               CASE p.part[2] WHEN 'p' THEN format('PRIMARY KEY (%s)', p.part[3])
                              WHEN 'u' THEN format('UNIQUE (%s)', p.part[3])
                              ELSE format('FOREIGN KEY (%s) REFERENCES %s (id)%s', p.part[3],
                                          CASE p.part[3] WHEN 'branch_id' THEN 'pggit.branches'
                                               WHEN 'parent_branch_id' THEN 'pggit.branches'
                                               ELSE 'pggit.objects' END,
                                          CASE p.part[3] WHEN 'parent_branch_id' THEN ''
                                               ELSE ' ON DELETE CASCADE' END)
                   END AS definition
          FROM finding AS f
         CROSS JOIN LATERAL regexp_match(f.row_identity, '^constraint=(\S+) (.)\((.*)\)$')
               AS p(part)) AS m
 ORDER BY m.definition !~ '^(PRIMARY|UNIQUE)', m.relation, m.name
$query$);
