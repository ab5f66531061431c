--
-- What a DDL command touched, as seen from inside an event trigger: what it
-- names, and what changes with that.  An object that is named has changed; one
-- that is implied may have.
--

-- What depends on an object directly, and what that is a part of: the relation
-- of a default, a constraint or a rule.
CREATE FUNCTION pggit._dependents(classid oid, objid oid)
RETURNS TABLE (dependent_classid oid, dependent_objid oid)
LANGUAGE sql
STABLE
ROWS 10
BEGIN ATOMIC
    WITH dependent AS (
        SELECT d.classid, d.objid
          FROM pg_depend AS d
         WHERE (d.refclassid, d.refobjid) = (_dependents.classid, _dependents.objid)
         UNION ALL
        -- An index and the constraint that it enforces change their name together.
        SELECT 'pg_constraint'::regclass, c.oid
          FROM pg_constraint AS c
         WHERE _dependents.classid = 'pg_class'::regclass
           AND c.conindid = _dependents.objid
           AND c.contype IN ('p', 'u', 'x'))
    SELECT d.classid, d.objid FROM dependent AS d
     UNION ALL
    SELECT 'pg_class'::regclass, a.adrelid
      FROM dependent AS d
      JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
     UNION ALL
    SELECT 'pg_class'::regclass, r.ev_class
      FROM dependent AS d
      JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     UNION ALL
    SELECT CASE c.conrelid WHEN 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END,
           CASE c.conrelid WHEN 0 THEN c.contypid ELSE c.conrelid END
      FROM dependent AS d
      JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid;
END;

-- The partitions and children that a table has according to its record: one
-- that was just detached no longer depends on it.
CREATE FUNCTION pggit._recorded_children(relation oid, branch_name text)
RETURNS SETOF oid
LANGUAGE sql
STABLE
ROWS 1
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT f.objid
      FROM pggit._identity('pg_class'::regclass, relation) AS i
      JOIN pggit.objects AS o
        ON o.metadata ? 'parents'
       AND o.metadata -> 'parents' ? (i.schema_name || '.' || i.object_name)
       AND o.branch_name = _recorded_children.branch_name
       AND o.is_active
     CROSS JOIN LATERAL pggit._find(o.object_type, o.schema_name, o.object_name) AS f
     WHERE i.object_type = 'TABLE';
$function$;

CREATE TYPE pggit._touched_object AS (classid oid, objid oid, named boolean, created boolean);

CREATE FUNCTION pggit._touched()
RETURNS SETOF pggit._touched_object
LANGUAGE sql
STABLE
ROWS 10
SET search_path = pg_catalog, pg_temp
AS $function$
    WITH RECURSIVE command AS MATERIALIZED (
        SELECT c.classid, c.objid, bool_or(c.command_tag !~ '^ALTER') AS created
          FROM pg_event_trigger_ddl_commands() AS c
         WHERE c.command_tag ~ '^(CREATE|ALTER|SELECT INTO|IMPORT FOREIGN SCHEMA)'
           AND c.classid IS NOT NULL
           AND NOT c.in_extension
         GROUP BY c.classid, c.objid),
    touched (classid, objid) AS (
        SELECT c.classid, c.objid FROM command AS c
         UNION
        SELECT n.classid, n.objid
          FROM touched AS t
         CROSS JOIN LATERAL (
               SELECT d.dependent_classid, d.dependent_objid
                 FROM pggit._dependents(t.classid, t.objid) AS d
                UNION ALL
               SELECT t.classid, c.oid
                 FROM pggit._recorded_children(t.objid, pggit._current_branch_name()) AS c(oid)
                WHERE t.classid = 'pg_class'::regclass
                  AND EXISTS (SELECT FROM pg_class AS p
                               WHERE p.oid = t.objid AND p.relkind IN ('r', 'p', 'f'))
               ) AS n(classid, objid))
    SELECT t.classid, t.objid, c.objid IS NOT NULL, COALESCE(c.created, false)
      FROM touched AS t
      LEFT JOIN command AS c USING (classid, objid)
     CROSS JOIN LATERAL pggit._identity(t.classid, t.objid) AS i
     -- What belongs to an extension changes with the extension.
     WHERE NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE (d.classid, d.objid) = (t.classid, t.objid) AND d.deptype = 'e')
     -- A table before its indexes.
     ORDER BY i.object_type, t.objid;
$function$;
