"""A fault strikes in the sessions of its scope, whatever their snapshot, and nowhere else."""

from __future__ import annotations

import pytest
from psycopg import errors

pytestmark = pytest.mark.ends_will_do

COMMIT = "SELECT pggit.commit_changes('main', 'a message')"
BEFORE = "pggit.commits.insert.before"


@pytest.fixture
def other(cluster, database, hooked):
    with cluster.connect(database, autocommit=True, application_name="the other") as connection:
        yield connection


def arm(conn, scope, term="error(53200)", failpoint=BEFORE, **options):
    names = "".join(f", {name} => %({name})s" for name in options)
    return conn.execute(
        f"SELECT pggit_chaos.arm(%(failpoint)s, %(term)s, %(scope)s{names})",
        {"failpoint": failpoint, "term": term, "scope": scope, **options},
    ).fetchone()[0]


def fault(conn, fault_id):
    return conn.execute(
        "SELECT state, hits, fired FROM pggit_chaos.fault WHERE fault_id = %s", [fault_id]
    ).fetchone()


def strikes(conn):
    try:
        with conn.transaction():
            conn.execute(COMMIT)
    except errors.OutOfMemory:
        return True
    return False


def scopes_of(conn):
    return {
        "database": "database",
        "pid": f"pid:{conn.info.backend_pid}",
        "role": f"role:{conn.info.user}",
        "application": "application:the other",
    }


@pytest.mark.parametrize("kind", ["database", "pid", "role", "application"])
def test_a_fault_strikes_in_the_session_of_its_scope(hooked, other, kind):
    fault_id = arm(hooked, scopes_of(other)[kind])
    assert strikes(other)
    assert fault(hooked, fault_id) == ("armed", 1, 1)
    assert hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id]).fetchone() == (True,)
    assert not strikes(other)


@pytest.mark.parametrize("scope", ["pid", "application"])
def test_a_fault_strikes_in_no_session_outside_its_scope(hooked, other, scope):
    fault_id = arm(hooked, scopes_of(other)[scope])
    assert not strikes(hooked)
    assert fault(hooked, fault_id) == ("armed", 0, 0)


def test_a_fault_for_another_role_does_not_strike(hooked, other):
    fault_id = arm(hooked, "role:pg_monitor")
    assert not strikes(other)
    assert fault(hooked, fault_id) == ("armed", 0, 0)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("kind", ["database", "pid"])
def test_a_fault_strikes_in_a_transaction_whose_snapshot_is_older(hooked, other, level, kind):
    other.execute(f"BEGIN ISOLATION LEVEL {level}")
    # The snapshot, and the plans of the hooked functions, are there before the fault.
    other.execute(COMMIT)
    arm(hooked, scopes_of(other)[kind])
    with pytest.raises(errors.OutOfMemory):
        other.execute(COMMIT)
    other.execute("ROLLBACK")


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_a_disarmed_fault_strikes_no_more_in_a_transaction_whose_snapshot_is_older(
    hooked, other, level
):
    fault_id = arm(hooked, "database", "notice(struck)")
    told = []
    other.add_notice_handler(lambda notice: told.append(notice.message_primary))
    other.execute(f"BEGIN ISOLATION LEVEL {level}")
    other.execute(COMMIT)
    hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
    other.execute(COMMIT)
    other.execute("COMMIT")
    assert told == ["struck"]


@pytest.mark.parametrize("commits_before", [0, 3])
def test_a_fault_strikes_at_the_commit_of_a_transaction_that_wrote_before_it_was_armed(
    hooked, other, commits_before
):
    # A session that has its plans and its caches looks at nothing else at COMMIT.
    for _ in range(commits_before):
        with other.transaction():
            other.execute(COMMIT)
    other.execute("BEGIN")
    other.execute(COMMIT)
    arm(hooked, "database", failpoint="pggit.commits.insert.commit")
    with pytest.raises(errors.OutOfMemory):
        other.execute("COMMIT")


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
@pytest.mark.parametrize("calls_before", [1, 3])
def test_a_function_that_was_called_before_is_struck_at_its_next_call(
    hooked, other, level, calls_before
):
    """The session takes no new lock in between, at which PostgreSQL would hear of anything."""
    call = "SELECT pggit.generate_trinity_id()"
    other.execute(f"BEGIN ISOLATION LEVEL {level}")
    for _ in range(calls_before):
        other.execute(call, prepare=True)
    fault_id = arm(hooked, "database", failpoint="pggit.generate_trinity_id()")
    with pytest.raises(errors.OutOfMemory):
        other.execute(call, prepare=True)
    other.execute("ROLLBACK")
    assert fault(hooked, fault_id) == ("armed", 1, 1)


