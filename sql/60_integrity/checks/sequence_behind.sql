--
-- A value that is in use and still to be handed out stops an INSERT with a
-- duplicate key. Each table is asked for its highest value by way of
-- query_to_xml(), which is how a plain query runs another. Branch main does
-- not count: the installer gives it id 1 without the sequence. MATERIALIZED,
-- because what is no sequence must not be asked for its last value.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'sequence_behind', 'sequence', 'error', true, 'pg_catalog.pg_sequence',
    'the sequence behind a column of pgGit is past every value in it',
    '{}',
    'Set the sequence to the highest value in use with setval().',
$query$
WITH s AS MATERIALIZED (
    SELECT d.objid::regclass AS sequence, d.refobjid::regclass AS relation,
           -- In a join all columns of all relations would be read.
           (SELECT a.attname
              FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = d.refobjid AND a.attnum = d.refobjsubid) AS attname
      FROM pg_catalog.pg_sequence AS q
      JOIN pg_catalog.pg_depend AS d
        ON d.objid = q.seqrelid
       AND d.classid = 'pg_catalog.pg_class'::regclass
       AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.deptype IN ('a', 'i')
       AND d.refobjsubid > 0
      JOIN pg_catalog.pg_class AS r ON r.oid = d.refobjid
      JOIN pg_catalog.pg_namespace AS n ON n.oid = r.relnamespace
     WHERE n.nspname ~ '^pggit(_|$)'
       AND n.nspname <> '@extschema@'
       AND q.seqincrement > 0)
SELECT format('sequence=%s', s.sequence),
       format('sequence "%s" stands at %s, and column "%s" of "%s" has reached %s', s.sequence,
              v.part[2], s.attname, s.relation, v.part[1])
  FROM s
 CROSS JOIN LATERAL regexp_match(
       query_to_xml(format('SELECT concat_ws(''|'', (SELECT max(%1$I) FROM ONLY %2$s),'
                           ' last_value, last_value - (NOT is_called)::integer) AS v FROM %3$s',
                           s.attname, s.relation, s.sequence),
                    false, true, '')::text,
       '<v>(-?\d+)\|(-?\d+)\|(-?\d+)</v>') AS v(part)
 WHERE v.part[1]::bigint > v.part[3]::bigint
   AND NOT (s.relation = to_regclass('pggit.branches') AND v.part[1] = '1')
$query$);

INSERT INTO @extschema@._repair (check_id, method, relation, query)
VALUES (
    'sequence_behind', 'sequence', NULL,
$query$
SELECT s.sequence, s.highest AS last_value, true AS is_called
  FROM (SELECT d.objid::regclass AS sequence,
               (regexp_match(
                   query_to_xml(format('SELECT max(%I) AS v FROM ONLY %s', a.attname,
                                       d.refobjid::regclass), false, true, '')::text,
                   '<v>(-?\d+)</v>'))[1]::bigint AS highest
          FROM finding AS f
          JOIN pg_catalog.pg_depend AS d
            ON f.row_identity = format('sequence=%s', d.objid::regclass)
           AND d.classid = 'pg_catalog.pg_class'::regclass
           AND d.refclassid = 'pg_catalog.pg_class'::regclass
           AND d.deptype IN ('a', 'i')
          JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid) AS s
 ORDER BY s.sequence::text
$query$);
