"""Each action strikes, is counted, and does to the state what it says."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"
INSERT = "pggit.commits.insert"


def arm(conn, failpoint, term="error", **options):
    names = ", ".join(f"{name} => %({name})s" for name in options)
    return conn.execute(
        f"SELECT pggit_chaos.arm(%(failpoint)s, %(term)s{', ' if names else ''}{names})",
        {"failpoint": failpoint, "term": term, **options},
    ).fetchone()[0]


def fault(conn, fault_id):
    return conn.execute(
        "SELECT state, hits, fired FROM pggit_chaos.fault WHERE fault_id = %s", [fault_id]
    ).fetchone()


def messages(conn):
    return [m for (m,) in conn.execute("SELECT message FROM pggit.commits ORDER BY id").fetchall()]


@pytest.mark.parametrize(
    "failpoint",
    [
        "pggit.commit_changes(text,text,text)",
        "pggit.commit_changes",
        f"{INSERT}.before",
        f"{INSERT}.after",
        f"{INSERT}.commit",
        "pggit.commits.*",
    ],
)
def test_an_error_strikes_and_nothing_is_committed(hooked, failpoint):
    fault_id = arm(hooked, failpoint, "error(40001)")
    with pytest.raises(errors.SerializationFailure) as error:
        hooked.execute(COMMIT)
    assert error.value.diag.schema_name == "pggit_chaos"
    assert error.value.diag.constraint_name.startswith("pggit.commit")
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == []


@pytest.mark.parametrize(
    "sqlstate", ["40001", "40P01", "53100", "53200", "57014", "P0004", "XX001", "23505", "PC100"]
)
def test_an_error_carries_its_sqlstate(hooked, sqlstate):
    arm(hooked, f"{INSERT}.after", f"error({sqlstate}, as you wish)")
    with pytest.raises(psycopg.Error) as error:
        hooked.execute(COMMIT)
    assert error.value.sqlstate == sqlstate
    assert error.value.diag.message_primary == "as you wish"


def test_an_error_at_commit_strikes_when_the_caller_believes_that_all_is_done(hooked):
    fault_id = arm(hooked, f"{INSERT}.commit", "error(40001)")
    hooked.execute("BEGIN")
    hooked.execute(COMMIT)
    assert messages(hooked) == ["a message"]
    with pytest.raises(errors.SerializationFailure):
        hooked.execute("COMMIT")
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == []


def test_skip_loses_the_write_and_tells_nobody(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "skip")
    assert hooked.execute(COMMIT).fetchone()[0] is not None
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == []


def test_skip_at_a_delete_keeps_the_row(hooked):
    hooked.execute(COMMIT)
    arm(hooked, "pggit.commits.delete.before", "skip")
    hooked.execute("DELETE FROM pggit.commits")
    assert messages(hooked) == ["a message"]


def test_mutate_writes_another_row(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", 'mutate({"message": "a (\\"mutated\\") one"})')
    hooked.execute(COMMIT)
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == ['a ("mutated") one']


def test_mutate_of_an_unknown_column_is_refused(hooked):
    with pytest.raises(errors.UndefinedColumn, match='"nonsense"'):
        arm(hooked, f"{INSERT}.before", 'mutate({"nonsense": 1})')


@pytest.mark.parametrize("term", ["skip", 'mutate({"message": "x"})'])
@pytest.mark.parametrize(
    "failpoint", [f"{INSERT}.after", f"{INSERT}.commit", "pggit.commit_changes", "*"]
)
def test_only_before_row_failpoints_change_what_is_written(hooked, failpoint, term):
    with pytest.raises(errors.InvalidParameterValue, match="cannot strike at failpoint"):
        arm(hooked, failpoint, term)


def test_delay_sleeps(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "delay(60)")
    before, after = hooked.execute(
        f"SELECT clock_timestamp(), ({COMMIT}) IS NULL, clock_timestamp()"
    ).fetchone()[::2]
    assert (after - before).total_seconds() >= 0.06
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == ["a message"]


def test_notice_tells_the_client_even_where_the_transaction_rolls_back(hooked):
    told = []
    hooked.add_notice_handler(
        lambda notice: told.append((notice.constraint_name, notice.message_primary))
    )
    arm(hooked, f"{INSERT}.after", "notice(passed)")
    with hooked.transaction(force_rollback=True):
        hooked.execute(COMMIT)
    assert told == [(f"{INSERT}.after", "passed")]


def test_cancel_is_a_real_cancellation(hooked):
    fault_id = arm(hooked, f"{INSERT}.after", "cancel")
    with pytest.raises(errors.QueryCanceled) as error:
        hooked.execute(COMMIT)
    assert error.value.diag.constraint_name is None
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == []


@pytest.mark.parametrize("phase", ["after", "commit"])
def test_terminate_ends_the_session_and_nothing_is_committed(cluster, database, hooked, phase):
    with cluster.connect(database, autocommit=True) as victim:
        fault_id = arm(victim, f"{INSERT}.{phase}", "terminate")
        with pytest.raises(errors.AdminShutdown):
            victim.execute(COMMIT)
        assert victim.closed
    state, hits, fired = fault(hooked, fault_id)
    assert (hits, fired) == (1, 1)
    assert state == "expired"
    assert messages(hooked) == []


def test_the_faults_of_a_session_that_ended_make_room(cluster, database, hooked):
    with cluster.connect(database, autocommit=True) as other:
        arm(other, f"{INSERT}.after")
    arm(hooked, f"{INSERT}.after")
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (1,)


def test_off_strikes_nothing_and_counts_hits_only(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "off")
    hooked.execute(COMMIT)
    assert fault(hooked, fault_id) == ("completed", 1, 0)


def test_a_chain_strikes_at_the_third_hit_only(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "2*off->1*skip->off")
    for n in range(5):
        hooked.execute("SELECT pggit.commit_changes('main', %s)", [str(n)])
    assert fault(hooked, fault_id) == ("completed", 5, 1)
    assert messages(hooked) == ["0", "1", "3", "4"]


def test_the_hit_window_bounds_where_a_fault_strikes(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "skip", start_hit=2, end_hit=3)
    for n in range(5):
        hooked.execute("SELECT pggit.commit_changes('main', %s)", [str(n)])
    assert fault(hooked, fault_id) == ("completed", 5, 2)
    assert messages(hooked) == ["0", "3", "4"]


def test_a_pattern_counts_the_hits_of_all_that_it_matches_together(hooked):
    fault_id = arm(hooked, "pggit.commits.insert.*", "off")
    hooked.execute(COMMIT)
    assert fault(hooked, fault_id)[1] == 3


def test_counters_survive_the_rollback_that_the_fault_causes(hooked):
    fault_id = arm(hooked, f"{INSERT}.after")
    for _ in range(3):
        with pytest.raises(psycopg.Error):
            hooked.execute(COMMIT)
    assert fault(hooked, fault_id) == ("armed", 3, 3)


def test_two_faults_at_one_failpoint_strike_in_the_order_of_their_arming(hooked):
    told = []
    hooked.add_notice_handler(lambda notice: told.append(notice.message_primary))
    arm(hooked, f"{INSERT}.before", "notice(first)")
    arm(hooked, f"{INSERT}.before", "notice(second)")
    hooked.execute(COMMIT)
    assert told == ["first", "second"]


@pytest.mark.parametrize(
    ("statement", "failpoint"),
    [
        ("CREATE TABLE public.t (a int)", "ddl.CREATE TABLE.start"),
        ("CREATE TABLE public.t (a int)", "ddl.CREATE TABLE.end"),
        ("DROP TABLE public.there", "ddl.drop"),
        ("DROP TABLE public.there", "ddl.DROP TABLE.*"),
        ("CREATE TABLE public.t (a int)", "pggit.handle_ddl_command"),
    ],
)
def test_ddl_fails_whole(hooked, statement, failpoint):
    hooked.execute("CREATE TABLE public.there (a int)")
    before = hooked.execute("SELECT pggit_chaos.state_digest()").fetchone()
    fault_id = arm(hooked, failpoint, "error(53100)")
    with hooked.transaction(force_rollback=True), pytest.raises(errors.DiskFull):
        hooked.execute(statement)
    assert fault(hooked, fault_id)[2] == 1
    assert hooked.execute(
        "SELECT to_regclass('public.t') IS NULL AND to_regclass('public.there') IS NOT NULL"
    ).fetchone() == (True,)
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    rows = "SELECT relation, digest FROM pggit_chaos.digest() WHERE relation !~ '_seq$'"
    after = hooked.execute(rows).fetchall()
    with hooked.transaction(force_rollback=True):
        assert hooked.execute(rows).fetchall() == after
    assert before is not None


def test_a_fault_of_this_session_is_nobody_elses(cluster, database, hooked):
    fault_id = arm(hooked, "*", "error")
    with cluster.connect(database, autocommit=True) as other:
        other.execute(COMMIT)
        other.execute("SET pggit_chaos.armed = 'on'")
        other.execute(COMMIT)
    assert fault(hooked, fault_id) == ("armed", 0, 0)


def test_a_fault_goes_with_the_transaction_that_armed_it(hooked):
    with hooked.transaction(force_rollback=True):
        arm(hooked, "*")
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (0,)
    hooked.execute(COMMIT)


def test_a_fault_strikes_in_a_transaction_whose_snapshot_is_older(hooked):
    with hooked.transaction(force_rollback=True):
        hooked.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        hooked.execute("SELECT count(*) FROM pggit.commits")
        arm(hooked, f"{INSERT}.after", "error(53200)")
        with pytest.raises(errors.OutOfMemory):
            hooked.execute(COMMIT)


def test_an_expired_fault_strikes_no_more(hooked):
    fault_id = arm(hooked, f"{INSERT}.before", "skip", expires="1 microsecond")
    hooked.execute(COMMIT)
    assert fault(hooked, fault_id) == ("expired", 0, 0)
    assert messages(hooked) == ["a message"]


def test_nothing_strikes_in_a_read_only_transaction(hooked):
    arm(hooked, "*", "error")
    with hooked.transaction(force_rollback=True):
        hooked.execute("SET TRANSACTION READ ONLY")
        hooked.execute("SELECT pggit.get_version('public.nothing')")


def test_disarm_is_idempotent(hooked):
    fault_id = arm(hooked, "*")
    assert hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id]).fetchone() == (True,)
    assert hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id]).fetchone() == (False,)
    hooked.execute(COMMIT)


def test_disarm_all_ends_every_fault_of_every_session(cluster, database, hooked):
    with cluster.connect(database, autocommit=True) as other:
        arm(other, "*")
        arm(hooked, "*")
        assert hooked.execute("SELECT pggit_chaos.disarm_all()").fetchone() == (2,)
        other.execute(COMMIT)
        hooked.execute(COMMIT)


def test_sixty_four_faults_can_be_armed_and_no_more(hooked):
    for _ in range(64):
        arm(hooked, f"{INSERT}.before", "off")
    with pytest.raises(psycopg.DatabaseError) as refusal:
        arm(hooked, f"{INSERT}.before", "off")
    assert refusal.value.sqlstate == "PC006"
    hooked.execute(COMMIT)
    assert hooked.execute("SELECT DISTINCT hits FROM pggit_chaos.fault").fetchall() == [(1,)]
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    assert arm(hooked, f"{INSERT}.before")


def test_an_unknown_failpoint_is_refused_with_those_near(hooked):
    with pytest.raises(errors.UndefinedObject) as refusal:
        arm(hooked, "pggit.comits.insert.before")
    assert f'"{INSERT}.before"' in refusal.value.diag.message_detail
    assert refusal.value.diag.message_hint == "SELECT failpoint FROM pggit_chaos.failpoint;"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x",
        "pggit.nothing*",
        "o'clock",
        '"',
        "%",
        "_",
        "pggit.commits.insert.befor_",
        "ddl.NO TAG.start",
    ],
)
def test_a_failpoint_that_matches_nothing_is_refused(hooked, name):
    with pytest.raises(errors.UndefinedObject):
        arm(hooked, name)


def test_an_ambiguous_function_is_refused_with_the_candidates(hooked):
    hooked.execute("""
        CREATE FUNCTION pggit.twice(a int) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        CREATE FUNCTION pggit.twice(a text) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
        SELECT pggit_chaos.install_hooks();
    """)
    with pytest.raises(errors.AmbiguousFunction) as refusal:
        arm(hooked, "pggit.twice")
    assert "pggit.twice(integer), pggit.twice(text)" in refusal.value.diag.message_detail
    arm(hooked, "pggit.twice(text)")


def test_arming_without_hooks_names_the_statement_that_installs_them(conn):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        arm(conn, "*")
    assert refusal.value.sqlstate == "PC003"
    conn.execute(refusal.value.diag.message_hint)
    arm(conn, "*")


@pytest.mark.parametrize("argument", ["failpoint", "term", "scope", "start_hit", "seed", "expires"])
def test_null_is_refused_where_it_may_not_be(hooked, argument):
    arguments = {"failpoint": "'*'", argument: "NULL"}
    given = ", ".join(f"{name} => {value}" for name, value in arguments.items())
    with pytest.raises(errors.NullValueNotAllowed, match=f'"{argument}"'):
        hooked.execute(f"SELECT pggit_chaos.arm({given})")


@pytest.mark.parametrize(
    "options",
    [
        {"start_hit": 0},
        {"start_hit": 3, "end_hit": 2},
        {"expires": "0"},
        {"expires": "-1 second"},
        {"expires": "2 days"},
        {"scope": "nonsense"},
    ],
)
def test_options_that_cannot_be_are_refused(hooked, options):
    with pytest.raises(errors.InvalidParameterValue):
        arm(hooked, "*", **options)


def test_the_failpoint_view_counts_the_hits_at_each_armed_failpoint(hooked):
    arm(hooked, f"{INSERT}.before", "off")
    hooked.execute(COMMIT)
    assert hooked.execute(
        "SELECT kind, object, phase, hits FROM pggit_chaos.failpoint WHERE failpoint = %s",
        [f"{INSERT}.before"],
    ).fetchone() == ("table", "pggit.commits", "before", 1)


def test_an_error_that_pggit_swallows_is_still_counted(hooked):
    hooked.execute("""
        CREATE FUNCTION pggit.swallow() RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pggit.commit_changes('main', 'swallowed');
            RETURN 'done';
        EXCEPTION WHEN OTHERS THEN
            RETURN 'done';
        END $$;
        SELECT pggit_chaos.install_hooks();
    """)
    fault_id = arm(hooked, f"{INSERT}.after", "error(40001)")
    assert hooked.execute("SELECT pggit.swallow()").fetchone() == ("done",)
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert messages(hooked) == []
