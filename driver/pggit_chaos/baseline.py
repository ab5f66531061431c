"""The findings that were there on a day, kept in a file: only what is new since then fails.

A finding is the same as long as its check and its row are: what a message says
about a row may change with every commit.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pggit_chaos import extension
from pggit_chaos.errors import UsageError
from pggit_chaos.inspection import Inspection
from pggit_chaos.rows import Finding

__all__ = ["VERSION", "Comparison", "Known", "compare", "read", "write"]

VERSION: Final = 1  # of the form that docs/reference/baseline.schema.json describes
KIND: Final = "pggit-chaos baseline"


@dataclass(frozen=True, kw_only=True)
class Known:
    """One finding of a baseline."""

    check_id: str
    row_identity: str
    message: str

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding as another."""
        return self.check_id, self.row_identity


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is new since a baseline, what is as it was, and what is gone."""

    new: Sequence[Finding]
    known: Sequence[Finding]
    gone: Sequence[Known]


def compare(baseline: Iterable[Known], inspection: Inspection) -> Comparison:
    """Compare an inspection with a baseline; gone is only what was looked for."""
    expected = {each.key: each for each in baseline}
    found = {(each.check_id, each.row_identity) for each in inspection.findings}
    new: list[Finding] = []
    known: list[Finding] = []
    for finding in inspection.findings:
        is_known = (finding.check_id, finding.row_identity) in expected
        (known if is_known else new).append(finding)
    return Comparison(
        new=new,
        known=known,
        gone=[
            each
            for key, each in expected.items()
            if key not in found and each.check_id in inspection.ran
        ],
    )


def read(path: Path) -> list[Known]:
    """Read a baseline; raises UsageError for a file that is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return _findings(document)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f'"{path}" is no baseline of pggit-chaos: {error}',
            hint=f"Write one: pggit-chaos fsck --write-baseline {path}",
        ) from error


def write(path: Path, findings: Sequence[Finding], *, target: str) -> None:
    """Write a baseline; the file that was there stays whole until the new one is."""
    document = {
        "kind": KIND,
        "version": VERSION,
        "program": f"pggit-chaos {extension.version()}",
        "target": target,
        "written_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "findings": [
            {
                "check_id": finding.check_id,
                "row_identity": finding.row_identity,
                "message": finding.message,
            }
            for finding in findings
        ],
    }
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _findings(document: Any) -> list[Known]:
    if document["kind"] != KIND:
        raise ValueError(f'its kind is "{document["kind"]}"')
    if document["version"] != VERSION:
        raise ValueError(f"its version is {document['version']}, not {VERSION}")
    return [
        Known(
            check_id=str(each["check_id"]),
            row_identity=str(each["row_identity"]),
            message=str(each["message"]),
        )
        for each in document["findings"]
    ]


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
