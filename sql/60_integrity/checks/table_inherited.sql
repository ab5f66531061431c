--
-- Some releases of pgGit branch pgGit's own tables along with the users', by
-- inheritance: whoever reads the table reads the rows of the copy, too.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'table_inherited', 'definition', 'warning', false, 'pg_catalog.pg_inherits',
    'no table of pgGit''s has children',
    '{}',
    'Run ALTER TABLE ... NO INHERIT ... on the child.',
$query$
SELECT format('relation=%s', i.inhrelid::regclass),
       format('table "%s" inherits from "%s", whose readers see its rows, too',
              i.inhrelid::regclass, i.inhparent::regclass)
  FROM pg_catalog.pg_inherits AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.inhparent
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname !~ '^pggit_(base$|branch)'
   AND n.nspname <> '@extschema@'
   AND c.relkind = 'r'
$query$);
