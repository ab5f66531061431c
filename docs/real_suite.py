"""Write the end of docs/reference/real-pggit.md: what the chaos suite finds on released pgGits.

Run it as ``python docs/real_suite.py --pggit-source DIR ...``, a checkout a release, or
have ``docs/real_pggit.py`` run it, which writes the rest of the page.  A run of the
suite takes some minutes, and so no test does it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import click

from pggit_chaos import journal, suite_run, talk
from pggit_chaos.commands.suite import LEVELS
from pggit_chaos.journal import Entry
from pggit_chaos.sabotage import CATEGORIES
from pggit_chaos.suite_run import Plan
from pggit_chaos.target import RAISED_BY

PAGE = Path(__file__).parent / "reference/real-pggit.md"
HEADING = "## What the suite finds"
KINDS = (*CATEGORIES, "migration", "recovery", "load", "others")
TIMEOUT = 300  # seconds; what is slow is run, too
WIDTH, LINES = 300, 2  # of what is quoted

# What differs from run to run, and between the parametrisations of a test.
_ACCIDENTS = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(\+\d\d(:\d\d)?)?"), "<time>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f-]{8,}\b"), "<hash>"),
    (re.compile(r"\d+"), "<n>"),
)
_ADDED = re.compile(r"\n(?:assert | +\+ |CONTEXT: |LINE \d|Failing test case)")
_CALL = re.compile(rf"\n{re.escape(RAISED_BY)}(.+)")
_CLASS = re.compile(r"\A(?:AssertionError: |Failed: |(?:\w+\.)+(?=[A-Z]\w+: ))")
# What pgGit itself says, up to where it puts something in.
_RAISED = re.compile(r"\bRAISE\s+(?:\w+\s+)?'((?:[^'%]|\'\')+)", re.IGNORECASE)
SHORTEST = 6  # characters; what is shorter is nobody's


@dataclass(kw_only=True)
class Cause:
    """What one or several tests say in the same words."""

    message: str
    category: str
    cases: dict[str, set[str]] = field(default_factory=dict)  # node ids, by test
    releases: list[str] = field(default_factory=list)


checkouts = click.option(
    "--pggit-source",
    "sources",
    multiple=True,
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A checkout of pgGit; may be repeated.",
)
programs = click.option("--pg-bindir", metavar="DIR", type=click.Path(path_type=Path))
level = click.option(
    "--level",
    type=click.Choice(("smoke", "full")),
    default="full",
    show_default=True,
    help="Of the suite.",
)
journals = click.option(
    "--journals",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Where each run of the suite leaves its journal, RELEASE-LEVEL; what lies there already "
    "is read instead of run again.",
)


def survey(
    sources: Iterable[Path], level: str, pg_bindir: Path | None, journals: Path | None
) -> str:
    """Run the suite on each checkout; return the end of the page."""
    runs = {}
    for source in sources:
        name = source.resolve().name
        talk.say(f"running the suite on {name}, level {level}")
        runs[name] = run(source, level, pg_bindir, journals)
    theirs = frozenset[str]().union(*map(_raised, sources))
    return "\n".join([*section(runs, level, theirs), ""])


def _raised(source: Path) -> frozenset[str]:
    """Return the beginnings of the messages that a pgGit raises: its words stay its own."""
    scripts = (path.read_text(encoding="utf-8") for path in source.rglob("*.sql"))
    words = (
        found.replace("''", "'").strip() for each in scripts for found in _RAISED.findall(each)
    )
    return frozenset(each for each in words if len(each) >= SHORTEST)


def run(source: Path, level: str, pg_bindir: Path | None, kept: Path | None) -> tuple[Entry, ...]:
    """Run the suite on a checkout, or read what an earlier run of it has left in ``kept``."""
    file = None if kept is None else kept / f"{source.resolve().name}-{level}"
    if file is not None and file.exists():
        return tuple(journal.read(file))
    plan = Plan(
        label=f"{source.resolve().name}, level {level}",
        arguments=(
            *("-m", LEVELS[level], f"--hypothesis-profile={level}"),
            f"--chaos-pggit-source={source.resolve()}",
            *("-o", f"timeout={TIMEOUT}"),
            *([] if pg_bindir is None else [f"--chaos-pg-bindir={pg_bindir.resolve()}"]),
        ),
    )
    ((_, done),) = suite_run.run_all([plan])
    if file is not None:
        lines = (json.dumps(asdict(entry)) + "\n" for entry in done.entries)
        file.write_text("".join(lines), encoding="utf-8")
    return done.entries


def section(
    runs: Mapping[str, Iterable[Entry]], level: str, theirs: frozenset[str] = frozenset()
) -> list[str]:
    """Return the lines of the page, without what ``theirs`` begins."""
    causes = _causes(runs, theirs)
    lines = [
        HEADING,
        "",
        f"The tests of the chaos suite that fail at level {level}; on the reference target none",
        "does. Tests that say the same share a row; behind one that has several cases stands how",
        "many of them fail. `not applicable` is said of a test that needs what is not there.",
        "",
        *_counts(runs),
    ]
    for category in KINDS:
        of_it = [cause for cause in causes if cause.category == category]
        if not of_it:
            continue
        lines += ["", f"### {category.capitalize()}", ""]
        lines += ["| promise, and its test | what pgGit did | on |", "|---|---|---|"]
        for cause in of_it:
            told = "<br>".join(_told(test, cases) for test, cases in cause.cases.items())
            lines.append(f"| {told} | {_cell(cause.message)} | {', '.join(cause.releases)} |")
    return lines


def _counts(runs: Mapping[str, Iterable[Entry]]) -> Iterator[str]:
    yield "| | passed | failed | not applicable | not reached |"
    yield "|---|---|---|---|---|"
    every = {entry.nodeid for entries in runs.values() for entry in entries}
    for release, entries in runs.items():
        outcomes = ["failed" if entry.failed else entry.outcome for entry in entries]
        counts = (str(outcomes.count(each)) for each in ("passed", "failed", "skipped"))
        yield f"| {release} | {' | '.join(counts)} | {len(every) - len(outcomes)} |"


def _causes(runs: Mapping[str, Iterable[Entry]], theirs: frozenset[str]) -> list[Cause]:
    causes: dict[tuple[str, str], Cause] = {}
    words = _cases(entry.nodeid for entries in runs.values() for entry in entries)
    for release, entries in runs.items():
        for entry in entries:
            if not entry.failed:
                continue
            message = _without(theirs, _said(entry.message or "it ended the run"))
            category = next((each for each in KINDS if each in entry.markers), KINDS[-1])
            test = entry.nodeid.partition("[")[0]
            key = (category, _without_accidents(message, words[test]))
            cause = causes.setdefault(key, Cause(message=message, category=category))
            cause.cases.setdefault(test, set()).add(entry.nodeid)
            if release not in cause.releases:
                cause.releases.append(release)
    return sorted(causes.values(), key=lambda cause: next(iter(cause.cases)))


def _said(message: str) -> str:
    """Return the words of a failure, without what pytest adds to them."""
    words = _CLASS.sub("", message.strip())
    if call := _CALL.search(words):
        words = f"{call[1]} failed: {words[: call.start()]}"
    own = _ADDED.split(words, maxsplit=1)[0].strip()
    return "\n".join(own.splitlines()[:LINES])


def _without(theirs: frozenset[str], message: str) -> str:
    """Return a message up to the words of pgGit's that it quotes."""
    places = [place for words in theirs if (place := message.find(words)) >= 0]
    return message[: min(places)].rstrip(" :('\"") + ": …" if places else message


