--
-- Nothing of ours is for PUBLIC but the hit path: whoever calls a hooked pgGit
-- function passes through it, and without the grant a hook would turn an
-- ordinary user's commit into 42501.
--
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA @extschema@ FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA @extschema@ FROM PUBLIC;