def test_the_scope_of_a_process_may_be_spelled_with_zeros(hooked, other):
    arm(hooked, f"pid:{other.info.backend_pid:09}")
    assert strikes(other)


def test_a_fault_is_nobodys_before_the_transaction_that_arms_it_commits(hooked, other):
    with hooked.transaction():
        arm(hooked, "database")
        assert not strikes(other)
    assert strikes(other)


def test_a_fault_goes_with_the_transaction_that_armed_it(hooked, other):
    with hooked.transaction(force_rollback=True):
        arm(hooked, "database")
    assert not strikes(other)
    assert hooked.execute("SELECT count(*) FROM pggit_chaos.fault").fetchone() == (0,)


def test_a_fault_of_the_database_outlives_the_session_that_armed_it(cluster, database, other):
    with cluster.connect(database, autocommit=True) as armer:
        arm(armer, "database")
    assert strikes(other)


def test_a_fault_bound_to_a_session_ends_with_it(cluster, database, hooked):
    with cluster.connect(database, autocommit=True) as victim:
        fault_id = arm(hooked, f"pid:{victim.info.backend_pid}")
        # Answers when the session is gone.
        hooked.execute("SELECT pg_terminate_backend(%s, 10000)", [victim.info.backend_pid])
    assert fault(hooked, fault_id)[0] == "expired"


def test_disarm_holds_even_if_its_transaction_rolls_back(hooked, other):
    fault_id = arm(hooked, "database")
    with hooked.transaction(force_rollback=True):
        hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
    assert not strikes(other)


def test_several_sessions_arm_and_disarm_without_losing_a_fault(hooked, other):
    mine = arm(hooked, "database", "notice(mine)")
    theirs = arm(other, "database", "notice(theirs)")
    told = []
    hooked.add_notice_handler(lambda notice: told.append(notice.message_primary))
    hooked.execute(COMMIT)
    assert told == ["mine", "theirs"]
    hooked.execute("SELECT pggit_chaos.disarm(%s)", [mine])
    hooked.execute(COMMIT)
    assert told == ["mine", "theirs", "theirs"]
    assert other.execute("SELECT pggit_chaos.disarm_all()").fetchone() == (1,)
    assert fault(hooked, theirs) is None


def test_hits_of_all_sessions_are_counted_together(hooked, other):
    fault_id = arm(hooked, "database", "2*off->1*error(53200)->off")
    assert [strikes(conn) for conn in (hooked, other, hooked, other)] == [False, False, True, False]
    assert fault(hooked, fault_id) == ("completed", 4, 1)


def test_an_expired_fault_strikes_no_more(hooked, other):
    fault_id = arm(hooked, "database", expires="1 microsecond")
    assert not strikes(other)
    assert fault(hooked, fault_id) == ("expired", 0, 0)


def test_pggit_sees_nothing_of_arming(hooked):
    before = hooked.execute("SELECT pggit_chaos.state_digest()").fetchone()
    fault_id = arm(hooked, "database")
    assert hooked.execute("SELECT pggit_chaos.state_digest()").fetchone() == before
    hooked.execute("SELECT pggit_chaos.disarm(%s)", [fault_id])
    assert hooked.execute("SELECT pggit_chaos.state_digest()").fetchone() == before


