"""Write docs/reference/real-pggit.md: which promises released pgGits break by themselves.

Run it as ``python docs/real_pggit.py --pggit-source DIR ...``, a checkout a release.  It
needs them, and some minutes, and so no test does it.  The end of the page is of
``docs/real_suite.py``, which it runs, too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import psycopg
import real_suite

from pggit_chaos import binaries, extension, pggit_source, talk
from pggit_chaos.binaries import Binaries
from pggit_chaos.cluster import Cluster
from pggit_chaos.errors import NotApplicableError
from pggit_chaos.target import Target
from pggit_chaos.workload import Workload

PAGE = Path(__file__).parent / "reference/real-pggit.md"

_CHECKS = "SELECT check_id, sound, summary FROM pggit_chaos.integrity_check ORDER BY check_id"
_FINDINGS = "SELECT check_id, row_identity, message FROM pggit_chaos.fsck()"
_GROUND = """
CREATE TABLE public.ground (id integer PRIMARY KEY, name text);
INSERT INTO public.ground VALUES (1, 'a row');
CREATE VIEW public.seen AS SELECT g.id FROM public.ground AS g;
"""
_SIDE = """
SELECT pggit.create_branch('side');
SELECT pggit.switch_branch('side');
ALTER TABLE public.ground ADD COLUMN theirs text;
SELECT pggit.switch_branch('main');
"""
_INCREMENT = (
    "SELECT pggit.increment_version(o.id, 'ALTER'::pggit.change_type,"
    " 'MINOR'::pggit.change_severity, 'a change', NULL::jsonb, NULL::text)"
    " FROM ONLY pggit.objects AS o"
    " WHERE o.full_name = 'public.ground' AND o.branch_name = 'main' AND o.object_type = 'TABLE'"
)
_TWO_BRANCHES = "SELECT pggit.create_branch('a'); SELECT pggit.create_branch('b')"
_COMMITS = "SELECT pggit.commit_changes('main', 'one'); SELECT pggit.commit_changes('main', 'two')"
_MERGE = "SELECT pggit.merge_branches('side', 'main', 'a message')"
_ALTER = "ALTER TABLE public.ground ADD COLUMN ours text"

# By label: what goes before, and what is looked at.
_OPERATIONS = {
    "CREATE TABLE ... AS": ("", "CREATE TABLE public.copied AS SELECT 1 AS id"),
    "SELECT INTO": ("", "SELECT 1 AS id INTO public.selected"),
    "CREATE MATERIALIZED VIEW": ("", "CREATE MATERIALIZED VIEW public.kept AS SELECT 1 AS id"),
    "CREATE VIEW": ("", "CREATE VIEW public.viewed AS SELECT g.id FROM public.ground AS g"),
    "CREATE OR REPLACE VIEW": (
        "",
        "CREATE OR REPLACE VIEW public.seen AS SELECT g.id, g.name FROM public.ground AS g",
    ),
    "ALTER TABLE ... RENAME": ("", "ALTER TABLE public.ground RENAME TO renamed"),
    "ALTER TABLE ... SET SCHEMA": (
        "CREATE SCHEMA other",
        "ALTER TABLE public.ground SET SCHEMA other",
    ),
    "DROP TABLE": ("", "DROP TABLE public.ground CASCADE"),
    "CREATE TABLE of a name that was dropped": (
        "DROP TABLE public.ground CASCADE",
        "CREATE TABLE public.ground (id integer PRIMARY KEY)",
    ),
    "create_branch()": ("", _TWO_BRANCHES),
    "create_branch(copy_data => true)": ("", "SELECT pggit.create_branch('a', 'main', true)"),
    "create_data_branch()": ("", "SELECT pggit.create_data_branch('ground', 'main', 'a')"),
    "commit_changes(), twice": ("", _COMMITS),
    "merge_branches()": (_SIDE, _MERGE),
    "ALTER TABLE after merge_branches()": (f"{_SIDE}; {_MERGE}", _ALTER),
    "merge_branches() and ALTER TABLE in one transaction": (
        "",
        f"BEGIN; {_SIDE}; {_MERGE}; {_ALTER}; COMMIT",
    ),
    "merge()": (_SIDE, "SELECT pggit.merge('side', 'main', 'auto')"),
    "merge_with_heuristics()": (_SIDE, "SELECT pggit.merge_with_heuristics('side', 'main')"),
    "delete_branch_simple()": (_TWO_BRANCHES, "SELECT pggit.delete_branch_simple('a')"),
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One check that an operation made speak on a release."""

    check: str
    operation: str
    example: str
    releases: list[str] = field(default_factory=list)


