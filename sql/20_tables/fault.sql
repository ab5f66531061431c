--
-- Faults that are armed.  Counters live in sequences (see fault_counters.sql):
-- a counter in a row would be lost on rollback, and would block or fail the
-- sessions that the fault is only meant to watch.
--
CREATE TABLE @extschema@._fault (
    fault_id      bigint      PRIMARY KEY,
    slot          integer     NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 63),
    failpoint     text        NOT NULL,
    pattern       text        NOT NULL,
    term          text        NOT NULL,
    program       jsonb       NOT NULL,
    scope         text        NOT NULL,
    pid           integer,
    backend_start timestamptz,
    database      oid         NOT NULL,
    incarnation   timestamptz NOT NULL,
    start_hit     bigint      NOT NULL CHECK (start_hit >= 1),
    end_hit       bigint      CHECK (end_hit >= start_hit),
    seed          bigint      NOT NULL,
    armed_at      timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    armed_by      name        NOT NULL
);
COMMENT ON TABLE @extschema@._fault IS
    'One row a fault that is armed; its counters are the sequences of its slot.';

CREATE SEQUENCE @extschema@._fault_id AS integer;
COMMENT ON SEQUENCE @extschema@._fault_id IS 'Numbers the faults.';
COMMENT ON COLUMN @extschema@._fault.pid IS
    'The session of scope session or pid:N, with the time of its start; else NULL.';
COMMENT ON COLUMN @extschema@._fault.database IS
    'Where it was armed: no fault strikes in a copy of the database.';
COMMENT ON COLUMN @extschema@._fault.incarnation IS
    'Of the server at the time of arming: no fault outlives a crash or a restart.';
COMMENT ON COLUMN @extschema@._fault.pattern IS 'The failpoint as a pattern for LIKE.';
COMMENT ON COLUMN @extschema@._fault.program IS 'The term, parsed: one element a step.';
