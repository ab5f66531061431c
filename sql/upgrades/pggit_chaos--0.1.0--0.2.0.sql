--
-- 0.1.0 to 0.2.0: faults for other sessions, wait and wake, lock holds.
--
DROP TABLE @extschema@._fault;
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
COMMENT ON COLUMN @extschema@._fault.pid IS
    'The session of scope session or pid:N, with the time of its start; else NULL.';
COMMENT ON COLUMN @extschema@._fault.database IS
    'Where it was armed: no fault strikes in a copy of the database.';
COMMENT ON COLUMN @extschema@._fault.incarnation IS
    'Of the server at the time of arming: no fault outlives a crash or a restart.';
COMMENT ON COLUMN @extschema@._fault.pattern IS 'The failpoint as a pattern for LIKE.';
COMMENT ON COLUMN @extschema@._fault.program IS 'The term, parsed: one element a step.';
ALTER SEQUENCE @extschema@._fault_id AS integer;

DO $do$
DECLARE
    v_slot integer;
BEGIN
    FOR v_slot IN 0 .. 63 LOOP
        EXECUTE pg_catalog.format('CREATE SEQUENCE @extschema@.%I MINVALUE 0 START 1',
                                  '_slot_' || v_slot || '_released');
        EXECUTE pg_catalog.format('COMMENT ON SEQUENCE @extschema@.%I IS %L',
                                  '_slot_' || v_slot || '_released',
                                  'Says who was woken and disarmed of the fault in slot '
                                  || v_slot || '.');
    END LOOP;
END;
$do$;

CREATE FUNCTION @extschema@._armed_for_others()
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
COMMENT ON FUNCTION @extschema@._armed_for_others() IS
    'Answers whether a fault is armed for more than the session that armed it; arm() replaces it.';

CREATE FUNCTION @extschema@._armed_for_others(failpoint text)
RETURNS boolean
LANGUAGE sql
STABLE
RETURN false;
COMMENT ON FUNCTION @extschema@._armed_for_others(text) IS
    'Answers whether such a fault is armed at a failpoint for this session; arm() replaces it.';

CREATE FUNCTION @extschema@._shared_faults()
RETURNS jsonb
LANGUAGE sql
STABLE
RETURN '[]'::jsonb;
COMMENT ON FUNCTION @extschema@._shared_faults() IS
    'Holds the faults that are armed for other sessions, as rows of _fault; arm() replaces it.';

COMMENT ON SEQUENCE @extschema@._corruption_corruption_id_seq IS 'Numbers the corruptions.';
