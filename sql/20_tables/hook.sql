--
-- Where hooks were asked for, and what could not be hooked.  The hooks
-- themselves are not listed anywhere: a hooked body says so in its text, and
-- holds the original, so that nothing can be restored over a newer function.
--
CREATE TABLE @extschema@._hooked_schema (
    schema_name name PRIMARY KEY
);
COMMENT ON TABLE @extschema@._hooked_schema IS
    'The schemas that install_hooks() was last asked to hook.';

CREATE TABLE @extschema@._skipped_hook (
    object text PRIMARY KEY,
    kind   text NOT NULL,
    reason text NOT NULL
);
COMMENT ON TABLE @extschema@._skipped_hook IS
    'What install_hooks() found and could not hook.';
