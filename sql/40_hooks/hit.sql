--
-- The hit path: what runs inside pgGit, as whoever calls pgGit.
--
-- _armed(), _armed_rows(), _covered(), _armed(failpoint)
--
-- May a fault be armed anywhere, or at a failpoint of some row?  If so, may one be
-- armed for this session?  And if so, at one failpoint?
-- The settings hold the patterns of the session's own faults, one a line, all of
-- them and those that can match a row's; the sequences are filters of all other ones
-- (20_tables/shared_fault.sql).  The bodies are ATOMIC: names and operators are bound
-- here and now and need no search_path, and so PostgreSQL can inline them into
-- whatever calls them.  PL/pgSQL sets an expression up anew in each transaction, all
-- of it, whether it comes to be looked at or not: so the first two, which every hook
-- looks at, are as small as can be, and the others stand in a statement of their own.
--
CREATE FUNCTION @extschema@._bits(key text)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
RETURN (1::bigint << abs(hashtextextended(key COLLATE "C", 0) % 62)::integer)
       | (1::bigint << abs(hashtextextended(key COLLATE "C", 1) % 62)::integer);
COMMENT ON FUNCTION @extschema@._bits(text) IS
    'Makes the bits, at most two of 62, by which the filter knows a failpoint.';

CREATE FUNCTION @extschema@._armed()
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN pg_sequence_last_value('@extschema@._shared_failpoints'::regclass) IS NOT NULL
       OR current_setting('pggit_chaos.armed', true) <> '';
COMMENT ON FUNCTION @extschema@._armed() IS
    'Answers whether any fault may be armed for this session or for others.';

CREATE FUNCTION @extschema@._armed_rows()
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN pg_sequence_last_value('@extschema@._shared_rows'::regclass) IS NOT NULL
       OR current_setting('pggit_chaos.armed_rows', true) <> '';
COMMENT ON FUNCTION @extschema@._armed_rows() IS
    'Answers whether any fault may be armed at a failpoint of a row for this session or for others.';

CREATE FUNCTION @extschema@._covered()
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN current_setting('pggit_chaos.armed', true) <> ''
       OR (pg_sequence_last_value('@extschema@._shared_scopes'::regclass)
           & (1::bigint << pg_backend_pid() % 62)) <> 0;
COMMENT ON FUNCTION @extschema@._covered() IS
    'Answers whether this session has faults of its own, or the scope of a shared one may cover it.';

CREATE FUNCTION @extschema@._armed(failpoint text)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN failpoint LIKE ANY (string_to_array(current_setting('pggit_chaos.armed', true), E'\n'))
       OR (~ pg_sequence_last_value('@extschema@._shared_failpoints'::regclass)
           & @extschema@._bits(failpoint)) = 0;
COMMENT ON FUNCTION @extschema@._armed(text) IS
    'Answers whether any fault may be armed at a failpoint for a session that is covered.';

--
-- _pass(failpoint)
--
-- Passes a failpoint at which a fault may be armed.  Answers what is to happen to
-- the row, which only a before-row trigger can heed.
--
CREATE FUNCTION @extschema@._pass(failpoint text)
RETURNS jsonb
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RETURN @extschema@._strike(failpoint);
END;
$function$;
COMMENT ON FUNCTION @extschema@._pass(text) IS
    'Passes a failpoint and answers what a before-row trigger is to do with the row.';

--
-- hit(failpoint), _hit_armed(failpoint)
--
-- The call at the entry of each hooked function; always answers false.  The second
-- look is in a function, which all hooks share, and so is set up once a transaction.
--
CREATE FUNCTION @extschema@._hit_armed(failpoint text)
RETURNS boolean
LANGUAGE plpgsql
AS $function$
BEGIN
    IF @extschema@._covered() THEN
        IF @extschema@._armed(failpoint) THEN
            PERFORM @extschema@._pass(failpoint);
        END IF;
    END IF;
    RETURN false;
END;
$function$;
COMMENT ON FUNCTION @extschema@._hit_armed(text) IS
    'Lets the faults that are armed for this session strike at a failpoint; answers false.';

CREATE FUNCTION @extschema@.hit(failpoint text)
RETURNS boolean
LANGUAGE sql
VOLATILE
RETURN CASE WHEN @extschema@._armed()
            THEN @extschema@._hit_armed(failpoint)
            ELSE false
       END;
COMMENT ON FUNCTION @extschema@.hit(text) IS
    'The call that a hooked function makes at its entry; answers false.';

