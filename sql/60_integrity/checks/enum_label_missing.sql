--
-- More labels do no harm.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'enum_label_missing', 'definition', 'error', true, 'pg_catalog.pg_enum',
    'the enum types of pgGit have the labels that it writes',
    '{}',
    'Run ALTER TYPE ... RENAME VALUE or ADD VALUE.',
$query$
SELECT format('type=%s', t.name),
       format('type "%s" has no label "%s"', t.name, l.label)
  FROM (VALUES
       ('pggit.object_type', '{SCHEMA,TABLE,COLUMN,INDEX,CONSTRAINT,VIEW,MATERIALIZED_VIEW,'
                             'FUNCTION,PROCEDURE,TRIGGER,TYPE,SEQUENCE,PARTITION,BRANCH,COMMIT,'
                             'TAG}'),
       ('pggit.change_type', '{CREATE,ALTER,DROP,RENAME,COMMENT,BRANCH,MERGE,CONFLICT_RESOLVED}'),
       ('pggit.change_severity', '{MAJOR,MINOR,PATCH}'),
       ('pggit.branch_status', '{ACTIVE,MERGED,DELETED,CONFLICTED}'),
       ('pggit.merge_resolution', '{AUTO_RESOLVED,MANUAL_RESOLVED,CONFLICT_PENDING,MERGE_REJECTED}')
       ) AS t(name, labels)
 CROSS JOIN LATERAL unnest(t.labels::text[]) AS l(label)
 WHERE NOT EXISTS (SELECT
                     FROM pg_catalog.pg_enum AS e
                    WHERE e.enumtypid = to_regtype(t.name)
                      AND e.enumlabel = l.label)
$query$);

-- A label that pgGit does not know, in a type that lacks just one, is that one renamed.
INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'enum_label_missing', 'statement', NULL,
$query$
SELECT format('type %s', t.name) AS object,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', t.name, s.label, m.label) AS damage,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', t.name, m.label, s.label) AS undo,
       format('SELECT string_agg(e.enumlabel, '','' ORDER BY e.enumsortorder)'
              ' FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = to_regtype(%L)', t.name) AS probe
  FROM (VALUES
       ('pggit.object_type', '{SCHEMA,TABLE,COLUMN,INDEX,CONSTRAINT,VIEW,MATERIALIZED_VIEW,'
                             'FUNCTION,PROCEDURE,TRIGGER,TYPE,SEQUENCE,PARTITION,BRANCH,COMMIT,'
                             'TAG}'),
       ('pggit.change_type', '{CREATE,ALTER,DROP,RENAME,COMMENT,BRANCH,MERGE,CONFLICT_RESOLVED}'),
       ('pggit.change_severity', '{MAJOR,MINOR,PATCH}'),
       ('pggit.branch_status', '{ACTIVE,MERGED,DELETED,CONFLICTED}'),
       ('pggit.merge_resolution', '{AUTO_RESOLVED,MANUAL_RESOLVED,CONFLICT_PENDING,MERGE_REJECTED}')
       ) AS t(name, labels)
  JOIN finding AS f ON f.row_identity = format('type=%s', t.name)
 CROSS JOIN LATERAL (SELECT min(l.label)
                       FROM unnest(t.labels::text[]) AS l(label)
                      WHERE l.label NOT IN (SELECT e.enumlabel
                                              FROM pg_catalog.pg_enum AS e
                                             WHERE e.enumtypid = to_regtype(t.name))
                     HAVING count(*) = 1) AS m(label)
 CROSS JOIN LATERAL (SELECT min(e.enumlabel::text)
                       FROM pg_catalog.pg_enum AS e
                      WHERE e.enumtypid = to_regtype(t.name)
                        AND e.enumlabel <> ALL (t.labels::name[])
                     HAVING count(*) = 1) AS s(label)
 ORDER BY t.name
$query$);
