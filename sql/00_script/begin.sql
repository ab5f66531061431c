\echo Use "CREATE EXTENSION pggit_chaos" to load this file. \quit
--
-- pgGit versions every DDL statement of its database.  Its event triggers rest
-- under the replica role, and so this script's objects do not become part of
-- pgGit's history.
--
SET LOCAL session_replication_role = replica;
SET LOCAL search_path = pg_catalog, pg_temp;

-- A body may name what a later file creates.
SET LOCAL check_function_bodies = off;