def test_the_hit_path_costs_nothing_more_when_all_is_disarmed(hooked):
    arm(hooked, "database")
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    assert hooked.execute(
        "SELECT pggit_chaos._armed() IS TRUE, pggit_chaos._shared_faults()"
    ).fetchone() == (
        False,
        [],
    )


def armed(conn):
    return conn.execute("SELECT pggit_chaos._armed() IS TRUE").fetchone()[0]


def test_the_hit_path_rests_again_after_a_rollback_and_after_expiry(hooked, other):
    hooked.execute("BEGIN")
    arm(hooked, "database")
    hooked.execute("ROLLBACK")
    assert armed(other)
    assert not strikes(other)
    assert not armed(other)
    arm(hooked, "database", expires="1 millisecond")
    hooked.execute("SELECT pg_sleep(0.002)")
    assert not strikes(other)
    assert not armed(other)


def test_disarm_all_lets_the_hit_path_rest_after_a_rollback_where_nobody_passes(hooked, other):
    with hooked.transaction(force_rollback=True):
        arm(hooked, "database")
        other.execute("SELECT pggit_chaos.disarm_all()")
        assert armed(other)
    other.execute("SELECT pggit_chaos.disarm_all()")
    assert not armed(other)


@pytest.mark.parametrize(
    ("failpoint", "of_a_row"),
    [
        ("pggit.generate_trinity_id()", False),
        ("ddl.CREATE TABLE.end", False),
        ("pggit.branches.insert.commit", True),
        ("pggit.*", True),
    ],
)
def test_rows_rest_where_none_of_their_failpoints_is_meant(hooked, other, failpoint, of_a_row):
    def rows_look():
        return other.execute("SELECT pggit_chaos._armed_rows() IS TRUE").fetchone()[0]

    assert not rows_look()
    arm(hooked, "database", failpoint=failpoint)
    assert rows_look() == of_a_row
    hooked.execute("SELECT pggit_chaos.disarm_all()")
    assert not rows_look()


def test_the_hit_path_does_not_rest_while_somebody_arms(hooked, other):
    hooked.execute("BEGIN")
    arm(hooked, "database")
    assert not strikes(other)
    hooked.execute("COMMIT")
    assert strikes(other)


def test_a_fault_that_is_armed_later_is_not_held_back_by_one_that_was_rolled_back(hooked, other):
    hooked.execute("BEGIN")
    arm(hooked, "database")
    hooked.execute("SAVEPOINT s")
    arm(hooked, "database", failpoint="pggit.generate_trinity_id()")
    hooked.execute("ROLLBACK TO s")
    hooked.execute("COMMIT")
    assert strikes(other)


@pytest.mark.parametrize("failpoint", ["*", "pggit.*", "ddl.CREATE TABLE.end", "pggit.branches.*"])
def test_no_filter_holds_back_what_is_armed(hooked, other, failpoint):
    """One after the other, each failpoint that it matches."""
    fault_id = arm(hooked, "database", "off", failpoint=failpoint)
    matching = hooked.execute(
        "SELECT failpoint FROM pggit_chaos.failpoint"
        " WHERE failpoint LIKE replace(replace(%s, '_', '\\_'), '*', '%%')",
        [failpoint],
    ).fetchall()
    assert matching
    for (name,) in matching:
        other.execute("SELECT pggit_chaos.hit(%s)", [name])
    assert fault(hooked, fault_id)[1] == len(matching)


@pytest.mark.parametrize(
    "scope",
    ["", "pid:", "pid:x", "pid:-1", "role:", "application:", "everywhere", "Database", "session:1"],
)
def test_a_scope_that_is_none_is_refused(hooked, scope):
    with pytest.raises(errors.InvalidParameterValue, match="invalid scope"):
        arm(hooked, scope)


@pytest.mark.parametrize("scope", ["pid:999999999", "role:nobody at all", "role:o'clock"])
def test_a_scope_that_names_nobody_is_refused(hooked, scope):
    with pytest.raises(errors.UndefinedObject):
        arm(hooked, scope)


