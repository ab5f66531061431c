-- category: corruption
-- What is altered is not recorded: pgGit listens to what is created only.
DROP EVENT TRIGGER pggit_ddl_trigger;
CREATE EVENT TRIGGER pggit_ddl_trigger ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW',
                 'CREATE INDEX', 'CREATE FUNCTION', 'CREATE PROCEDURE')
    EXECUTE FUNCTION pggit.handle_ddl_command();
