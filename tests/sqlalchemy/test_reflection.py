"""pgGit's tables, as SQLAlchemy reflects them."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, MetaData, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError

from pggit_chaos import Chaos
from shop import SCOPE, Shop, order


@pytest.fixture
def pggit_tables(engine: Engine, chaos: Chaos) -> MetaData:
    """The tables of schema pggit, with hooks in them."""
    metadata = MetaData()
    metadata.reflect(engine, schema="pggit")
    return metadata


def test_what_is_reflected_is_pggit_and_nothing_of_ours(
    pggit_tables: MetaData, engine: Engine, chaos: Chaos
) -> None:
    hooked = set(pggit_tables.tables)
    assert {"pggit.branches", "pggit.commits", "pggit.objects", "pggit.history"} <= hooked
    chaos.uninstall_hooks()
    bare = MetaData()
    bare.reflect(engine, schema="pggit")
    assert set(bare.tables) == hooked


def test_foreign_keys_come_along(pggit_tables: MetaData) -> None:
    commits, branches = (pggit_tables.tables[f"pggit.{name}"] for name in ("commits", "branches"))
    assert commits.c.branch_id.references(branches.c.id)


def test_a_query_over_reflected_tables_tells_what_was_committed(
    pggit_tables: MetaData, engine: Engine, shop: Shop
) -> None:
    for item in ("a chair", "a table"):
        order(engine, item)
    commits, branches = (pggit_tables.tables[f"pggit.{name}"] for name in ("commits", "branches"))
    query = (
        select(branches.c.name, func.count(), func.max(commits.c.hash))
        .join_from(commits, branches)
        .where(commits.c.hash == branches.c.head_commit_hash)
        .group_by(branches.c.name)
    )
    with engine.connect() as connection:
        (head,) = connection.execute(query)
        messages = connection.scalars(select(commits.c.message).order_by(commits.c.id)).all()
    assert head[:2] == ("main", 1)
    assert messages[-2:] == ["a chair", "a table"]


def test_a_write_through_a_reflected_table_passes_the_failpoints(
    pggit_tables: MetaData, engine: Engine, chaos: Chaos
) -> None:
    branches = pggit_tables.tables["pggit.branches"]
    with chaos.fault("pggit.branches.insert.before", "error(53100)", scope=SCOPE) as fault:
        with pytest.raises(OperationalError) as caught, engine.begin() as connection:
            _insert(connection, branches)
    assert (fault.fired, caught.value.orig.sqlstate) == (1, "53100")
    with engine.begin() as connection:
        _insert(connection, branches)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        _insert(connection, branches)


def _insert(connection: Connection, branches: object) -> None:
    connection.execute(insert(branches).values(name="feature/reflected"))
