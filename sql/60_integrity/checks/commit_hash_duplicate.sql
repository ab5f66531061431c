--
-- Two commits of one hash come with a unique index that is damaged, invalid or
-- gone.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query)
VALUES (
    'commit_hash_duplicate', 'commit', 'error', true, 'pggit.commits',
    'the hash of a commit is its own',
    '{pggit.commits.id,pggit.commits.hash}',
    'Find out which of the commits the hash belongs to, give the others new ones, and see to '
    'the unique constraint.',
$query$
SELECT format('id=%s', max(c.id)),
       format('hash "%s" belongs to %s commits, the first of which is %s', c.hash, count(*),
              min(c.id))
  FROM ONLY pggit.commits AS c
 GROUP BY c.hash
HAVING count(*) > 1
$query$);