def test_an_application_with_quotes_in_its_name_is_matched(hooked, other):
    name = """it's "odd" $x$ \\"""
    other.execute("SELECT set_config('application_name', %s, false)", [name])
    arm(hooked, f"application:{name}")
    assert strikes(other)


def test_a_role_without_replication_rights_cannot_arm_for_others(cluster, database, hooked):
    hooked.execute("CREATE ROLE chaos_armer")
    try:
        hooked.execute("GRANT ALL ON ALL FUNCTIONS IN SCHEMA pggit_chaos TO chaos_armer")
        hooked.execute("GRANT ALL ON ALL TABLES IN SCHEMA pggit_chaos TO chaos_armer")
        hooked.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pggit_chaos TO chaos_armer")
        hooked.execute("SET ROLE chaos_armer")
        with pytest.raises(errors.InsufficientPrivilege):
            arm(hooked, "database")
    finally:
        hooked.execute("RESET ROLE")
        hooked.execute("DROP OWNED BY chaos_armer; DROP ROLE chaos_armer")


READABLE = """
SELECT format('SELECT t::text FROM %s AS t', c.oid::regclass)
  FROM pg_class AS c
 WHERE c.relkind IN ('r', 'v')
   AND c.relnamespace = 'pg_catalog'::regnamespace
   AND has_table_privilege(c.oid, 'SELECT')
UNION ALL
SELECT format('SELECT pg_get_functiondef(%s)', p.oid)
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit_chaos'::regnamespace
"""


def test_no_catalogue_tells_an_ordinary_user_what_is_armed(cluster, database, hooked):
    hooked.execute("CREATE ROLE chaos_reader LOGIN")
    try:
        words = "application:for_nobody_but", "mutate", "with_a_word"
        arm(hooked, words[0], 'mutate({"message": "with_a_word"})')
        arm(hooked, "role:pg_monitor", "error(53200, with_a_word)")
        with cluster.connect(database, user="chaos_reader", autocommit=True) as reader:
            queries = [query for (query,) in reader.execute(READABLE)]
            assert len(queries) > 200
            said = [str(row) for query in queries for row in reader.execute(query)]
        assert any("_sealed_faults" in line for line in said)
        for word in words[0], words[2]:
            assert [line for line in said if word in line or word.encode().hex() in line] == []
        assert "with_a_word" in str(hooked.execute("TABLE pggit_chaos.fault").fetchall())
    finally:
        hooked.execute("SELECT pggit_chaos.disarm_all()")
        hooked.execute("DROP OWNED BY chaos_reader; DROP ROLE chaos_reader")


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 1000])
def test_what_is_sealed_is_unsealed(hooked, length):
    text = "\u00e9'\\x" * length
    sealed, again = hooked.execute(
        "SELECT pggit_chaos._seal(%(t)s), pggit_chaos._seal(%(t)s)", {"t": text}
    ).fetchone()
    assert sealed != again
    assert hooked.execute("SELECT pggit_chaos._unseal(%s)", [sealed]).fetchone() == (text,)


def test_an_ordinary_user_is_struck_and_can_read_nothing(cluster, database, hooked):
    hooked.execute("CREATE ROLE chaos_victim LOGIN")
    try:
        arm(hooked, "role:chaos_victim", 'mutate({"message": "secret"})')
        with cluster.connect(database, user="chaos_victim", autocommit=True) as victim:
            victim.execute(COMMIT)
            for statement in (
                "SELECT * FROM pggit_chaos.fault",
                "SELECT * FROM pggit_chaos._fault",
                "SELECT pggit_chaos._shared_faults()",
                "SELECT pggit_chaos._strike('pggit.commits.insert.before')",
                "SELECT pggit_chaos.disarm_all()",
                "SELECT pggit_chaos.wake('*')",
                "SELECT nextval('pggit_chaos._slot_1_hits')",
            ):
                with pytest.raises(errors.InsufficientPrivilege):
                    victim.execute(statement)
        assert hooked.execute("SELECT message FROM pggit.commits").fetchall() == [("secret",)]
    finally:
        hooked.execute("DROP OWNED BY chaos_victim; DROP ROLE chaos_victim")