@dataclass
class Survey:
    """All that was seen, in the order of first sight."""

    seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    sound: dict[str, bool] = field(default_factory=dict)
    promises: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, release: str, operation: str, rows: set[tuple[str, str, str]]) -> None:
        """Note the findings that an operation brought about."""
        for check, _, message in sorted(rows):
            key = (check, operation)
            self.seen.setdefault(key, Seen(check=check, operation=operation, example=message))
            if release not in self.seen[key].releases:
                self.seen[key].releases.append(release)


def findings(conn: psycopg.Connection[Any]) -> set[tuple[str, str, str]]:
    """Return what fsck() finds."""
    return set(conn.execute(_FINDINGS).fetchall())


def increment_twice_at_once(conn: psycopg.Connection[Any], other: psycopg.Connection[Any]) -> None:
    """Count one version up in two transactions, of which the second waits for the first."""
    with conn.transaction():
        conn.execute(_INCREMENT)
        second = threading.Thread(target=other.execute, args=(_INCREMENT,))
        second.start()
        while second.is_alive():
            waits = conn.execute(
                "SELECT cardinality(pg_blocking_pids(%s)) > 0 FROM pg_sleep(0.01)",
                (other.info.backend_pid,),
            ).fetchone()
            if waits == (True,):
                break
    second.join()


class Release:
    """A released pgGit on a running server, with a database to clone."""

    def __init__(self, cluster: Cluster, source: Path, programs: Binaries, *, core: bool) -> None:
        self.name = source.resolve().name + ("" if core else " without the chaos core")
        self._cluster = cluster
        self._template = self.name[-63:]
        self._clones = 0
        cluster.create_database(self._template)
        pggit_source.install(cluster.dsn(self._template), source, programs=programs, core=core)
        with cluster.connect(self._template, autocommit=True) as conn:
            extension.install(conn)
            _record(conn)

    @contextmanager
    def clone(self) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
        """Yield two sessions of a copy that goes away afterwards."""
        self._clones += 1
        name = f"clone_{self._clones}"
        options = {"options": "-c timezone=UTC -c client_min_messages=error"}
        self._cluster.create_database(name, template=self._template)
        with (
            self._cluster.connect(name, autocommit=True, **options) as conn,
            self._cluster.connect(name, autocommit=True, **options) as other,
        ):
            yield conn, other
        self._cluster.drop_database(name)


def survey_release(survey: Survey, release: Release, seeds: int, steps: int) -> None:
    """Let one release do what it is for, and look after each operation."""
    with release.clone() as (conn, _):
        for check, sound, summary in conn.execute(_CHECKS):
            survey.sound[check], survey.promises[check] = sound, summary
        survey.add(release.name, "the installer", findings(conn))
    for label, (first, statements) in _OPERATIONS.items():
        _survey_operation(survey, release, label, first, _doing(statements))
    label = "increment_version(), twice at once"
    _survey_operation(survey, release, label, "", increment_twice_at_once)
    for seed in range(seeds):
        _survey_work(survey, release, seed, steps)


def _survey_operation(
    survey: Survey,
    release: Release,
    label: str,
    first: str,
    do: Callable[[psycopg.Connection[Any], psycopg.Connection[Any]], object],
) -> None:
    with release.clone() as (conn, other):
        # The first branch of some installations fails, whatever it is for.
        conn.execute("SELECT nextval('pggit.branches_id_seq')")
        before = set()
        try:
            _run(conn, f"{_GROUND}; {first}")
            _record(conn)
            before = findings(conn)
            do(conn, other)
        except psycopg.Error as error:
            conn.rollback()
            survey.failures.append(f"{release.name}: {label} fails with {error.sqlstate}")
        survey.add(release.name, label, findings(conn) - before)


