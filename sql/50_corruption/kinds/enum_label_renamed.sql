--
-- What the functions of pgGit write into the column from then on is an error.
-- No check compares with these labels, and no row bears the one that is chosen: the
-- images of rows say the same before and after.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'enum_label_renamed', 'definition',
    'an enum type of pgGit has lost a label',
    '{enum_label_missing}',
    '{pggit.history.merge_resolution}',
    'statement', NULL,
$query$
SELECT format('type %s', e.enumtypid::regtype) AS object,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', e.enumtypid::regtype, e.enumlabel,
              e.enumlabel || '_') AS damage,
       format('ALTER TYPE %s RENAME VALUE %L TO %L', e.enumtypid::regtype, e.enumlabel || '_',
              e.enumlabel) AS undo,
       format('SELECT string_agg(e.enumlabel, '','' ORDER BY e.enumsortorder)'
              ' FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = to_regtype(%L)',
              e.enumtypid::regtype) AS probe
  FROM pg_catalog.pg_enum AS e
 WHERE e.enumtypid = to_regtype('pggit.merge_resolution')
   AND e.enumlabel IN ('AUTO_RESOLVED', 'MANUAL_RESOLVED', 'CONFLICT_PENDING', 'MERGE_REJECTED')
   AND e.enumlabel NOT IN (SELECT h.merge_resolution::text
                             FROM ONLY pggit.history AS h
                            WHERE h.merge_resolution IS NOT NULL)
 ORDER BY @extschema@._pick($1, e.enumlabel), e.enumlabel
 LIMIT 1
$query$);
