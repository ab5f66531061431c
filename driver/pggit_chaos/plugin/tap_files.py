"""Collects ``*.pgtap.sql``: a test each, in a pristine database that has pgTAP.

Such a file is a Python module with one test to pytest, so fixtures, marks and
whatever else pytest knows holds for it, too.  The first lines may say::

    -- markers: chaos corruption
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pggit_chaos.plugin import provision

SUFFIX = ".pgtap.sql"
_MARKERS = re.compile(r"^--\s*markers:(?P<names>.*)$", re.MULTILINE)
_HEAD = 1000  # bytes in which the markers must stand


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a pgTAP file."""
    if not file_path.name.endswith(SUFFIX):
        return None
    file: TapFile = TapFile.from_parent(parent, path=file_path)
    return file


class TapFile(pytest.Module):
    """A pgTAP file."""

    def _getobj(self) -> ModuleType:
        """Return what pytest takes for the module: it is made up, and nothing is imported."""
        module = ModuleType(self.path.name)

        def test_pgtap(tap_database: str) -> None:
            _run(self.path, tap_database)

        module.test_pgtap = test_pgtap  # type: ignore[attr-defined]
        module.pytestmark = list(_marks(self.path))  # type: ignore[attr-defined]
        return module


def _run(path: Path, conninfo: str) -> None:
    from pggit_chaos.plugin import tap

    report = tap.run(path, conninfo)
    if report.failures:
        pytest.fail("\n".join([*report.failures, "", "all of it:", *report.lines]), pytrace=False)
    if report.skipped is not None:
        pytest.skip(report.skipped)


def _marks(path: Path) -> Iterator[pytest.MarkDecorator]:
    with path.open("rb") as file:
        head = file.read(_HEAD).decode(errors="replace")
    for line in _MARKERS.finditer(head):
        for name in line["names"].split():
            yield getattr(pytest.mark, name)


@pytest.fixture
def tap_database(chaos_database: str) -> str:
    """The conninfo of this test's own pristine database, which has pgTAP on its search_path."""
    from psycopg.conninfo import make_conninfo

    options = f"-c search_path=public,{provision.TAP_SCHEMA} -c client_min_messages=warning"
    return make_conninfo(chaos_database, options=options)
