--
-- The sequence "released" of a slot
--
-- wake() and disarm() must reach a session that is in the middle of a
-- transaction, whatever its snapshot, and must hold even if the transaction that
-- called them rolls back.  So they move a sequence.  For fault F it starts at
-- F * 2^20; each wake() adds one; disarm() sets it to the end of F's range.  Ids
-- only grow, and so the value also tells when the slot went to a later fault.
--
-- _released(slot), _is_disarmed(fault_id, slot), _release_range(fault_id)
--
CREATE FUNCTION @extschema@._released(slot integer)
RETURNS bigint
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(pg_sequence_last_value(@extschema@._counter(slot, 'released')), 0);
$function$;
COMMENT ON FUNCTION @extschema@._released(integer) IS
    'Reads how far the fault in a slot has been woken or disarmed.';

CREATE FUNCTION @extschema@._is_disarmed(fault_id bigint, slot integer)
RETURNS boolean
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT @extschema@._released(slot) >= ((fault_id + 1) << 20) - 1;
$function$;
COMMENT ON FUNCTION @extschema@._is_disarmed(bigint, integer) IS
    'Answers whether a fault was disarmed, even by a transaction that this one cannot see.';

CREATE FUNCTION @extschema@._mark_disarmed(fault_id bigint, slot integer)
RETURNS void
LANGUAGE sql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT setval(@extschema@._counter(slot, 'released'), ((fault_id + 1) << 20) - 1, true)
     WHERE @extschema@._released(slot) < ((fault_id + 1) << 20) - 1;
$function$;
COMMENT ON FUNCTION @extschema@._mark_disarmed(bigint, integer) IS
    'Disarms a fault at once and for every session, whatever becomes of this transaction.';
