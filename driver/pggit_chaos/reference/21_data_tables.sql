--
-- The tables of data branches and of merges.
--
CREATE TABLE pggit.data_branches (
    id                  serial PRIMARY KEY,
    table_schema        text NOT NULL,
    table_name          text NOT NULL,
    branch_id           integer NOT NULL CONSTRAINT fk_data_branches_branch_id
                        REFERENCES pggit.branches (id) ON DELETE CASCADE,
    parent_table        text,
    cow_enabled         boolean DEFAULT true,
    row_count           bigint DEFAULT 0,
    storage_bytes       bigint DEFAULT 0,
    deduplication_ratio numeric(5,2) DEFAULT 100.00,
    created_at          timestamp DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (table_schema, table_name, branch_id)
);
CREATE INDEX idx_data_branches_branch_id ON pggit.data_branches (branch_id);

CREATE TABLE pggit.branched_tables (
    id            serial PRIMARY KEY,
    branch_name   text NOT NULL,
    source_schema text NOT NULL,
    source_table  text NOT NULL,
    branch_schema text NOT NULL,
    branch_table  text NOT NULL,
    branched_at   timestamp DEFAULT CURRENT_TIMESTAMP,
    row_count     bigint,
    uses_cow      boolean DEFAULT true,
    UNIQUE (branch_name, source_schema, source_table)
);
CREATE INDEX idx_branched_tables_branch ON pggit.branched_tables (branch_name);

CREATE TABLE pggit.branch_storage_stats (
    branch_name        text PRIMARY KEY,
    created_at         timestamp DEFAULT CURRENT_TIMESTAMP,
    last_modified      timestamp DEFAULT CURRENT_TIMESTAMP,
    total_size         bigint DEFAULT 0,
    row_count          bigint DEFAULT 0,
    compression_type   text DEFAULT 'none',
    cow_enabled        boolean DEFAULT true,
    storage_efficiency numeric(5,2) DEFAULT 100.0
);

CREATE TABLE pggit.merge_conflicts (
    id                  serial PRIMARY KEY,
    merge_id            text NOT NULL,
    branch_a            text NOT NULL,
    branch_b            text NOT NULL,
    base_branch         text,
    conflict_object     text NOT NULL,
    conflict_type       text NOT NULL,
    base_value          jsonb,
    branch_a_value      jsonb,
    branch_b_value      jsonb,
    resolved_value      jsonb,
    resolution_strategy text,
    auto_resolved       boolean DEFAULT false,
    resolved_by         text,
    resolved_at         timestamp,
    created_at          timestamp DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_merge_conflicts_merge_id ON pggit.merge_conflicts (merge_id);