--
-- _before_write_hook(), _before_delete_hook(), _after_hook(), _commit_hook()
--
-- The triggers behind the failpoints TABLE.EVENT.PHASE; the table is their
-- argument.  They run for each row, as whoever writes it, and so each is for its
-- phase alone, looks at nothing of the trigger before a fault may be armed, and
-- has no SET clause, which would cost more than all the rest: every name and
-- operator is qualified instead.  What a trigger behind the row returns is ignored:
-- RETURN NEW, because NULL would be an expression to set up.
--
CREATE FUNCTION @extschema@._before_write_hook()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    v_failpoint pg_catalog.text;
    v_verdict   pg_catalog.jsonb;
BEGIN
    IF @extschema@._armed_rows() THEN
        IF @extschema@._covered() THEN
            v_failpoint := pg_catalog.concat_ws('.', TG_ARGV[0], pg_catalog.lower(TG_OP), 'before');
            IF @extschema@._armed(v_failpoint) THEN
                v_verdict := @extschema@._pass(v_failpoint);
                IF v_verdict OPERATOR(pg_catalog.?) 'skip' THEN
                    RETURN NULL;
                ELSIF v_verdict OPERATOR(pg_catalog.?) 'mutate' THEN
                    RETURN pg_catalog.jsonb_populate_record(
                        NEW, v_verdict OPERATOR(pg_catalog.->) 'mutate');
                END IF;
            END IF;
        END IF;
    END IF;
    RETURN NEW;
END;
$function$;
COMMENT ON FUNCTION @extschema@._before_write_hook() IS
    'The row trigger that passes the failpoints before INSERT and UPDATE of a table.';

CREATE FUNCTION @extschema@._before_delete_hook()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    v_failpoint pg_catalog.text;
BEGIN
    IF @extschema@._armed_rows() THEN
        IF @extschema@._covered() THEN
            v_failpoint := pg_catalog.concat_ws('.', TG_ARGV[0], 'delete.before');
            IF @extschema@._armed(v_failpoint)
               AND @extschema@._pass(v_failpoint) OPERATOR(pg_catalog.?) 'skip' THEN
                RETURN NULL;
            END IF;
        END IF;
    END IF;
    RETURN OLD;
END;
$function$;
COMMENT ON FUNCTION @extschema@._before_delete_hook() IS
    'The row trigger that passes the failpoint before DELETE of a table.';

CREATE FUNCTION @extschema@._after_hook()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    v_failpoint pg_catalog.text;
BEGIN
    IF @extschema@._armed_rows() THEN
        IF @extschema@._covered() THEN
            v_failpoint := pg_catalog.concat_ws('.', TG_ARGV[0], pg_catalog.lower(TG_OP), 'after');
            IF @extschema@._armed(v_failpoint) THEN
                PERFORM @extschema@._pass(v_failpoint);
            END IF;
        END IF;
    END IF;
    RETURN NEW;
END;
$function$;
COMMENT ON FUNCTION @extschema@._after_hook() IS
    'The row trigger that passes the failpoints after each write of a table.';

CREATE FUNCTION @extschema@._commit_hook()
RETURNS trigger
LANGUAGE plpgsql
AS $function$
DECLARE
    v_failpoint pg_catalog.text;
BEGIN
    IF @extschema@._armed_rows() THEN
        IF @extschema@._covered() THEN
            v_failpoint := pg_catalog.concat_ws('.', TG_ARGV[0], pg_catalog.lower(TG_OP), 'commit');
            IF @extschema@._armed(v_failpoint) THEN
                PERFORM @extschema@._pass(v_failpoint);
            END IF;
        END IF;
    END IF;
    RETURN NEW;
END;
$function$;
COMMENT ON FUNCTION @extschema@._commit_hook() IS
    'The deferred row trigger that passes the failpoints of a table at COMMIT.';

--
-- _ddl_hook()
--
-- The event trigger behind the failpoints ddl.TAG.start, ddl.TAG.end, ddl.drop.
--
CREATE FUNCTION @extschema@._ddl_hook()
RETURNS event_trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
    v_failpoint text;
BEGIN
    IF @extschema@._armed() AND @extschema@._covered() THEN
        v_failpoint := CASE TG_EVENT
                           WHEN 'ddl_command_start' THEN format('ddl.%s.start', TG_TAG)
                           WHEN 'ddl_command_end' THEN format('ddl.%s.end', TG_TAG)
                           ELSE 'ddl.drop'
                       END;
        IF @extschema@._armed(v_failpoint) THEN
            PERFORM @extschema@._strike(v_failpoint);
        END IF;
    END IF;
END;
$function$;
COMMENT ON FUNCTION @extschema@._ddl_hook() IS
    'The event trigger that passes the failpoints of DDL.';
