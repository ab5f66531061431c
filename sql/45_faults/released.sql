--
-- The sequence "released" of a slot
--
-- wake() and disarm() must reach a session that is in the middle of a
-- transaction, whatever its snapshot, and must hold even if the transaction that
-- called them rolls back.  So they move a sequence.  For fault F it starts at
-- F * 2^32; wake() adds the hits that were counted so far, and so releases who was
-- counted and has not begun to wait yet; disarm() sets it to the end of F's range.
-- Ids only grow, and so the value also tells when the slot went to a later fault.
--
-- What is looked at on every hit has an ATOMIC body, and so is inlined: before
-- version 18 PostgreSQL plans a function in SQL anew for each call.
--
-- _counter(slot, name): one of the three sequences of a slot: hits, fired or released.
--
CREATE FUNCTION @extschema@._counter(slot integer, name text)
RETURNS regclass
LANGUAGE sql
STABLE
RETURN format('@extschema@._slot_%s_%s', slot, name)::regclass;
COMMENT ON FUNCTION @extschema@._counter(integer, text) IS
    'Names one of the sequences of a slot.';

--
-- _released(slot), _release_hits(fault_id, slot), _is_disarmed(fault_id, slot),
-- _mark_disarmed(fault_id, slot)
--
CREATE FUNCTION @extschema@._released(slot integer)
RETURNS bigint
LANGUAGE sql
VOLATILE
RETURN COALESCE(pg_sequence_last_value(@extschema@._counter(slot, 'released')), 0);
COMMENT ON FUNCTION @extschema@._released(integer) IS
    'Reads how far the fault in a slot has been woken or disarmed.';

CREATE FUNCTION @extschema@._release_hits(fault_id bigint, slot integer)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(@extschema@._counter(slot, 'released'), h.reached, true)
      FROM (SELECT (fault_id << 32)
                   + COALESCE(pg_sequence_last_value(@extschema@._counter(slot, 'hits')), 0)
                   AS reached) AS h
     WHERE @extschema@._released(slot) >= fault_id << 32
       AND @extschema@._released(slot) < h.reached;
$function$;
COMMENT ON FUNCTION @extschema@._release_hits(bigint, integer) IS
    'Releases every hit that a fault has counted so far.';

CREATE FUNCTION @extschema@._is_disarmed(fault_id bigint, slot integer)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN @extschema@._released(slot) >= ((fault_id + 1) << 32) - 1;
COMMENT ON FUNCTION @extschema@._is_disarmed(bigint, integer) IS
    'Answers whether a fault was disarmed, even by a transaction that this one cannot see.';

CREATE FUNCTION @extschema@._mark_disarmed(fault_id bigint, slot integer)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(@extschema@._counter(slot, 'released'), ((fault_id + 1) << 32) - 1, true)
     WHERE @extschema@._released(slot) < ((fault_id + 1) << 32) - 1;
$function$;
COMMENT ON FUNCTION @extschema@._mark_disarmed(bigint, integer) IS
    'Disarms a fault at once and for every session, whatever becomes of this transaction.';
