"""The engines of an application, and somebody who looks on from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine, create_engine

from shop import APPLICATION, Shop


@pytest.fixture
def make_engine(chaos_database: str) -> Iterator[Callable[..., Engine]]:
    """Make an engine of the shop's; takes what create_engine takes, and ``conninfo``."""
    with ExitStack() as stack:

        def make(conninfo: str = chaos_database, **options: Any) -> Engine:
            parameters = {**conninfo_to_dict(conninfo), "application_name": APPLICATION}
            engine = create_engine("postgresql+psycopg://", connect_args=parameters, **options)
            stack.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture
def engine(make_engine: Callable[..., Engine]) -> Engine:
    return make_engine()


@pytest.fixture
def shop(chaos_connect: Callable[..., psycopg.Connection[Any]]) -> Shop:
    return Shop(chaos_connect(autocommit=True))
