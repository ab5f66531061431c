"""Nothing happens before the owner opts in."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

pytestmark = pytest.mark.ends_will_do

CHANGING = [
    "SELECT pggit_chaos.install_hooks()",
    "SELECT pggit_chaos.arm('*')",
    "SELECT pggit_chaos.corrupt('commit_parent_dangling')",
    "SELECT pggit_chaos.drill('commit_parent_dangling')",
    "SELECT pggit_chaos.drill_all()",
    "SELECT pggit_chaos.record_digests()",
    "SELECT pggit_chaos.forget_digests()",
    "SELECT pggit_chaos.trace('SELECT 1')",
    "SELECT pggit_chaos.sweep('SELECT 1')",
]
CLEANING = [
    "SELECT pggit_chaos.uninstall_hooks()",
    "SELECT pggit_chaos.disarm(1)",
    "SELECT pggit_chaos.disarm_all()",
    "SELECT pggit_chaos.heal_all()",
]


@pytest.fixture
def disabled(conn, database):
    conn.execute(
        sql.SQL("ALTER DATABASE {} RESET pggit_chaos.enabled").format(sql.Identifier(database))
    )
    return conn


@pytest.mark.parametrize("statement", CHANGING)
def test_a_changing_function_refuses_until_the_owner_opts_in(disabled, database, statement):
    with pytest.raises(psycopg.DatabaseError) as refusal:
        disabled.execute(statement)
    assert refusal.value.sqlstate == "PC001"
    disabled.execute(refusal.value.diag.message_hint)
    assert disabled.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (True,)


@pytest.mark.parametrize("statement", CLEANING)
def test_what_ends_a_fault_or_puts_pggit_back_is_always_allowed(disabled, statement):
    disabled.execute(statement)


def test_a_sessions_own_setting_is_no_opt_in(disabled):
    disabled.execute("SET pggit_chaos.enabled = on")
    assert disabled.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)


def test_a_roles_setting_is_no_opt_in(disabled):
    disabled.execute("ALTER ROLE CURRENT_USER SET pggit_chaos.enabled = on")
    try:
        assert disabled.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)
    finally:
        disabled.execute("ALTER ROLE CURRENT_USER RESET pggit_chaos.enabled")


def test_off_is_no_opt_in(conn, database):
    conn.execute(
        sql.SQL("ALTER DATABASE {} SET pggit_chaos.enabled = off").format(sql.Identifier(database))
    )
    assert conn.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)


def test_a_clone_of_an_enabled_database_is_disabled(cluster, conn, database):
    clone = f"{database}_clone"
    conn.close()
    cluster.create_database(clone, template=database)
    try:
        with cluster.connect(clone, autocommit=True) as other:
            assert other.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (False,)
    finally:
        cluster.drop_database(clone)


def test_the_hint_names_a_database_with_quotes_in_its_name(cluster, conn, database):
    odd = f"{database} \"odd'name"
    conn.close()
    cluster.create_database(odd, template=database)
    try:
        with cluster.connect(odd, autocommit=True) as other:
            with pytest.raises(psycopg.DatabaseError) as refusal:
                other.execute("SELECT pggit_chaos.install_hooks()")
            other.execute(refusal.value.diag.message_hint)
            assert other.execute("SELECT pggit_chaos.is_enabled()").fetchone() == (True,)
    finally:
        cluster.drop_database(odd)
