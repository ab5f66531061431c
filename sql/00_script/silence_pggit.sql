--
-- pgGit versions every DDL statement of its database.  Its event triggers rest
-- under the replica role, and so this script's objects do not become part of
-- pgGit's history.
--
SET LOCAL session_replication_role = replica;