def _cases(nodeids: Iterable[str]) -> dict[str, set[str]]:
    """Return what tells the cases of each test apart: a case may be a word of every message."""
    words: dict[str, set[str]] = {}
    for test, _, case in (nodeid.partition("[") for nodeid in nodeids):
        case = case.removesuffix("]")
        words.setdefault(test, set()).update({case, *case.split("-")})
    return words


def _without_accidents(message: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        if len(word) > 1:
            message = message.replace(word, "<case>")
    for pattern, kind in _ACCIDENTS:
        message = pattern.sub(kind, message)
    return message


def _told(test: str, cases: set[str]) -> str:
    name = test.rpartition("::")[2]
    many = f" ({len(cases)} cases)" if len(cases) > 1 else ""
    promise = _promises(test.partition("::")[0]).get(name, "")
    return f"{promise.removeprefix('Promise: ')} `{name}`{many}".strip()


@cache
def _promises(file: str) -> dict[str, str]:
    """Return the first sentence of the docstring of each test in a file."""
    path = suite_run.location() / file
    if path.suffix != ".py":
        return {}
    promises = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = (ast.get_docstring(node) or "").partition("\n\n")[0]
            promises[node.name] = " ".join(first.split())
    return promises


def _cell(text: str) -> str:
    words = " ".join(text.split())
    quoted = words if len(words) <= WIDTH else words[: WIDTH - 1].rstrip() + "…"
    return quoted.replace("|", "\\|").replace("<", "&lt;")


@click.command()
@checkouts
@programs
@level
@journals
def command(
    *, sources: tuple[Path, ...], pg_bindir: Path | None, level: str, journals: Path | None
) -> None:
    """Put the end of the page in place of the one that is there."""
    before = PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")[0]
    found = survey(sources, level, pg_bindir, journals)
    PAGE.write_text(f"{before.rstrip()}\n\n{found}", encoding="utf-8")


if __name__ == "__main__":
    command()
