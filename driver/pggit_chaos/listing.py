"""What commands list, in each format that they can list it in."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any, Final

from pggit_chaos import extension

__all__ = ["DOCUMENT_VERSION", "FORMATS", "Listing", "Record", "as_document", "plain", "write"]

FORMATS: Final = ("table", "json", "junit", "markdown")
DOCUMENT_VERSION: Final = 1  # goes up when a consumer of the JSON would have to change
UNBROKEN = 10_000  # columns; whoever reads a file or a pipe does not want lines broken


@dataclass(frozen=True, kw_only=True)
class Record:
    """One row: its name, its values by column, and what is wrong with it, if anything."""

    name: str
    values: Mapping[str, Any]
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A titled list of records that have the same columns; ``target`` is what they are about."""

    name: str
    title: str
    columns: Sequence[str]
    records: Sequence[Record]
    target: str | None = None

    @property
    def failures(self) -> int:
        """How many records have something wrong with them."""
        return sum(record.failure is not None for record in self.records)


def write(listings: Sequence[Listing], format_name: str, file: IO[str] | None = None) -> None:
    """Write listings to ``file``, by default stdout.

    Whoever closes the pipe before its end has read enough: that is no error.
    """
    writers = {"table": _table, "json": _json, "junit": _junit, "markdown": _markdown}
    target = file or sys.stdout
    try:
        writers[format_name](listings, target)
        target.flush()
    except BrokenPipeError:
        # Python would flush again at exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())


def _table(listings: Sequence[Listing], file: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Rich ends the process at a broken pipe, so it only gets to write to memory.
    text = io.StringIO()
    width = shutil.get_terminal_size().columns if file.isatty() else UNBROKEN
    console = Console(file=text, force_terminal=file.isatty(), width=width, highlight=False)
    for listing in listings:
        table = Table(title=listing.title, title_justify="left")
        for column in listing.columns:
            table.add_column(column)
        for record in listing.records:
            style = "red" if record.failure is not None else None
            cells = [Text(plain(record.values[column])) for column in listing.columns]
            table.add_row(*cells, style=style)
        console.print(table)
    file.write(text.getvalue())


def _json(listings: Sequence[Listing], file: IO[str]) -> None:
    json.dump(as_document(listings), file, indent=2, ensure_ascii=False)
    file.write("\n")


def as_document(listings: Sequence[Listing]) -> dict[str, Any]:
    """Return listings as the JSON document that docs/reference/output.schema.json describes."""
    return {
        "version": DOCUMENT_VERSION,
        "program": f"pggit-chaos {extension.version()}",
        "target": next((each.target for each in listings if each.target is not None), None),
        **{each.name: [_row(each.columns, record) for record in each.records] for each in listings},
    }


def _row(columns: Sequence[str], record: Record) -> dict[str, Any]:
    values = {column: _jsonable(record.values[column]) for column in columns}
    return {**values, "failure": record.failure}


def _junit(listings: Sequence[Listing], file: IO[str]) -> None:
    from xml.etree import ElementTree as ET

    suites = ET.Element("testsuites")
    for listing in listings:
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=listing.name,
            tests=str(len(listing.records)),
            failures=str(listing.failures),
        )
        for record in listing.records:
            case = ET.SubElement(suite, "testcase", classname=listing.name, name=_xml(record.name))
            if record.failure is not None:
                failure = ET.SubElement(case, "failure", message=_xml(record.failure))
                failure.text = _xml(
                    "\n".join(f"{key}: {plain(value)}" for key, value in record.values.items())
                )
    ET.indent(suites)
    file.write(ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n")


def _markdown(listings: Sequence[Listing], file: IO[str]) -> None:
    for number, listing in enumerate(listings):
        heading = "\n" if number else ""
        file.write(f"{heading}### {listing.title}\n\n")
        file.write(_markdown_row(listing.columns))
        file.write(_markdown_row(["---"] * len(listing.columns)))
        for record in listing.records:
            file.write(_markdown_row([plain(record.values[c]) for c in listing.columns]))


def _markdown_row(cells: Sequence[str]) -> str:
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return "| " + " | ".join(" ".join(cell.split()) for cell in escaped) + " |\n"


def plain(value: Any) -> str:
    """Return a value as people read it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, timedelta):
        return f"{value.total_seconds() * 1000:.0f} ms"
    return str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, bool | int | float | str | list | tuple):
        return value
    return str(value)


def _xml(text: str) -> str:
    """Leave out what XML 1.0 has no way to say."""
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 0x20 and c not in "\ufffe\uffff"))
