"""A database in which pgGit has been used for everything that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pggit_chaos.target import Target

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.cluster import Cluster
    from servers.fleet import Fleet

# What a prepared Target has not got: drops, a data branch, a conflict, names with quotes.
_MORE = """
CREATE TABLE public."a ""quoted"" name" (id integer PRIMARY KEY, "a 'column'" text);
ALTER TABLE public."a ""quoted"" name" ADD COLUMN more text;
ALTER TABLE public."a ""quoted"" name" ADD COLUMN yet_more text;
CREATE TABLE public.gone (id integer);
ALTER TABLE public.gone ADD COLUMN more text;
DROP TABLE public.gone;
SELECT pggit.create_data_branch('chaos_ground', 'main', 'data');
SELECT pggit.create_branch('copied', 'main', true);
SELECT pggit.create_branch('conflicting', 'main');
SELECT pggit.switch_branch('conflicting');
ALTER TABLE public.chaos_ground ADD COLUMN theirs text;
SELECT pggit.switch_branch('main');
ALTER TABLE public.chaos_ground ADD COLUMN ours text;
SELECT pggit.merge_branches('conflicting', 'main', 'a message');
"""


@pytest.fixture(scope="session")
def used_template(cluster: Cluster, fleet: Fleet, server_version: str) -> Iterator[str]:
    name = fleet.reference(server_version)
    with cluster.connect(name, autocommit=True) as conn:
        target = Target(conn)
        target.prepare()
        target.workload(seed=1, steps=20)
        for statement in _MORE.split(";\n"):
            conn.execute(statement)
    yield name
    fleet.drop(server_version, [name])


@pytest.fixture
def used(
    cluster: Cluster, fleet: Fleet, server_version: str, used_template: str
) -> Iterator[psycopg.Connection[Any]]:
    """An autocommit connection to a database of a reference target that was much used, enabled."""
    name = fleet.clone(server_version, used_template)
    with cluster.connect(name, autocommit=True) as conn:
        yield conn
    fleet.drop(server_version, [name])
