"""The sabotages themselves: each is one small bug that nothing but its effect gives away."""

from __future__ import annotations

import difflib
import re

import psycopg
import pytest

from pggit_chaos import sabotage
from pggit_chaos.errors import UsageError

ALL = sabotage.all()
EACH = pytest.mark.parametrize("bug", ALL, ids=[bug.name for bug in ALL])

# What a caller sees of a function: all but its body and its settings.
SIGNATURES = """
SELECT p.oid::regprocedure::text, p.prorettype::regtype::text, p.proretset, p.proargnames,
       pg_get_expr(p.proargdefaults, 0), p.prokind, p.provolatile, p.prosecdef, p.proisstrict,
       p.proacl::text
  FROM pg_proc AS p
 WHERE p.pronamespace = 'pggit'::regnamespace
 ORDER BY 1
"""
COLUMNS = """
SELECT c.oid::regclass::text, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod),
       a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_class AS c
  LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
  LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'pggit'::regnamespace
 ORDER BY 1, a.attnum
"""
DEFINITIONS = """
SELECT 'function ' || p.oid::regprocedure, pg_get_functiondef(p.oid)
  FROM pg_proc AS p WHERE p.pronamespace = 'pggit'::regnamespace
 UNION ALL
SELECT 'constraint ' || c.conname, pg_get_constraintdef(c.oid)
  FROM pg_constraint AS c WHERE c.connamespace = 'pggit'::regnamespace
 UNION ALL
SELECT 'sequence ' || s.seqrelid::regclass, s::text
  FROM pg_sequence AS s
 UNION ALL
SELECT 'table ' || c.oid::regclass, c.relpersistence::text
  FROM pg_class AS c WHERE c.relnamespace = 'pggit'::regnamespace AND c.relkind = 'r'
 UNION ALL
SELECT 'event trigger ' || e.evtname, concat_ws(' ', e.evtevent, e.evtenabled, e.evttags::text)
  FROM pg_event_trigger AS e
"""
LINES_OF_A_BUG = 30


def definitions(conn):
    return dict(conn.execute(DEFINITIONS).fetchall())


def changed_lines(before, after):
    """Count the lines that differ, however often what changed is named."""
    count = 0
    for name in before.keys() | after.keys():
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        count += sum(line[0] in "+-" for line in difflib.ndiff(old, new))
    return count


@EACH
def test_it_says_in_one_sentence_what_it_is(bug):
    assert bug.category in sabotage.CATEGORIES
    assert re.fullmatch(r"[A-Z].*[^.]\.", bug.summary), bug.summary
    assert ". " not in bug.summary


def test_every_category_has_its_share():
    share = {name: [bug for bug in ALL if bug.category == name] for name in sabotage.CATEGORIES}
    assert min(map(len, share.values())) >= 8


def test_they_are_listed_by_category_and_name():
    places = [(sabotage.CATEGORIES.index(bug.category), bug.name) for bug in ALL]
    assert places == sorted(set(places))


@EACH
@pytest.mark.one_version
def test_it_changes_something_small(target, bug):
    before = definitions(target)
    sabotage.apply(target, bug)
    assert 0 < changed_lines(before, definitions(target)) <= LINES_OF_A_BUG


@EACH
@pytest.mark.one_version
def test_it_leaves_the_shape_as_it_is(target, bug):
    before = [target.execute(query).fetchall() for query in (SIGNATURES, COLUMNS)]
    sabotage.apply(target, bug)
    assert [target.execute(query).fetchall() for query in (SIGNATURES, COLUMNS)] == before


@EACH
@pytest.mark.one_version
def test_it_does_not_give_itself_away(target, bug):
    before = definitions(target)
    sabotage.apply(target, bug)
    added = "\n".join(
        line
        for name, text in definitions(target).items()
        for line in set(text.splitlines()) - set(before.get(name, "").splitlines())
    )
    assert not re.search(r"sabot|\bbugs?\b|mutant|chaos", added, re.IGNORECASE)


@pytest.mark.one_version
def test_a_file_that_does_not_apply_is_refused_and_leaves_nothing(target, tmp_path):
    path = tmp_path / "half.sql"
    path.write_text("DROP FUNCTION pggit.version(); DROP FUNCTION pggit.no_such();")
    before = definitions(target)
    with pytest.raises(UsageError, match='"half" cannot be applied') as caught:
        sabotage.apply(target, sabotage.find(str(path)))
    assert caught.value.sqlstate == psycopg.errors.UndefinedFunction.sqlstate
    assert definitions(target) == before


def test_one_is_found_by_its_name():
    assert sabotage.find(ALL[0].name) == ALL[0]


def test_a_file_of_the_users_own_is_found_by_its_path(tmp_path):
    path = tmp_path / "mine.sql"
    path.write_text("-- category: resource\n-- It takes\n-- too long.\nSELECT 1;\n")
    found = sabotage.find(str(path))
    assert (found.name, found.category) == ("mine", "resource")
    assert found.summary == "It takes too long."


def test_a_file_of_the_users_own_need_not_say_what_it_is(tmp_path):
    path = tmp_path / "mine.sql"
    path.write_text("SELECT 1;\n")
    found = sabotage.find(str(path))
    assert (found.name, found.category, found.summary) == ("mine", None, "")


def test_an_unknown_category_is_refused(tmp_path):
    path = tmp_path / "mine.sql"
    path.write_text("-- category: weather\nSELECT 1;\n")
    with pytest.raises(UsageError, match="weather"):
        sabotage.find(str(path))


def test_an_unknown_name_is_refused_with_those_that_are_near():
    with pytest.raises(UsageError) as caught:
        sabotage.find(ALL[0].name[:-1])
    assert ALL[0].name in str(caught.value.hint)
