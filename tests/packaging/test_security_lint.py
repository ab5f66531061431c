"""pgspot, the linter for extension scripts, has nothing to say of ours."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pggit_chaos import extension

# pgspot knows no ATOMIC bodies (0.9.4 stops at one).  PostgreSQL binds the names
# in them at creation, under the script's own search_path: that is what they are
# turned into, so that pgspot reads the rest of them.
ATOMIC = re.compile(r"^(?:BEGIN ATOMIC\n(?P<body>.*?)\nEND|RETURN (?P<value>.*?));$", re.M | re.S)
SUMMARY = "Errors: 0 Warnings: 0 Unknown: 0"

# The hit path runs as whoever calls pgGit, at each hit: a SET clause would cost more
# than all the rest of it.  It qualifies every name and operator instead.
QUALIFIED = (
    "_before_write_hook()",
    "_before_delete_hook()",
    "_after_hook()",
    "_commit_hook()",
    "_hit_armed(failpoint text)",
)


def script():
    return extension.files()[f"pggit_chaos--{extension.version()}.sql"].decode()


def quoted(match):
    body = match["body"] or f"SELECT {match['value']}"
    return f"SET search_path = pg_catalog, pg_temp\nAS $atomic${body}$atomic$;"


def pgspot(path: Path) -> str:
    program = Path(sys.executable).parent / "pgspot"
    exceptions = [
        word for name in QUALIFIED for word in ("--proc-without-search-path", f"extschema.{name}")
    ]
    result = subprocess.run(
        [program, *exceptions, path], capture_output=True, text=True, check=False
    )
    return result.stdout + result.stderr


def test_pgspot_has_nothing_to_say(tmp_path):
    text, rewritten = ATOMIC.subn(quoted, script())
    assert rewritten == len(re.findall(r"^(?:BEGIN ATOMIC|RETURN )", script(), re.M)) > 0
    (tmp_path / "script.sql").write_text(text)
    assert pgspot(tmp_path / "script.sql").strip() == SUMMARY


@pytest.mark.parametrize(
    "unsafe",
    [
        "CREATE FUNCTION pggit_chaos.f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE FUNCTION pggit_chaos.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
    ],
)
def test_pgspot_reads_to_the_end(tmp_path, unsafe):
    (tmp_path / "script.sql").write_text(ATOMIC.sub(quoted, script()) + unsafe)
    assert SUMMARY not in pgspot(tmp_path / "script.sql")
