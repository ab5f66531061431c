"""A driver to be killed: does one kind of work over and over, and says in which session.

python victim.py DSN drill|sweep|corrupt|arm
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any, Final

import psycopg

from pggit_chaos.chaos import Chaos
from pggit_chaos.errors import NothingToCorruptError
from pggit_chaos.target import Target


def drill(conn: psycopg.Connection[Any]) -> None:
    Chaos(conn).drill_all()


def sweep(conn: psycopg.Connection[Any]) -> None:
    chaos = Chaos(conn)
    chaos.install_hooks()
    for operation in Target(conn).operations()[:4]:
        chaos.sweep(operation.statement)
    chaos.uninstall_hooks()


def corrupt(conn: psycopg.Connection[Any]) -> None:
    chaos = Chaos(conn)
    for kind in (each.kind for each in chaos.corruption_kinds() if each.applies):
        try:
            with chaos.corruption(kind):
                pass
        except NothingToCorruptError:
            continue


def arm(conn: psycopg.Connection[Any]) -> None:
    chaos = Chaos(conn)
    chaos.install_hooks()
    target = Target(conn)
    for scope in itertools.islice(itertools.cycle(("session", "database", "role:postgres")), 30):
        with chaos.fault("*", "10*off->error(40001)", scope=scope):
            with conn.transaction(force_rollback=True):
                target.conn.execute("SELECT count(*) FROM pggit.commits")
    chaos.uninstall_hooks()


WORK: Final[dict[str, Callable[[psycopg.Connection[Any]], None]]] = {
    work.__name__: work for work in (drill, sweep, corrupt, arm)
}

if __name__ == "__main__":
    dsn, work = sys.argv[1:]
    # The session ends with us, as that of the command line does.
    options = "-c client_connection_check_interval=100ms"
    with psycopg.connect(dsn, autocommit=True, options=options) as connection:
        sys.stdout.write(f"{connection.info.backend_pid}\n")
        sys.stdout.flush()
        while True:
            WORK[work](connection)
