--
-- The flag is put back as it was and the rows are not looked at: they may be
-- damaged too, and are not for this corruption to judge.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'constraint_dropped', 'definition',
    'a foreign key of pgGit is gone',
    '{constraint_missing}',
    '{}',
    'statement', NULL,
$query$
SELECT format('constraint %I of table %s', c.conname, c.conrelid::regclass) AS object,
       format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) AS damage,
       concat_ws('; ',
                 format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', c.conrelid::regclass,
                        c.conname, pg_get_constraintdef(c.oid)),
                 format('UPDATE pg_catalog.pg_constraint SET convalidated = true'
                        ' WHERE conrelid = %L::regclass AND conname = %L',
                        c.conrelid::regclass, c.conname),
                 format('COMMENT ON CONSTRAINT %I ON %s IS %L', c.conname, c.conrelid::regclass,
                        obj_description(c.oid, 'pg_constraint'))) AS undo,
       format('SELECT concat_ws('' '', pg_get_constraintdef(c.oid), c.convalidated,'
              ' obj_description(c.oid, ''pg_constraint''))'
              ' FROM pg_catalog.pg_constraint AS c'
              ' WHERE c.conrelid = to_regclass(%L) AND c.conname = %L',
              c.conrelid::regclass, c.conname) AS probe
  FROM (VALUES ('pggit.branches', '{parent_branch_id}', 'pggit.branches'),
               ('pggit.commits', '{branch_id}', 'pggit.branches'),
               ('pggit.objects', '{parent_id}', 'pggit.objects'),
               ('pggit.history', '{object_id}', 'pggit.objects'),
               ('pggit.history', '{branch_id}', 'pggit.branches')) AS f(relation, columns, target)
  JOIN pg_catalog.pg_constraint AS c
    ON c.conrelid = to_regclass(f.relation)
   AND c.confrelid = to_regclass(f.target)
   AND c.conkey = ARRAY(SELECT a.attnum
                          FROM pg_catalog.pg_attribute AS a
                         WHERE a.attrelid = c.conrelid
                           AND a.attname = ANY (f.columns::name[]))
 WHERE c.contype = 'f'
   AND c.convalidated
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_trigger AS t
                    WHERE t.tgconstraint = c.oid
                      AND t.tgenabled <> 'O')
 ORDER BY @extschema@._pick($1, concat_ws(' ', f.relation, f.columns)), f.relation, f.columns
 LIMIT 1
$query$);
