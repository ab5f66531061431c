--
-- Three sequences a slot, 64 slots: hits and fired count; released is where wake()
-- and disarm() say what they did (see released.sql).  nextval() survives rollback,
-- blocks nobody and is seen by every snapshot.  They are made here, once, because
-- making a sequence while arming would be DDL in the caller's transaction.
--
DO $do$
DECLARE
    v_slot    integer;
    v_counter text;
BEGIN
    FOR v_slot IN 0 .. 63 LOOP
        FOREACH v_counter IN ARRAY ARRAY['hits', 'fired', 'released'] LOOP
            EXECUTE pg_catalog.format('CREATE SEQUENCE @extschema@.%I MINVALUE 0 START 1',
                                      '_slot_' || v_slot || '_' || v_counter);
            EXECUTE pg_catalog.format('COMMENT ON SEQUENCE @extschema@.%I IS %L',
                                      '_slot_' || v_slot || '_' || v_counter,
                                      CASE v_counter
                                          WHEN 'released' THEN 'Says who was woken and disarmed'
                                          ELSE 'Counts the ' || v_counter
                                      END || ' of the fault in slot ' || v_slot || '.');
        END LOOP;
    END LOOP;
END;
$do$;
