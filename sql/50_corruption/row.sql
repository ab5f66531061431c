--
-- _row_shape(relation), _primary_key(relation), _row_identity(relation, image),
-- _find_row(relation, image), _replace_row(relation, victim, image),
-- _carry_change(relation, before, after, onto)
--
-- A row image is the whole row as text.  Who calls these pins the settings that
-- output depends on (DateStyle and so on), so that equal rows have equal images.
--
CREATE FUNCTION @extschema@._row_shape(relation regclass)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '
                      ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped;
$function$;
COMMENT ON FUNCTION @extschema@._row_shape(regclass) IS
    'Lists the columns of a table with their types, in order.';

CREATE FUNCTION @extschema@._primary_key(relation regclass)
RETURNS name[]
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
    SELECT COALESCE(array_agg(a.attname ORDER BY k.position), '{}')
      FROM pg_catalog.pg_constraint AS c
     CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
      JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid = c.conrelid AND a.attnum = k.attnum
     WHERE c.conrelid = relation
       AND c.contype = 'p';
$function$;
COMMENT ON FUNCTION @extschema@._primary_key(regclass) IS
    'Lists the columns of the primary key of a table; empty where it has none.';

CREATE FUNCTION @extschema@._row_identity(relation regclass, image text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_identity text;
BEGIN
    EXECUTE format('SELECT concat_ws('', '', %s) FROM (SELECT $1::%s AS image OFFSET 0) AS i',
                   COALESCE((SELECT string_agg(format('%L || (i.image).%I', k.name || '=', k.name),
                                               ', ')
                               FROM unnest(@extschema@._primary_key(relation)) AS k(name)),
                            'i.image::text'),
                   relation)
       INTO v_identity
      USING image;
    RETURN v_identity;
END;
$function$;
COMMENT ON FUNCTION @extschema@._row_identity(regclass, text) IS
    'Names a row by its primary key, as in id=17; by its whole image where the table has none.';

CREATE FUNCTION @extschema@._find_row(relation regclass, image text)
RETURNS tid
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_row tid;
BEGIN
    -- The key is for speed; it is the whole image that decides.
    EXECUTE format('SELECT t.ctid'
                   '  FROM ONLY %1$s AS t'
                   '  JOIN (SELECT $1::%1$s AS image OFFSET 0) AS i ON (t.*)::text = $1%2$s'
                   ' LIMIT 1 FOR UPDATE OF t',
                   relation,
                   (SELECT string_agg(format(' AND t.%1$I = (i.image).%1$I', k.name), '')
                      FROM unnest(@extschema@._primary_key(relation)) AS k(name)))
       INTO v_row
      USING image;
    RETURN v_row;
END;
$function$;
COMMENT ON FUNCTION @extschema@._find_row(regclass, text) IS
    'Locks the row that equals an image and answers where it is; NULL where there is none.';

CREATE FUNCTION @extschema@._replace_row(relation regclass, victim tid, image text)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_columns text;
    v_values  text;
    v_image   text;
BEGIN
    -- A generated column follows from the others, and GENERATED ALWAYS AS IDENTITY
    -- can be inserted but not updated.
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('(i.image).%I', a.attname), ', ' ORDER BY a.attnum)
      INTO v_columns, v_values
      FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = relation
       AND a.attnum > 0
       AND NOT a.attisdropped
       AND a.attgenerated = ''
       AND (a.attidentity <> 'a' OR victim IS NULL);
    IF image IS NULL THEN
        EXECUTE format('DELETE FROM ONLY %s AS t WHERE t.ctid = $1', relation)
          USING victim;
    ELSIF victim IS NULL THEN
        EXECUTE format('INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE'
                       ' SELECT %3$s FROM (SELECT $1::%1$s AS image OFFSET 0) AS i'
                       ' RETURNING (t.*)::text', relation, v_columns, v_values)
           INTO v_image
          USING image;
    ELSE
        EXECUTE format('UPDATE ONLY %1$s AS t SET (%2$s) = ROW(%3$s)'
                       '  FROM (SELECT $2::%1$s AS image OFFSET 0) AS i'
                       ' WHERE t.ctid = $1'
                       ' RETURNING (t.*)::text', relation, v_columns, v_values)
           INTO v_image
          USING victim, image;
    END IF;
    RETURN v_image;
END;
$function$;
COMMENT ON FUNCTION @extschema@._replace_row(regclass, tid, text) IS
    'Writes an image over a row; inserts it where there is no victim, deletes where no image.';

CREATE FUNCTION @extschema@._carry_change(
    relation regclass, before text, after text, onto text)
RETURNS text
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_image text;
BEGIN
    IF after IS NULL OR onto IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT (ROW(%2$s)::%1$s)::text'
                   '  FROM (SELECT $1::%1$s AS old, $2::%1$s AS new, $3::%1$s AS onto OFFSET 0) AS i',
                   relation,
                   (SELECT string_agg(format('CASE WHEN (i.old).%1$I::text'
                                             ' IS DISTINCT FROM (i.new).%1$I::text'
                                             ' THEN (i.new).%1$I ELSE (i.onto).%1$I END',
                                             a.attname),
                                      ', ' ORDER BY a.attnum)
                      FROM pg_catalog.pg_attribute AS a
                     WHERE a.attrelid = relation
                       AND a.attnum > 0
                       AND NOT a.attisdropped))
       INTO v_image
      USING before, after, onto;
    RETURN v_image;
END;
$function$;
COMMENT ON FUNCTION @extschema@._carry_change(regclass, text, text, text) IS
    'Makes of a row what a change made of another image of it; NULL where either is no row.';
