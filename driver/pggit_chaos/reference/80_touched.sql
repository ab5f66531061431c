--
-- What a DDL command touched, as seen from inside an event trigger: what it
-- names, and what changes with that.  An object that is named has changed; one
-- that is implied may have.
--

-- What can change with a relation: partitions and children, indexes, the table
-- of an index, views on it, and tables that refer to it.
CREATE FUNCTION pggit._implied(relations oid[])
RETURNS SETOF oid
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH RECURSIVE part (oid) AS (
        SELECT unnest(relations)
         UNION
        SELECT n.oid
          FROM part AS p
         CROSS JOIN LATERAL (
               SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = p.oid
                UNION ALL
               SELECT x.indexrelid FROM pg_index AS x WHERE x.indrelid = p.oid) AS n(oid))
    SELECT p.oid FROM part AS p
     UNION
    SELECT x.indrelid FROM part AS p JOIN pg_index AS x ON x.indexrelid = p.oid
     UNION
    SELECT c.conrelid FROM part AS p JOIN pg_constraint AS c ON c.confrelid = p.oid
     UNION
    SELECT r.ev_class
      FROM part AS p
      JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = p.oid
                         AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite AS r ON r.oid = d.objid;
$function$;

CREATE FUNCTION pggit._touched()
RETURNS TABLE (classid oid, objid oid, named boolean)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH command AS MATERIALIZED (
        SELECT DISTINCT c.classid, c.objid
          FROM pg_event_trigger_ddl_commands() AS c
         WHERE c.command_tag ~ '^(CREATE|ALTER|SELECT INTO|IMPORT FOREIGN SCHEMA)'
           AND NOT c.in_extension),
    member AS (
        -- A schema's new name is a new name for what it holds.
        SELECT 'pg_class'::regclass::oid AS classid, r.oid AS objid
          FROM command AS c
          JOIN pg_class AS r ON r.relnamespace = c.objid
         WHERE c.classid = 'pg_namespace'::regclass
         UNION ALL
        SELECT 'pg_proc'::regclass, p.oid
          FROM command AS c
          JOIN pg_proc AS p ON p.pronamespace = c.objid
         WHERE c.classid = 'pg_namespace'::regclass),
    touched AS (
        SELECT c.classid, c.objid, true AS named FROM command AS c
         UNION ALL
        SELECT m.classid, m.objid, false FROM member AS m
         UNION ALL
        SELECT 'pg_class'::regclass, i.oid, false
          FROM pggit._implied(ARRAY(SELECT t.objid
                                      FROM (TABLE command UNION ALL TABLE member) AS t
                                     WHERE t.classid = 'pg_class'::regclass)) AS i(oid))
    SELECT t.classid, t.objid, bool_or(t.named)
      FROM touched AS t
     CROSS JOIN LATERAL pggit._identity(t.classid, t.objid) AS i
     WHERE t.classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
       -- What belongs to an extension changes with the extension.
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE (d.classid, d.objid) = (t.classid, t.objid) AND d.deptype = 'e')
     GROUP BY t.classid, t.objid, i.object_type
     -- A table before its indexes.
     ORDER BY i.object_type, t.objid;
$function$;
