"""Runs of the suite: pytest in a subprocess, its journal read back."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pggit_chaos.errors import UnavailableError

if TYPE_CHECKING:
    from pggit_chaos.journal import Entry

__all__ = ["SMOKE", "Plan", "Run", "location", "python_path", "require_modules", "run_all"]

SMOKE: Final = "chaos and not slow and not destructive"
PACKAGE: Final = Path(__file__).parent
TEST_TIMEOUT: Final = 30  # seconds; a smoke test that waits for longer waits for ever
# What the extra "suite" brings, by the module that would be imported.
NEEDED: Final = {
    "hypothesis": "hypothesis",
    "psycopg_pool": "psycopg[pool]",
    "pytest": "pytest",
    "pytest_timeout": "pytest-timeout",
    "tenacity": "tenacity",
    "xdist": "pytest-xdist",
}
_PASSED, _FAILED = 0, 1  # pytest's exit statuses for a run that came to its end


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run that is to be: what it is called, and its arguments for pytest.

    By default it is of the suite; ``command`` runs pytest on other tests.
    """

    label: str
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that was: its tests, and how long it took."""

    plan: Plan
    entries: tuple[Entry, ...]
    seconds: float


def require_modules() -> None:
    """Raise UnavailableError where something that the suite imports is not installed."""
    missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise UnavailableError(
            f"the suite needs what is not installed: {', '.join(missing)}",
            hint="pip install 'pggit-chaos[suite]'",
        )


def run_all(plans: Sequence[Plan], *, jobs: int = 1) -> Iterator[tuple[int, Run]]:
    """Run the suite once for each plan, so many at once; yield place and run as they end.

    Whoever stops listening ends those that are under way; their servers go with them.
    """
    processes: set[subprocess.Popen[bytes]] = set()
    with ThreadPoolExecutor(jobs) as pool:
        places = {pool.submit(_run, plan, processes.add): n for n, plan in enumerate(plans)}
        try:
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            for future in places:
                future.cancel()
            for process in processes:
                if process.poll() is None:
                    process.terminate()


def _run(plan: Plan, started: Callable[[subprocess.Popen[bytes]], None]) -> Run:
    from pggit_chaos import journal

    with tempfile.TemporaryDirectory(prefix="pggit-chaos-run-") as name:
        written, said = Path(name, "journal"), Path(name, "output")
        written.touch()
        began = time.monotonic()
        with said.open("wb") as output:
            process = subprocess.Popen(
                # One word: pytest would take the path for one of the tests, and look there.
                [*(plan.command or _command()), *plan.arguments, f"--chaos-journal={written}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": python_path()},
                start_new_session=True,  # Ctrl-C is for us; they are told when to end
            )
            started(process)
            status = process.wait()
        seconds = time.monotonic() - began
        entries = tuple(journal.read(written))
        if status not in (_PASSED, _FAILED) or not entries:
            last = "\n".join(said.read_text(errors="replace").rstrip().splitlines()[-15:])
            raise UnavailableError(
                f"the suite did not run to its end: {plan.label} (pytest's status {status})",
                detail=last or "it said nothing",
            )
    return Run(plan=plan, entries=entries, seconds=seconds)


def _command() -> list[str]:
    suite = location()
    return [
        *(sys.executable, "-m", "pytest", str(suite), "-c", str(suite / "pytest.ini")),
        *("-p", "pggit_chaos.journal", "-p", "no:cacheprovider", "-q", "--tb=short"),
        *("-o", f"timeout={TEST_TIMEOUT}"),
    ]


def location() -> Path:
    """Return where the suite is: in the package, or beside it in a checkout."""
    for place in (PACKAGE / "suite", PACKAGE.parents[1] / "tests/chaos"):
        if (place / "pytest.ini").is_file():
            return place
    raise UnavailableError(
        "the suite is not there", hint="Install pggit-chaos from a wheel, or run it in a checkout."
    )


def python_path() -> str:
    """Have the subprocess import the package that runs it."""
    former = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(PACKAGE.parent), *([former] if former else [])])