def _record(conn: psycopg.Connection[Any]) -> None:
    """Record what is new, so that the checks that compare have something to look at."""
    extension.enable(conn)
    conn.execute("SELECT count(*) FROM pggit_chaos.record_digests()")


def _doing(statements: str) -> Callable[[psycopg.Connection[Any], object], None]:
    return lambda conn, _: _run(conn, statements)


def _run(conn: psycopg.Connection[Any], statements: str) -> None:
    for statement in filter(str.strip, statements.split(";")):
        conn.execute(statement)


def _survey_work(survey: Survey, release: Release, seed: int, steps: int) -> None:
    with release.clone() as (conn, _):
        target = Target(conn)
        try:
            target.create_branch("first")
        except (psycopg.Error, NotApplicableError) as error:
            talk.say(f"{release.name}: {error}".splitlines()[0])
        work = Workload(target, seed)
        before = findings(conn)
        for _ in range(steps):
            done = work.step()
            after = findings(conn)
            label = " ".join(word for word in done.split() if not word.startswith("chaos"))
            known = {
                check for check, operation in survey.seen if not operation.startswith("ordinary")
            }
            news = {row for row in after - before if row[0] not in known}
            survey.add(release.name, f"ordinary work: {label}", news)
            before = after
            _record(conn)


def page(survey: Survey, releases: list[str], seeds: int, steps: int) -> str:
    """Return the page."""
    spoke = {check for check, _ in survey.seen}
    sound = sorted(check for check in spoke if survey.sound[check])
    lines = [
        "# What released pgGits break by themselves",
        "",
        "A check is `sound` where a finding is damage on every pgGit, and else a promise that",
        "some release of pgGit breaks in ordinary use. These are the findings of the latter, each",
        "with the operation that brought it about, as measured by `docs/real_pggit.py` on",
        f"{', '.join(releases)}; and after each of {steps} steps of ordinary work with each of",
        f"{seeds} seeds.",
        "",
        "The sound checks found nothing in all of that."
        if not sound
        else f"Of the sound checks, these found something: {', '.join(sound)}.",
        "",
        "An operation of ordinary work is named where no single operation brought the check to",
        "speak.",
    ]
    for check in sorted(spoke):
        lines += ["", f"## {check}", "", f"Promise: {survey.promises[check]}.", ""]
        lines += ["| brought about by | on | as in |", "|---|---|---|"]
        for seen in survey.seen.values():
            if seen.check == check:
                on = ", ".join(seen.releases)
                example = seen.example.replace("|", "\\|")
                lines.append(f"| {seen.operation} | {on} | {example} |")
    silent = sorted(c for c, is_sound in survey.sound.items() if not is_sound and c not in spoke)
    if silent:
        lines += ["", "No operation made these speak: " + ", ".join(silent) + "."]
    if survey.failures:
        lines += ["", "## What failed by itself", ""]
        lines += [f"- {failure}" for failure in survey.failures]
    return "\n".join(lines) + "\n"


@click.command()
@real_suite.checkouts
@real_suite.programs
@click.option("--seeds", type=click.IntRange(0), default=2, show_default=True)
@click.option("--steps", type=click.IntRange(1), default=40, show_default=True)
@real_suite.level
@real_suite.journals
def command(
    *,
    sources: tuple[Path, ...],
    pg_bindir: Path | None,
    seeds: int,
    steps: int,
    level: str,
    journals: Path | None,
) -> None:
    """Write the page; exit status 1 where a sound check found something."""
    programs = binaries.find(pg_bindir)
    survey = Survey()
    names = []
    with Cluster(programs=programs) as cluster:
        for source in sources:
            for core in (True, False):
                release = Release(cluster, source, programs, core=core)
                talk.say(f"surveying {release.name}")
                survey_release(survey, release, seeds, steps)
                names.append(release.name)
    found = real_suite.survey(sources, level, pg_bindir, journals)
    PAGE.write_text(page(survey, names, seeds, steps) + "\n" + found, encoding="utf-8")
    sys.exit(any(survey.sound[check] for check, _ in survey.seen))


if __name__ == "__main__":
    command()
