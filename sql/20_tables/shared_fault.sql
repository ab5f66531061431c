--
-- Faults of more than one session
--
-- A session inside a REPEATABLE READ transaction sees no row that was committed
-- since, and so a table cannot tell it of a fault.  The one thing that every
-- session sees as it is now is the catalogue: functions are looked up afresh,
-- whatever the snapshot.  So the faults that are armed for other sessions are the
-- bodies of functions, which arm() and disarm() replace.  While nothing is armed
-- both _armed_for_others() are the constant false, inlined into the hit path,
-- where it costs nothing.
--
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
