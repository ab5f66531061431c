"""The plugin's options, read in one typed place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["Options", "add"]


def add(parser: pytest.Parser) -> None:
    """Add the options to pytest's command line."""
    group = parser.getgroup("pggit_chaos", "chaos tests of pgGit")
    group.addoption(
        "--chaos-dsn",
        metavar="DSN",
        help="a database that has pgGit; tests run in copies of it on the same server",
    )
    group.addoption(
        "--chaos-pggit-source",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a checkout of pgGit, to be installed into a throwaway server; "
        "default: the reference target",
    )
    group.addoption(
        "--chaos-pg-bindir",
        type=Path,
        metavar="DIR",
        help="the PostgreSQL programs to start throwaway servers with",
    )
    group.addoption(
        "--chaos-extension-dir",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a directory of extension files that throwaway servers shall have, like pgTAP's "
        "(may be repeated)",
    )
    group.addoption(
        "--chaos-sabotage",
        metavar="NAME|all|FILE.sql",
        help="put one bug into the reference target: the tests must notice; all: each in turn, "
        "and a table of who noticed",
    )
    group.addoption(
        "--chaos-null",
        action="store_true",
        help="run against an empty schema pggit: every test must fail",
    )
    group.addoption(
        "--chaos-must-fire",
        action="store_true",
        help="fail a test that armed a fault which never fired",
    )


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose."""

    dsn: str | None = None
    pggit_source: Path | None = None
    pg_bindir: Path | None = None
    extension_dirs: tuple[Path, ...] = ()
    sabotage: str | None = None
    null: bool = False
    must_fire: bool = False

    @property
    def target(self) -> str | None:
        """What was chosen, in words; None where nothing was, which is the reference target."""
        if self.dsn is not None:
            return "copies of the database that --chaos-dsn names"
        if self.pggit_source is not None:
            return f"the pgGit in {self.pggit_source}"
        if self.null:
            return "an empty schema pggit"
        return None if self.sabotage is None else f"the reference target with {self.sabotage}"

    @property
    def reference(self) -> bool:
        """Whether the target is the reference target, spoilt or not."""
        return self.dsn is None and self.pggit_source is None and not self.null

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """Read them; raise UsageError where two of them exclude each other."""
        sources: list[Path] = config.getoption("--chaos-pggit-source")
        chosen = cls(
            dsn=config.getoption("--chaos-dsn"),
            pggit_source=sources[0] if sources else None,
            pg_bindir=config.getoption("--chaos-pg-bindir"),
            extension_dirs=tuple(config.getoption("--chaos-extension-dir")),
            sabotage=config.getoption("--chaos-sabotage"),
            null=config.getoption("--chaos-null"),
            must_fire=config.getoption("--chaos-must-fire"),
        )
        targets = {
            "--chaos-dsn": chosen.dsn is not None,
            "--chaos-pggit-source": bool(sources),
            "--chaos-sabotage": chosen.sabotage is not None,
            "--chaos-null": chosen.null,
        }
        named = [option for option, given in targets.items() if given]
        if len(named) > 1:
            raise pytest.UsageError(f"{' and '.join(named)} exclude each other")
        return chosen
