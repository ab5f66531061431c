--
-- Bringing the record of an object up to what the catalogue says.
--

CREATE FUNCTION pggit._breaks_readers(old_columns jsonb, new_columns jsonb)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    -- Gone, of another type, or no longer to be left out.
    SELECT EXISTS (SELECT
                     FROM jsonb_each(old_columns) AS o(name, definition)
                    WHERE NOT new_columns ? o.name
                       OR new_columns -> o.name -> 'type' <> o.definition -> 'type')
        OR EXISTS (SELECT
                     FROM jsonb_each(new_columns) AS n(name, definition)
                    WHERE n.definition @> '{"nullable": false, "default": null}'
                      AND NOT n.definition ?| '{identity,generated}'
                      AND COALESCE((old_columns -> n.name ->> 'nullable')::boolean, true));
$function$;

CREATE FUNCTION pggit._severity(
    change pggit.change_type, old pggit.objects, metadata jsonb, ddl_hash text)
RETURNS pggit.change_severity
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
           WHEN change = 'CREATE' THEN 'MINOR'
           WHEN change = 'RENAME' THEN 'MAJOR'
           WHEN pggit._breaks_readers(old.metadata -> 'columns', metadata -> 'columns') THEN 'MAJOR'
           WHEN old.ddl_hash IS DISTINCT FROM ddl_hash THEN 'MINOR'
           ELSE 'PATCH' END::pggit.change_severity;
$function$;

-- The record of a live object on a branch.
CREATE FUNCTION pggit._record_of(classid oid, objid oid, branch_id integer)
RETURNS pggit.objects
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT o.*
      FROM pggit._identity(classid, objid) AS i
      JOIN pggit.branches AS b ON b.id = _record_of.branch_id
      JOIN pggit.objects AS o
        ON (o.object_type, o.schema_name, o.object_name, o.branch_name)
         = (i.object_type, i.schema_name, i.object_name, b.name)
       AND o.is_active;
$function$;

-- Whether a record under another name may be that of the same object.
CREATE FUNCTION pggit._resembles(
    record pggit.objects, object_name text, parent_id integer, ddl_hash text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE record.object_type
           WHEN 'INDEX' THEN record.parent_id = _resembles.parent_id
           WHEN 'FUNCTION' THEN substring(record.object_name FROM '\(.*')
                              = substring(_resembles.object_name FROM '\(.*')
           WHEN 'PROCEDURE' THEN substring(record.object_name FROM '\(.*')
                               = substring(_resembles.object_name FROM '\(.*')
           ELSE record.ddl_hash = _resembles.ddl_hash END;
$function$;

-- The record that an object had under a former name, which nothing has any more.
-- The oid tells, or else the content does: oids change with a restore, and that
-- of an index with REINDEX CONCURRENTLY.
CREATE FUNCTION pggit._former_record(
    classid oid, objid oid, parent_id integer, ddl_hash text, branch_id integer)
RETURNS pggit.objects
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT o.*
      FROM pggit._identity(classid, objid) AS i
      JOIN pggit.objects AS o
        ON o.object_type = i.object_type
       AND o.branch_id = _former_record.branch_id
       AND o.is_active
     CROSS JOIN LATERAL (SELECT o.metadata ->> 'oid' = objid::text) AS s(same_oid)
     WHERE (s.same_oid
            OR (o.schema_name = i.schema_name OR o.object_name = i.object_name)
               AND pggit._resembles(o, i.object_name, _former_record.parent_id,
                                    _former_record.ddl_hash)
            OR o.object_name = i.object_name
               AND to_regnamespace(quote_ident(o.schema_name)) IS NULL)
       AND NOT EXISTS (SELECT FROM pggit._find(o.object_type, o.schema_name, o.object_name))
     ORDER BY s.same_oid DESC, o.id
     LIMIT 1;
$function$;

-- An index is recorded below its table.
CREATE FUNCTION pggit._table_record_id(classid oid, objid oid, branch_id integer)
RETURNS integer
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT r.id
      FROM pg_index AS x
     CROSS JOIN LATERAL pggit._record_of('pg_class'::regclass, x.indrelid, branch_id) AS r
     WHERE classid = 'pg_class'::regclass AND x.indexrelid = objid;
$function$;

-- Hands what hangs on a record to the one that succeeds it.
CREATE FUNCTION pggit._succeed(former pggit.objects, object_id integer)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    UPDATE pggit.objects AS o
       SET parent_id = object_id
     WHERE o.parent_id = former.id AND o.object_type = 'INDEX';
    PERFORM pggit._retire_object(former.id, format('renamed to %s', (
        SELECT o.full_name FROM pggit.objects AS o WHERE o.id = object_id)));
END;
$function$;

CREATE FUNCTION pggit._column_names(object_id integer, columns jsonb)
RETURNS jsonb
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
SET quote_all_identifiers = off
AS $function$
    SELECT jsonb_object_agg(o.object_name || '.' || quote_ident(c.name), c.definition)
      FROM pggit.objects AS o
     CROSS JOIN jsonb_each(columns) AS c(name, definition)
     WHERE o.id = object_id;
$function$;

-- Answers whether an object that a command touched is to be recorded anew.
CREATE FUNCTION pggit._is_change(
    touched pggit._touched_object, object_type pggit.object_type, parent_id integer,
    old pggit.objects, former pggit.objects, content_hash text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT CASE
           -- An index of a table that is not versioned is not, either; that of a
           -- partition comes without a command of its own.
           WHEN object_type = 'INDEX' AND parent_id IS NULL THEN false
           WHEN touched.named OR former.id IS NOT NULL THEN true
           WHEN old.id IS NULL THEN object_type = 'INDEX'
           ELSE old.content_hash IS DISTINCT FROM _is_change.content_hash END;
$function$;

CREATE FUNCTION pggit._track(touched pggit._touched_object, branch pggit.branches)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_identity record;
    v_old      pggit.objects := pggit._record_of(touched.classid, touched.objid, branch.id);
    v_former   pggit.objects;
    v_parent   integer := pggit._table_record_id(touched.classid, touched.objid, branch.id);
    v_metadata jsonb := pggit._metadata(touched.classid, touched.objid);
    v_hash     text := pggit._ddl_hash(touched.classid, touched.objid);
    v_change   pggit.change_type := CASE WHEN v_old.id IS NULL THEN 'CREATE' ELSE 'ALTER' END;
    v_id       integer;
BEGIN
    SELECT * INTO v_identity FROM pggit._identity(touched.classid, touched.objid);
    IF v_old.id IS NULL AND NOT touched.created THEN
        v_former := pggit._former_record(touched.classid, touched.objid, v_parent, v_hash,
                                         branch.id);
    END IF;
    IF NOT pggit._is_change(touched, v_identity.object_type, v_parent, v_old, v_former,
                            pggit._content_hash(v_hash, v_metadata)) THEN
        RETURN;
    END IF;
    v_id := pggit._object_row(v_identity.object_type, v_identity.schema_name,
                              v_identity.object_name, v_parent, branch);
    IF v_former.id IS NOT NULL THEN
        v_change := 'RENAME';
        PERFORM pggit._succeed(v_former, v_id);
    END IF;
    PERFORM pggit._change_object(v_id, v_change,
                                 pggit._severity(v_change, v_old, v_metadata, v_hash),
                                 format('%s %s %s.%s', v_change, v_identity.object_type,
                                        v_identity.schema_name, v_identity.object_name),
                                 v_metadata, v_hash, NULL);
    PERFORM pggit._set_columns(v_id, pggit._column_names(v_id, v_metadata -> 'columns'));
END;
$function$;
