--
-- The unique constraint on the hash sees nothing wrong. What referred to the
-- former hash dangles.
--
INSERT INTO @extschema@._corruption_kind
    (kind, category, summary, detected_by, requires, method, relation, query)
VALUES (
    'trinity_forged', 'commit',
    'a Trinity ID bears the number of another one',
    '{trinity_number_duplicate,commit_parent_missing,branch_head_missing,'
    'history_commit_missing}',
    '{pggit.commits.id,pggit.commits.hash,pggit.trinity_id_seq}',
    'update', 'pggit.commits',
$query$
WITH pair AS (
    SELECT c.ctid, c.id, c.hash
      FROM ONLY pggit.commits AS c
     WHERE c.hash ~ '^\d{20}-\d{6,}-[0-9a-f]{8}$'
       AND c.id BETWEEN $2 AND $3
     ORDER BY c.id
     LIMIT 2)
SELECT forged.ctid AS victim,
       jsonb_build_object('hash', concat_ws('-', split_part(forged.hash, '-', 1),
                                            split_part(other.hash, '-', 2),
                                            left(md5(forged.hash), 8))) AS change
  FROM pair AS forged
  JOIN pair AS other ON other.id > forged.id
 WHERE split_part(forged.hash, '-', 2) <> split_part(other.hash, '-', 2)
$query$);
