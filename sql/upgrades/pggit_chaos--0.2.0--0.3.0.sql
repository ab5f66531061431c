--
-- 0.2.0 to 0.3.0.
--
-- 0.2.0 made it among its functions, so an upgrade from 0.1.0 comes by without it.
CREATE SEQUENCE IF NOT EXISTS @extschema@._lock_hold_id;
COMMENT ON SEQUENCE @extschema@._lock_hold_id IS 'Numbers the lock holds.';
