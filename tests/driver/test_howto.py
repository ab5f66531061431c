"""Every block of the guides and of the tutorial does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pggit_chaos.cluster import Cluster
from servers.fleet import ROOT, Fleet

pytestmark = pytest.mark.one_version

# Their blocks sweep, drill or hunt a whole pgGit.
SLOW = {
    "check-a-database",
    "measure-a-suite",
    "run-it-in-ci",
    "stop-a-commit-in-its-middle",
    "sweep-a-pggit",
}
GUIDES = sorted([*ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/tutorial/*.md")])


def _blocks(guide: Path, language: str) -> list[str]:
    text = guide.read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def environment(
    cluster: Cluster, fleet: Fleet, server_version: str, bare_database: str, tmp_path: Path
) -> dict[str, str]:
    """What the guides take for given: a checkout, a database, programs on PATH."""
    sql = tmp_path / "pgGit/sql"
    sql.mkdir(parents=True)
    parts = sorted((ROOT / "driver/pggit_chaos/reference").glob("**/*.sql"))
    (sql / "install.sql").write_text("".join(f"\\i {part}\n" for part in parts))
    with cluster.connect(bare_database) as conn:
        for part in parts:
            conn.execute(part.read_bytes())
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DSN": cluster.dsn(bare_database),
        "PGDATABASE": bare_database,
        "PGGIT": str(tmp_path / "pgGit"),
        "BINDIR": str(fleet.programs(server_version).bindir),
    }


@pytest.mark.parametrize(
    "guide",
    [
        pytest.param(guide, id=guide.stem, marks=[pytest.mark.slow] if guide.stem in SLOW else [])
        for guide in GUIDES
    ],
)
def test_the_shell_blocks_of_a_guide_run_in_their_order(
    guide: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    _run(
        ["bash", "-euxo", "pipefail", "-c", "\n".join(_blocks(guide, "sh"))], tmp_path, environment
    )


@pytest.mark.parametrize(
    ("guide", "code"),
    [
        pytest.param(guide, code, id=f"{guide.stem}-{number}")
        for guide in GUIDES
        for number, code in enumerate(_blocks(guide, "python"), 1)
    ],
)
def test_a_python_block_runs_on_its_own(guide: Path, code: str, tmp_path: Path) -> None:
    """On its own but for what the guide has a name for: blocks that begin with ``# NAME.py``."""
    for block in _blocks(guide, "python"):
        if named := re.match(r"# (\w+\.py)\n", block):
            (tmp_path / named[1]).write_text(block)
    _run([sys.executable, "-c", code], tmp_path)


def _run(command: list[str], directory: Path, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
