--
-- pgGit writes a commit once. What it reads is compared with what was recorded: all
-- of its columns, by name, so that neither their order nor another one counts, and in
-- words that no setting changes.
--
INSERT INTO @extschema@._integrity_check
    (check_id, category, severity, sound, relation, summary, requires, action, query, compares)
VALUES (
    'commit_rewritten', 'commit', 'error', true, 'pggit.commits',
    'a commit reads as it did when it was recorded',
    '{@extschema@._recorded_digest,pggit.commits.id,pggit.commits.hash,pggit.commits.branch_id,'
    'pggit.commits.parent_commit_hash,pggit.commits.message,pggit.commits.author,'
    'pggit.commits.authored_at,pggit.commits.committer,pggit.commits.committed_at,'
    'pggit.commits.tree_hash,pggit.commits.object_hashes,pggit.commits.metadata}',
    'Find out who changed it, and restore the row from a backup; where the change was meant, '
    'record it: SELECT * FROM pggit_chaos.record_digests(''{commit}'', replace => true).',
$query$
SELECT n.row_identity,
       format('commit "%s" reads otherwise than it did when it was recorded at %s: '
              '%s, and not %s', n.hash, d.recorded_at, left(encode(n.digest, 'hex'), 8),
              left(encode(d.digest, 'hex'), 8))
  FROM (SELECT 'id=' || c.id AS row_identity, c.hash,
               sha256(convert_to(ROW(c.hash, c.branch_id, c.parent_commit_hash, c.message, c.author,
                                     extract(epoch FROM c.authored_at), c.committer,
                                     extract(epoch FROM c.committed_at), c.tree_hash,
                                     c.object_hashes, c.metadata)::text, 'UTF8')) AS digest
          FROM ONLY pggit.commits AS c
        OFFSET 0) AS n
  JOIN @extschema@._recorded_digest AS d ON d.row_identity = n.row_identity
 WHERE d.subject = 'commit'
   AND d.digest <> n.digest
$query$,
    'commit');

INSERT INTO @extschema@._recording (subject, check_id, query)
VALUES (
    'commit', 'commit_rewritten',
$query$
SELECT 'id=' || c.id,
       sha256(convert_to(ROW(c.hash, c.branch_id, c.parent_commit_hash, c.message, c.author,
                             extract(epoch FROM c.authored_at), c.committer,
                             extract(epoch FROM c.committed_at), c.tree_hash,
                             c.object_hashes, c.metadata)::text, 'UTF8'))
  FROM ONLY pggit.commits AS c
$query$);
