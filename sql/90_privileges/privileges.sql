--
-- Nothing of ours is for PUBLIC but the hit path: whoever calls a hooked pgGit
-- function passes through it, and without the grant a hook would turn an
-- ordinary user's commit into 42501.
--
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA @extschema@ FROM PUBLIC;

GRANT USAGE ON SCHEMA @extschema@ TO PUBLIC;
-- Called at the entry of each hooked function.  It reveals nothing, and does
-- nothing unless a fault is armed for the session that calls it.
GRANT EXECUTE ON FUNCTION @extschema@.hit(text) TO PUBLIC;
-- hit() is inlined, and so whoever passes it calls these himself.  They tell that
-- something may be armed at a failpoint, not what, nor for whom.
GRANT EXECUTE ON FUNCTION @extschema@._hit_armed(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._armed() TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._armed_rows() TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._armed(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._bits(text) TO PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@._covered() TO PUBLIC;
GRANT SELECT ON SEQUENCE @extschema@._shared_failpoints TO PUBLIC;
GRANT SELECT ON SEQUENCE @extschema@._shared_rows TO PUBLIC;
GRANT SELECT ON SEQUENCE @extschema@._shared_scopes TO PUBLIC;
-- Where something may be armed, this looks as the extension's owner.  Called by
-- hand it lets a fault strike that was armed for the caller's own session.
GRANT EXECUTE ON FUNCTION @extschema@._pass(text) TO PUBLIC;
