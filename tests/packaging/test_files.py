"""The extension's files are the same whoever makes them: make, the wheel, the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pggit_chaos
from pggit_chaos import _script, extension
from servers.fleet import ROOT, VERSIONS, Fleet

ALLOWED_IN_ROOT = {
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "META.json"),
    *("hatch_build.py", "pyproject.toml", "pggit_chaos.control"),
    *("sql", "driver", "tests", "docs", "benchmarks"),
}


WITHOUT_CHECKOUT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from pggit_chaos import cli
assert cli.__file__.startswith(sys.path[0]), cli.__file__
cli.main()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout to build in: several tests may build at once."""
    target = tmp_path_factory.mktemp("checkout") / "tree"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "__pycache__")
    shutil.copytree(ROOT, target, ignore=ignored)
    return target


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from the checkout by the tools that are here."""
    target = tmp_path_factory.mktemp("wheel")
    _run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target], tree)
    (path,) = target.glob("*.whl")
    return path


def _run(command: list[str | Path], directory: Path) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_checkout_makes_the_files_from_its_parts() -> None:
    files = extension.files()
    script = files[f"pggit_chaos--{extension.version()}.sql"]
    for part in ROOT.glob("sql/[0-9]*/**/*.sql"):
        assert part.read_bytes() in script


def test_parts_are_joined_in_byte_order_of_their_paths(tmp_path: Path) -> None:
    (tmp_path / "pggit_chaos.control").write_text("default_version = '1.2'\n")
    for name in ("10_a/b.sql", "10_a/B.sql", "10_a/b/c.sql", "10_a/b-c.sql", "9_z/a.sql"):
        path = tmp_path / "sql" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n")
    files = _script.build(tmp_path)
    assert files["pggit_chaos--1.2.sql"].decode().split() == [
        *("10_a/B.sql", "10_a/b-c.sql", "10_a/b.sql", "10_a/b/c.sql", "9_z/a.sql"),
    ]


def test_an_upgrade_to_this_version_migrates_tables_and_replaces_code(tmp_path: Path) -> None:
    texts = {
        "pggit_chaos.control": "default_version = '1.2'\n",
        "sql/00_script/begin.sql": "begin\n",
        "sql/20_tables/t.sql": "CREATE TABLE t\n",
        "sql/30_guard/f.sql": "CREATE FUNCTION f\n",
        "sql/upgrades/replace_code.sql": "replace\n",
        "sql/upgrades/pggit_chaos--1.0--1.1.sql": "first\n",
        "sql/upgrades/pggit_chaos--1.1--1.2.sql": "second\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    files = _script.build(tmp_path)
    assert files["pggit_chaos--1.0--1.1.sql"] == b"begin\nreplace\nfirst\n"
    assert files["pggit_chaos--1.1--1.2.sql"] == (
        b"begin\nreplace\nsecond\nCREATE OR REPLACE FUNCTION f\n"
    )


def test_make_makes_the_same_script(tree: Path) -> None:
    _run(["make"], tree)
    made = {path.name: path.read_bytes() for path in (tree / "build/extension").glob("*.sql")}
    assert made == {n: text for n, text in extension.files().items() if n.endswith(".sql")}


@pytest.mark.skipif(shutil.which("pg_config") is None, reason="not applicable: no pg_config")
def test_make_install_puts_the_files_where_pg_config_says(tree: Path, tmp_path: Path) -> None:
    _run(["make", "install", f"DESTDIR={tmp_path}"], tree)
    installed = {path.name: path.read_bytes() for path in tmp_path.rglob("pggit_chaos*")}
    assert installed == extension.files()


def test_the_wheel_carries_the_same_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            Path(name).name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("pggit_chaos/_extension/")
        }
    assert carried == extension.files()


def test_the_wheel_carries_the_reference_target_and_the_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "driver"
    expected = {
        path.relative_to(package).as_posix()
        for pattern in ("*.py", "*.sql", "py.typed")
        for path in package.glob(f"pggit_chaos/**/{pattern}")
    }
    assert expected <= names


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from pggit_chaos import extension, reference\n"
        "assert extension.__file__.startswith(sys.path[0]), extension.__file__\n"
        "print(extension.version(), len(extension.files()), len(reference.scripts()))"
    )
    version, files, scripts = _run([sys.executable, "-c", code], tmp_path).split()
    assert version == extension.version()
    assert int(files) == len(extension.files())
    assert int(scripts) >= 1


def test_the_wheel_carries_the_suite_and_the_plugin(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
        declared = archive.read(entry_points).decode()
    suite = ROOT / "tests/chaos"
    expected = {
        f"pggit_chaos/suite/{path.relative_to(suite).as_posix()}"
        for pattern in ("*.py", "*.ini", "*.md")
        for path in suite.rglob(pattern)
        if ".pytest_cache" not in path.parts  # of a run in the checkout
    }
    assert expected <= names
    assert "[pytest11]\npggit_chaos.plugin = pggit_chaos.plugin\n" in declared


def test_the_suite_runs_from_the_wheel(wheel: Path, tmp_path: Path, fleet: Fleet) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    bindir = fleet.programs(VERSIONS[-1]).bindir
    said = _run(
        [
            *(sys.executable, "-c", WITHOUT_CHECKOUT, tmp_path / "site"),
            *("suite", "--pg-bindir", bindir, "-k", "transaction_example", "--tests"),
        ],
        tmp_path,
    )
    assert "transaction_example" in said


def test_there_is_one_version() -> None:
    meta = json.loads((ROOT / "META.json").read_text())
    assert meta["version"] == extension.version()
    (provided,) = meta["provides"].values()
    assert provided["version"] == extension.version()
    assert provided["file"].endswith(f"pggit_chaos--{extension.version()}.sql")


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)[0] == "Unreleased"


def test_the_root_holds_what_it_is_meant_to() -> None:
    entries = {line.split("/")[0] for line in _run(["git", "ls-files"], ROOT).splitlines()}
    assert {entry for entry in entries if not entry.startswith(".")} <= ALLOWED_IN_ROOT


def test_what_the_package_names_is_there_and_sorted() -> None:
    names = pggit_chaos.__all__
    assert names == sorted(names)
    assert all(getattr(pggit_chaos, name) for name in names)
    with pytest.raises(AttributeError):
        _ = pggit_chaos.no_such_name


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, pggit_chaos; print([m for m in ('psycopg', 'rich') if m in sys.modules])"
    assert _run([sys.executable, "-c", code], ROOT).strip() == "[]"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "driver/pggit_chaos").rglob("*.py")), ids=lambda path: path.name
)
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
