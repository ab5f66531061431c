"""The language of terms: what strikes, how often, after how many hits."""

from __future__ import annotations

import json

import psycopg
import pytest

# What a term means is computed from its text alone.
pytestmark = pytest.mark.one_version


def steps(conn, term, hits, *, seed=0):
    """Play a term for a number of hits; return the action of each, None for nothing."""
    program = conn.execute("SELECT pggit_chaos._parse_term(%s, 'f')", [term]).fetchone()[0]
    rows = conn.execute(
        "SELECT s.step ->> 'action' FROM generate_series(1, %s) AS n,"
        " pggit_chaos._step_at(%s::jsonb, %s, 'f', n) AS s",
        [hits, json.dumps(program), seed],
    )
    return [action for (action,) in rows.fetchall()]


def completed_after(conn, term, hits):
    program = conn.execute("SELECT pggit_chaos._parse_term(%s, 'f')", [term]).fetchone()[0]
    row = conn.execute(
        "SELECT completed FROM pggit_chaos._step_at(%s::jsonb, 0, 'f', %s)",
        [json.dumps(program), hits],
    )
    return row.fetchone()[0]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("error", ["error"] * 4),
        ("2*error", ["error", "error", None, None]),
        ("2*off->1*error(40001)->off", ["off", "off", "error", "off"]),
        ("1*delay(1)->error", ["delay", "error", "error", "error"]),
        ("0*error->notice", ["notice"] * 4),
        ("  2*off  ->  error ( 40001 )  ", ["off", "off", "error", "error"]),
        ("0%error", [None] * 4),
        ("100%error", ["error"] * 4),
        ("100%2*error->off", ["error", "error", "off", "off"]),
        ("0%error->delay(0)", ["delay"] * 4),
    ],
)
def test_a_chain_goes_on_when_a_count_is_used_up(conn, term, expected):
    assert steps(conn, term, 4) == expected


@pytest.mark.parametrize(
    ("term", "hits", "completed"),
    [
        ("error", 1000, False),
        ("2*error", 1, False),
        ("2*error", 2, True),
        ("2*error->off", 2, True),
        ("2*off->1*error->off", 2, False),
        ("2*off->1*error->off", 3, True),
        ("off->0%error", 1, True),
        ("50%off->error", 1, False),
        ("off", 1, True),
        ("error->off", 9, False),
        ("100%2*error", 1, False),
        ("100%2*error", 2, True),
        ("50%error", 50, False),
    ],
)
def test_a_term_is_completed_when_nothing_but_off_can_come(conn, term, hits, completed):
    assert completed_after(conn, term, hits) is completed


def test_a_probability_strikes_at_the_same_hits_for_the_same_seed(conn):
    first = steps(conn, "30%error", 300, seed=7)
    assert first == steps(conn, "30%error", 300, seed=7)
    assert first != steps(conn, "30%error", 300, seed=8)


def test_a_probability_strikes_about_as_often_as_it_says(conn):
    struck = steps(conn, "30%error", 2000).count("error")
    assert 520 < struck < 680


@pytest.mark.parametrize("term", ["30%error", "50%3*error->off", "2*off->30%error"])
def test_a_probability_costs_no_more_after_many_hits(conn, term):
    # To play a million million hits would take months.
    conn.execute("SET statement_timeout = '60s'")
    completed_after(conn, term, 10**12)


def test_a_count_behind_a_probability_counts_strikes_not_hits(conn):
    played = steps(conn, "50%3*error->off", 60)
    assert played.count("error") == 3
    first_three = [i for i, action in enumerate(played) if action == "error"]
    assert "off" in played[: first_three[-1]]


@pytest.mark.parametrize(
    ("term", "position"),
    [
        ("", 1),
        ("   ", 1),
        ("->error", 1),
        ("error->", 8),
        ("error error", 7),
        ("error(", 6),
        ("error(40001", 6),
        ("101%error", 1),
        ("5error", 1),
        ("explode", 1),
        ("2*off->explode", 8),
        ("ERROR", 1),
        ("-1*error", 1),
        ("1*2*error", 1),
        ("error)", 6),
    ],
)
def test_a_malformed_term_is_refused_with_the_position(conn, term, position):
    with pytest.raises(psycopg.errors.SyntaxError) as refusal:
        conn.execute("SELECT pggit_chaos._parse_term(%s, 'f')", [term])
    assert refusal.value.diag.message_primary == f'malformed term "{term}" at position {position}'


@pytest.mark.parametrize(
    "term",
    [
        "error(4000)",
        "error(40001x)",
        "error(no_such_condition)",
        "error(00000)",
        "error(01000)",
        "error()",
        "delay",
        "delay(soon)",
        "delay(-1)",
        "skip(1)",
        "off(1)",
        "cancel(now)",
        "mutate",
        "mutate({)",
        "mutate([1])",
    ],
)
def test_arguments_that_an_action_does_not_take_are_refused(conn, term):
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        conn.execute("SELECT pggit_chaos._parse_term(%s, 'pggit.t.insert.before')", [term])


@pytest.mark.parametrize(
    ("term", "arguments"),
    [
        ("error", {"sqlstate": "PC100", "message": None}),
        ("error(40001)", {"sqlstate": "40001", "message": None}),
        ("error(serialization_failure)", {"sqlstate": "40001", "message": None}),
        ("error(57014)", {"sqlstate": "57014", "message": None}),
        (
            "error(assert_failure, no (really), no)",
            {"sqlstate": "P0004", "message": "no (really), no"},
        ),
        ("delay(1.5)", 1.5),
        ("notice(a -> b)", "a -> b"),
        ('mutate({"message": "a ) \\" ( b"})', {"message": 'a ) " ( b'}),
    ],
)
def test_arguments_are_read(conn, term, arguments):
    program = conn.execute(
        "SELECT pggit_chaos._parse_term(%s, 'pggit.*.insert.before')", [term]
    ).fetchone()[0]
    assert program[0]["arguments"] == arguments
