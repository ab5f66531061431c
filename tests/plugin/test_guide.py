"""The guide's tests are tests: they pass on the reference target, and not against nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from servers.fleet import ROOT

pytestmark = pytest.mark.one_version

Run = Callable[..., pytest.RunResult]

GUIDE = (ROOT / "docs/how-to/run-the-suite.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return block


@pytest.mark.parametrize(("options", "passed"), [((), 2), (("--chaos-null",), 0)])
def test_the_guides_tests_pass_where_there_is_a_pggit(
    pytester: pytest.Pytester,
    chaos_run: Run,
    pgtap_directory: str,
    options: tuple[str, ...],
    passed: int,
) -> None:
    (pytester.path / "guide.pgtap.sql").write_text(_block("sql"), encoding="utf-8")
    extensions = f"--chaos-extension-dir={pgtap_directory}"
    options = (extensions, "-m", "chaos and transaction", "--chaos-must-fire", *options)
    result = chaos_run(_block("python"), *options)
    result.assert_outcomes(passed=passed, failed=2 - passed)
