"""What the suite's documents show is so: tests pass, options exist, SQL runs, messages are ours."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import psycopg
import pytest

from pggit_chaos import cli, plugin
from pggit_chaos.commands import suite
from pggit_chaos.plugin import fixtures, levels
from servers.fleet import PGTAP, ROOT, Fleet

pytestmark = pytest.mark.one_version

SUITE = ROOT / "tests/chaos"
DOCUMENTS = [SUITE / f"{name}.md" for name in ("README", "TESTING", "PATTERNS", "TROUBLESHOOTING")]
TAP = ".pgtap.sql"


def blocks(document: Path, language: str) -> list[str]:
    fence = rf"^```{language}\n(.*?)^```$"
    return re.findall(fence, document.read_text(), re.MULTILINE | re.DOTALL)


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def _file_name(document: Path, number: int, block: str) -> str:
    suffix = TAP if "SELECT plan(" in block else ".py"
    return f"test_{document.stem.lower()}_{number}{suffix}"


EXAMPLES = {
    _file_name(document, number, block): block
    for document in DOCUMENTS
    for number, block in enumerate([*blocks(document, "python"), *blocks(document, "sql")], 1)
    if "def test_" in block or "SELECT plan(" in block
}
STATEMENTS = [
    pytest.param(block, id=f"{document.stem}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(blocks(document, "sql"), 1)
    if "SELECT plan(" not in block
]


# -- tests ---------------------------------------------------------------


def test_every_example_passes_as_it_stands(
    fleet: Fleet, server_version: str, tmp_path: Path
) -> None:
    """All in one run, with the suite's own configuration."""
    for name in ("pytest.ini", "conftest.py"):
        (tmp_path / name).write_text((SUITE / name).read_text())
    for name, block in EXAMPLES.items():
        (tmp_path / name).write_text(block)
    programs = fleet.programs(server_version).bindir
    done = _pytest(
        *("-p", "no:cacheprovider", "--junit-xml=result.xml", "--chaos-must-fire"),
        *(f"--chaos-pg-bindir={programs}", f"--chaos-extension-dir={PGTAP}"),
        directory=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = list(ET.parse(tmp_path / "result.xml").iter("testcase"))
    assert {case.get("classname") for case in cases} == {
        name.removesuffix(".py") for name in EXAMPLES
    }
    skipped = [case.get("name") for case in cases if len(case)]
    assert not skipped, done.stdout


def _pytest(*arguments: str, directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT / "driver")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_python_block_is_an_example(document: Path) -> None:
    for block in blocks(document, "python"):
        assert block in EXAMPLES.values(), block


# -- SQL -----------------------------------------------------------------


@pytest.mark.parametrize("statements", STATEMENTS)
def test_a_block_of_sql_runs(
    chaos: object, chaos_connect: Callable[..., psycopg.Connection[Any]], statements: str
) -> None:
    with chaos_connect(autocommit=True) as conn:
        name = f'"{conn.info.dbname}"'
        conn.execute(re.sub(r"(?<=DATABASE )\w+", name, statements).encode())


# -- commands ------------------------------------------------------------

WORDS_BEFORE = {"python", "-m", "python3"}


def commands(document: Path) -> Iterator[list[str]]:
    for block in blocks(document, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and (words[0] in WORDS_BEFORE or re.match(r"\w+=", words[0])):
                words.pop(0)
            if words:
                yield words


COMMANDS = [
    pytest.param(words, id=f"{document.stem}-{number}")
    for document in DOCUMENTS
    for number, words in enumerate(commands(document), 1)
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_exists_with_its_options(words: list[str], tmp_path: Path) -> None:
    program, *arguments = words
    checks = {
        "make": _check_make,
        "pggit-chaos": _check_pggit_chaos,
        "pip": _check_pip,
        "psql": _check_psql,
        "pytest": _check_pytest,
    }
    assert program in checks, f"who is {program}?"
    checks[program](arguments)


def _check_make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for argument in arguments:
        variable, given, _ = argument.partition("=")
        wanted = rf"\$\({variable}\)" if given else rf"^{argument}:"
        assert re.search(wanted, makefile, re.MULTILINE), argument


def _check_pggit_chaos(arguments: list[str]) -> None:
    command = cli.group.get_command(cli.group.make_context("", ["doctor"]), arguments[0])
    assert command is not None, arguments[0]
    known = {option for parameter in command.params for option in parameter.opts}
    assert _options(arguments) <= known


def _check_pip(arguments: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for named in re.findall(r"pggit-chaos\[([\w,]+)\]", " ".join(arguments)):
        assert set(named.split(",")) <= set(extras["optional-dependencies"])


def _check_psql(arguments: list[str]) -> None:
    assert _options(arguments) <= {"-c", "-d", "-X"}


def _check_pytest(arguments: list[str]) -> None:
    assert _options(arguments) <= _pytest_options()
    for option, value in pairwise(arguments):
        if option == "-m":
            assert set(re.findall(r"\w+", value)) - {"and", "or", "not"} <= _markers()
    for argument in arguments:
        if argument.startswith("tests/"):
            path, _, test = argument.partition("::")
            assert (ROOT / path).exists(), path
            for name in test.split("::") if test else []:
                assert re.search(rf"(class|def) {name}\b", (ROOT / path).read_text()), name


def _options(arguments: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in arguments if word.startswith("-")}


@cache
def _pytest_options() -> set[str]:
    """Return what the suite's documents may take for given: ours, xdist's, Hypothesis'."""
    done = _pytest("--help", "-p", "pggit_chaos.plugin", directory=SUITE)
    return {"-k", "-m", "-n", "-p", "-v", "-x"} | set(re.findall(r"--[a-z][a-z-]+", done.stdout))


def _markers() -> set[str]:
    return {re.match(r"\w+", marker)[0] for marker in plugin.MARKERS}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_target_of_make_that_is_spoken_of_exists(document: Path) -> None:
    _check_make(re.findall(r"`make (\w+)`", prose(document)))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_option_that_is_spoken_of_exists(document: Path) -> None:
    known = set(_pytest_options())
    for name in cli.group.list_commands(cli.group.make_context("", ["doctor"])):
        command = cli.group.get_command(cli.group.make_context("", ["doctor"]), name)
        known |= {option for parameter in command.params for option in parameter.opts}
    spoken_of = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose(document)))
    assert spoken_of <= known


# -- what there is -------------------------------------------------------


def test_the_readme_lists_every_fixture_and_every_marker() -> None:
    listed = set(re.findall(r"`(\w+)(?:\([^`]*\))?`", prose(SUITE / "README.md")))
    theirs = {
        name
        for name, value in vars(fixtures).items()
        if type(value).__name__ == "FixtureFunctionDefinition"
    }
    assert theirs - {"chaos_provision"} <= listed
    assert _markers() <= listed


def test_the_readme_tells_what_each_level_is() -> None:
    text = (SUITE / "README.md").read_text()
    for level, profile in levels.LEVELS.items():
        row = re.search(rf"^\| {level} \|.*$", text, re.MULTILINE)
        assert row is not None, level
        assert suite.LEVELS[level] in row[0]
        assert f" {profile['max_examples']} examples" in row[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_every_link_leads_somewhere(document: Path) -> None:
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text()):
        target = document.parent / link if link else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {_anchor(heading) for heading in headings}, anchor


def _anchor(heading: str) -> str:
    """Return what GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# -- messages ------------------------------------------------------------


@cache
def _all_that_we_say() -> str:
    """Return every string of the driver and all of the extension's SQL."""
    said = []
    for path in (ROOT / "driver/pggit_chaos").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                said.append(node.value)
    said += [path.read_text() for path in (ROOT / "sql").rglob("*.sql")]
    return "\n".join(said)


SYMPTOMS = re.findall(r"^### `(.+)`$", DOCUMENTS[-1].read_text(), re.MULTILINE)


def test_there_are_symptoms() -> None:
    assert SYMPTOMS


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_a_symptom_is_something_that_we_say(symptom: str) -> None:
    for part in symptom.split("..."):
        assert part.strip() in _all_that_we_say(), part
