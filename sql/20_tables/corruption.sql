--
-- What can be corrupted (one row a file in sql/50_corruption/kinds/), and what
-- was: each changed row, sequence or object with its image before and after.
--
CREATE TABLE @extschema@._corruption_kind (
    kind        text   PRIMARY KEY CHECK (kind ~ '^[a-z][a-z0-9_]*$'),
    category    text   NOT NULL CHECK (category ~ '^[a-z][a-z0-9_]*$'),
    summary     text   NOT NULL,
    detected_by text[] NOT NULL CHECK (cardinality(detected_by) >= 1),
    requires    text[] NOT NULL,
    method      text   NOT NULL
        CHECK (method IN ('update', 'delete', 'insert', 'sequence', 'statement')),
    relation    text,
    query       text   NOT NULL,
    CHECK ((relation IS NOT NULL) = (method IN ('update', 'delete', 'insert')))
);
COMMENT ON TABLE @extschema@._corruption_kind IS
    'The kinds of corruption, each defined by one file under sql/50_corruption/kinds/.';
COMMENT ON COLUMN @extschema@._corruption_kind.requires IS
    'What this pgGit must have: schema.table or schema.table.column, one an element.';
COMMENT ON COLUMN @extschema@._corruption_kind.query IS
    'Chooses victims and damage by the seed ($1), rows by ids $2 to $3 too; see the method.';

CREATE TABLE @extschema@._corruption (
    corruption_id bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text        NOT NULL,
    seed          bigint      NOT NULL,
    done_at       timestamptz NOT NULL,
    done_by       name        NOT NULL,
    healed_at     timestamptz
);
COMMENT ON TABLE @extschema@._corruption IS 'One row a corruption that was done.';
COMMENT ON SEQUENCE @extschema@._corruption_corruption_id_seq IS 'Numbers the corruptions.';

CREATE TABLE @extschema@._corruption_image (
    corruption_id bigint  NOT NULL REFERENCES @extschema@._corruption ON DELETE CASCADE,
    step          integer NOT NULL,
    method        text    NOT NULL CHECK (method IN ('row', 'sequence', 'statement')),
    object        text    NOT NULL,
    before        text,
    after         text,
    shape         text,
    undo          text,
    probe         text,
    PRIMARY KEY (corruption_id, step),
    CHECK ((shape IS NOT NULL) = (method = 'row')),
    CHECK ((undo IS NOT NULL) = (method = 'statement')),
    CHECK ((probe IS NOT NULL) = (method = 'statement'))
);
COMMENT ON TABLE @extschema@._corruption_image IS
    'Before and after image of each row, sequence or object that a corruption touched.';
COMMENT ON COLUMN @extschema@._corruption_image.before IS
    'The row, sequence or object as it was, as text; NULL where there was no such row.';
COMMENT ON COLUMN @extschema@._corruption_image.after IS
    'The row, sequence or object as the corruption left it; NULL where it left no row.';
COMMENT ON COLUMN @extschema@._corruption_image.shape IS
    'Columns of the table when the images were taken, without which they cannot be read.';
COMMENT ON COLUMN @extschema@._corruption_image.undo IS
    'The statements that undo the damage, computed from the catalogue before it was done.';
COMMENT ON COLUMN @extschema@._corruption_image.probe IS
    'The query that reads the state of the object, as it stands in before and after.';
