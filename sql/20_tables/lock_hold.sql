CREATE SEQUENCE @extschema@._lock_hold_id;
COMMENT ON SEQUENCE @extschema@._lock_hold_id IS 'Numbers the lock holds.';
