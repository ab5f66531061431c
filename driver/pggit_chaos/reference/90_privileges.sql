--
-- Everybody may read and use the version control; nobody writes past it.  The
-- functions that write are SECURITY DEFINER; those that read users' data are
-- not, and so PUBLIC needs to create tables where the copies go.
--
GRANT USAGE ON SCHEMA pggit TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA pggit TO PUBLIC;
GRANT USAGE, CREATE ON SCHEMA pggit_base TO PUBLIC;
