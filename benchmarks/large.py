"""A reference target of any size, made by statements over sets and not by ordinary work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

__all__ = ["fill"]

# pgGit versions each with two columns and two indexes: five objects a table.
_OBJECTS_OF_A_TABLE = 5
_TABLES = """
DO $tables$
BEGIN
    FOR i IN 1 .. {tables} LOOP
        EXECUTE format('CREATE TABLE public.large_%1$s (id integer PRIMARY KEY, name text)', i);
        EXECUTE format('CREATE INDEX ON public.large_%1$s (name)', i);
    END LOOP;
END
$tables$
"""

_FIRST_COMMIT = "SELECT pggit.commit_changes('main', 'the tables')"

_BRANCHES = """
SELECT count(pggit.create_branch('large/' || i)) FROM generate_series(2, {branches}) AS i
"""

# Each branch is one line; the lines grow in turn.
_COMMITS = """
WITH line AS (
    SELECT b.id, b.head_commit_hash, row_number() OVER (ORDER BY b.id) - 1 AS place
      FROM pggit.branches AS b),
issued AS (
    SELECT n, n / {branches} AS step, n % {branches} AS place,
           LOCALTIMESTAMP + n * interval '1 microsecond' AS issued_at,
           nextval('pggit.trinity_id_seq') AS number
      FROM generate_series(0, {commits} - 1) AS n),
named AS (
    SELECT i.n, i.step, i.issued_at, l.id, l.head_commit_hash,
           pggit._trinity_id(to_char(i.issued_at, 'YYYYMMDDHH24MISSUS') || '-'
                             || lpad(i.number::text, greatest(6, length(i.number::text)), '0'))
               AS hash
      FROM issued AS i
      JOIN line AS l ON l.place = i.place)
INSERT INTO pggit.commits (hash, branch_id, parent_commit_hash, message, author, authored_at,
                           committer, committed_at, tree_hash)
SELECT n.hash, n.id,
       COALESCE(lag(n.hash) OVER (PARTITION BY n.id ORDER BY n.step), n.head_commit_hash),
       'commit ' || n.n, CURRENT_USER, n.issued_at, CURRENT_USER, n.issued_at,
       pggit._sha256('tree ' || n.n)
  FROM named AS n
 ORDER BY n.n
"""
_HEADS = """
UPDATE pggit.branches AS b
   SET head_commit_hash = c.hash
  FROM (SELECT DISTINCT ON (c.branch_id) c.branch_id, c.hash
          FROM pggit.commits AS c
         ORDER BY c.branch_id, c.id DESC) AS c
 WHERE c.branch_id = b.id
"""

# Columns have no history of their own.  A table is changed on all branches alike.
_HISTORY = """
WITH changed AS (
    SELECT o.id, o.branch_id, o.version, o.metadata, o.content_hash,
           row_number() OVER (ORDER BY o.full_name, o.id) - 1 AS place,
           count(*) OVER () AS total
      FROM pggit.objects AS o
     WHERE o.object_type <> 'COLUMN'),
change AS (
    SELECT n, n / t.total AS step, n % t.total AS place
      FROM (SELECT c.total FROM changed AS c LIMIT 1) AS t,
           generate_series(0, {history} - 1) AS n)
INSERT INTO pggit.history (object_id, change_type, change_severity, commit_hash, branch_id,
                           old_version, new_version, old_metadata, new_metadata,
                           change_description, created_at, old_hash, new_hash)
SELECT c.id, 'ALTER', 'MINOR', b.head_commit_hash, c.branch_id, c.version + h.step,
       c.version + h.step + 1, c.metadata, c.metadata, 'change ' || h.n,
       LOCALTIMESTAMP + h.n * interval '1 microsecond', c.content_hash, c.content_hash
  FROM change AS h
  JOIN changed AS c ON c.place = h.place
  JOIN pggit.branches AS b ON b.id = c.branch_id
 ORDER BY h.n
"""
_VERSIONS = """
UPDATE pggit.objects AS o
   SET version = h.new_version, version_minor = o.version_minor + h.new_version - o.version,
       updated_at = h.created_at
  FROM (SELECT DISTINCT ON (h.object_id) h.object_id, h.new_version, h.created_at
          FROM pggit.history AS h
         ORDER BY h.object_id, h.id DESC) AS h
 WHERE h.object_id = o.id
   AND h.new_version > o.version
"""


def fill(
    conn: psycopg.Connection[Any], *, commits: int, history: int, objects: int, branches: int
) -> None:
    """Add so many commits and changes to an unused reference target, on so many branches.

    There are as many objects as whole tables on each branch make.  fsck() finds
    it sound.  Ends with VACUUM and ANALYZE, and so the connection must be in
    autocommit mode.
    """
    numbers = {
        "commits": sql.Literal(commits),
        "history": sql.Literal(history),
        "branches": sql.Literal(branches),
        "tables": sql.Literal(max(1, objects // branches // _OBJECTS_OF_A_TABLE)),
    }
    with conn.transaction():
        conn.execute(sql.SQL(_TABLES).format(**numbers))
        conn.execute(_FIRST_COMMIT)
        # No foreign key is asked about a million rows that are right by construction.
        conn.execute("SET LOCAL session_replication_role = replica")
        for statement in (_BRANCHES, _COMMITS, _HEADS, _HISTORY, _VERSIONS):
            conn.execute(sql.SQL(statement).format(**numbers))
    conn.execute("VACUUM (ANALYZE)")
