--
-- The schemas and enums of pgGit.  pggit_base holds the tables of data
-- branches: who branches a table owns the copy, and so must be able to create
-- it there.
--
CREATE SCHEMA pggit;
CREATE SCHEMA pggit_base;

CREATE TYPE pggit.object_type AS ENUM (
    'SCHEMA', 'TABLE', 'COLUMN', 'INDEX', 'CONSTRAINT', 'VIEW', 'MATERIALIZED_VIEW', 'FUNCTION',
    'PROCEDURE', 'TRIGGER', 'TYPE', 'SEQUENCE', 'PARTITION', 'BRANCH', 'COMMIT', 'TAG');

CREATE TYPE pggit.change_type AS ENUM (
    'CREATE', 'ALTER', 'DROP', 'RENAME', 'COMMENT', 'BRANCH', 'MERGE', 'CONFLICT_RESOLVED');

CREATE TYPE pggit.change_severity AS ENUM ('MAJOR', 'MINOR', 'PATCH');

CREATE TYPE pggit.branch_status AS ENUM ('ACTIVE', 'MERGED', 'DELETED', 'CONFLICTED');

CREATE TYPE pggit.merge_resolution AS ENUM (
    'AUTO_RESOLVED', 'MANUAL_RESOLVED', 'CONFLICT_PENDING', 'MERGE_REJECTED');
