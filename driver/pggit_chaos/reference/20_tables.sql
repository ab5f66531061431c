--
-- The tables.  Times are LOCALTIMESTAMP of the transaction that wrote them, as
-- pgGit's column types have it.
--
CREATE TABLE pggit.branches (
    id                 serial PRIMARY KEY,
    name               text NOT NULL CONSTRAINT branches_name_key UNIQUE,
    parent_branch_id   integer REFERENCES pggit.branches (id),
    head_commit_hash   text,
    status             pggit.branch_status DEFAULT 'ACTIVE',
    created_at         timestamp DEFAULT CURRENT_TIMESTAMP,
    created_by         text DEFAULT CURRENT_USER,
    merged_at          timestamp,
    merged_by          text,
    branch_type        text DEFAULT 'standard',
    total_objects      integer DEFAULT 0,
    modified_objects   integer DEFAULT 0,
    storage_efficiency numeric(5,2) DEFAULT 100.00,
    description        text,
    CONSTRAINT branch_name_not_empty CHECK (name IS NOT NULL AND name <> ''),
    CONSTRAINT branch_name_format CHECK (name ~ '^[a-zA-Z0-9._/#-]+$'),
    CONSTRAINT branches_branch_type_check
        CHECK (branch_type IN ('standard', 'tiered', 'temporal', 'compressed'))
);
CREATE INDEX idx_branches_status ON pggit.branches (status) WHERE status = 'ACTIVE';

CREATE TABLE pggit.commits (
    id                 serial PRIMARY KEY,
    hash               text NOT NULL DEFAULT md5(random()::text)
                       CONSTRAINT commits_hash_key UNIQUE,
    branch_id          integer NOT NULL CONSTRAINT fk_commits_branch_id
                       REFERENCES pggit.branches (id) ON DELETE CASCADE,
    parent_commit_hash text,
    message            text,
    author             text DEFAULT CURRENT_USER,
    authored_at        timestamp DEFAULT CURRENT_TIMESTAMP,
    committer          text DEFAULT CURRENT_USER,
    committed_at       timestamp DEFAULT CURRENT_TIMESTAMP,
    tree_hash          text,
    object_hashes      jsonb DEFAULT '{}',
    metadata           jsonb DEFAULT '{}'
);
CREATE INDEX idx_commits_branch ON pggit.commits (branch_id, id);
CREATE INDEX idx_commits_merge ON pggit.commits (branch_id, (metadata ->> 'merged_branch_id'))
    WHERE metadata ? 'merged_branch_id';

CREATE TABLE pggit.objects (
    id               serial PRIMARY KEY,
    object_type      pggit.object_type NOT NULL,
    schema_name      text NOT NULL,
    object_name      text NOT NULL,
    full_name        text GENERATED ALWAYS AS (
                         CASE schema_name WHEN '' THEN object_name
                         ELSE schema_name || '.' || object_name END) STORED,
    parent_id        integer REFERENCES pggit.objects (id) ON DELETE CASCADE,
    content_hash     text,
    ddl_normalized   text,
    branch_id        integer DEFAULT 1,
    branch_name      text DEFAULT 'main',
    version          integer NOT NULL DEFAULT 1,
    version_major    integer NOT NULL DEFAULT 1,
    version_minor    integer NOT NULL DEFAULT 0,
    version_patch    integer NOT NULL DEFAULT 0,
    metadata         jsonb DEFAULT '{}',
    is_active        boolean DEFAULT true,
    created_at       timestamp DEFAULT CURRENT_TIMESTAMP,
    updated_at       timestamp DEFAULT CURRENT_TIMESTAMP,
    ddl_hash         text,
    structure_hash   text,
    constraints_hash text,
    indexes_hash     text,
    CONSTRAINT objects_object_type_schema_name_object_name_branch_name_key
        UNIQUE (object_type, schema_name, object_name, branch_name)
);
CREATE INDEX idx_objects_active ON pggit.objects (is_active) WHERE is_active;
CREATE INDEX idx_objects_branch ON pggit.objects (branch_name, is_active);
CREATE INDEX idx_objects_ddl_hash ON pggit.objects (ddl_hash) WHERE is_active;
CREATE INDEX idx_objects_full_name ON pggit.objects (full_name);
CREATE INDEX idx_objects_oid ON pggit.objects ((metadata ->> 'oid'));
CREATE INDEX idx_objects_parents ON pggit.objects (branch_name) WHERE metadata ? 'parents';
CREATE INDEX idx_objects_parent ON pggit.objects (parent_id);
CREATE INDEX idx_objects_type ON pggit.objects (object_type);

CREATE TABLE pggit.history (
    id                 serial PRIMARY KEY,
    object_id          integer NOT NULL REFERENCES pggit.objects (id) ON DELETE CASCADE,
    change_type        pggit.change_type NOT NULL,
    change_severity    pggit.change_severity NOT NULL,
    commit_hash        text,
    branch_id          integer CONSTRAINT fk_history_branch_id
                       REFERENCES pggit.branches (id) ON DELETE CASCADE,
    merge_base_hash    text,
    merge_resolution   pggit.merge_resolution,
    old_version        integer,
    new_version        integer,
    old_metadata       jsonb,
    new_metadata       jsonb,
    change_description text,
    sql_executed       text,
    created_at         timestamp DEFAULT CURRENT_TIMESTAMP,
    created_by         text DEFAULT CURRENT_USER,
    old_hash           text,
    new_hash           text
);
CREATE INDEX idx_history_created ON pggit.history (created_at DESC);
CREATE INDEX idx_history_object ON pggit.history (object_id);
CREATE INDEX idx_history_uncommitted ON pggit.history (branch_id) WHERE commit_hash IS NULL;

CREATE TABLE pggit.dependencies (
    id              serial PRIMARY KEY,
    dependent_id    integer NOT NULL REFERENCES pggit.objects (id) ON DELETE CASCADE,
    depends_on_id   integer NOT NULL REFERENCES pggit.objects (id) ON DELETE CASCADE,
    branch_id       integer DEFAULT 1 REFERENCES pggit.branches (id),
    dependency_type text NOT NULL DEFAULT 'generic',
    metadata        jsonb DEFAULT '{}',
    created_at      timestamp DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (dependent_id, depends_on_id)
);
CREATE INDEX idx_dependencies_dependent ON pggit.dependencies (dependent_id);
CREATE INDEX idx_dependencies_depends_on ON pggit.dependencies (depends_on_id);

CREATE SEQUENCE pggit.trinity_id_seq;

INSERT INTO pggit.branches (name) VALUES ('main');
