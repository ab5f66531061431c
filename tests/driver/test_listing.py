"""One listing in every format."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from pggit_chaos.listing import DOCUMENT_VERSION, FORMATS, Listing, Record, write

COLUMNS = ("name", "good", "parts", "took", "nothing")
LISTING = Listing(
    name="things",
    title="Things: all",
    columns=COLUMNS,
    records=[
        Record(
            name="a|b [red]",
            values=dict(
                zip(
                    COLUMNS,
                    ("a|b [red]", True, ["x", "y"], timedelta(seconds=0.25), None),
                    strict=True,
                )
            ),
        ),
        Record(
            name="<c>\x00",
            values=dict(zip(COLUMNS, ("<c>\x00", False, [], timedelta(0), None), strict=True)),
            failure='it is "bad"\x01',
        ),
    ],
)


def _written(format_name: str, *listings: Listing) -> str:
    file = io.StringIO()
    write(listings or [LISTING], format_name, file)
    return file.getvalue()


def test_json_has_a_version_and_rows_with_their_own_types() -> None:
    document = json.loads(_written("json"))
    assert document["version"] == DOCUMENT_VERSION
    first, second = document["things"]
    assert first == {
        "name": "a|b [red]",
        "good": True,
        "parts": ["x", "y"],
        "took": 0.25,
        "nothing": None,
        "failure": None,
    }
    assert second["good"] is False
    assert second["failure"] == 'it is "bad"\x01'


def test_json_has_each_listing_by_its_name() -> None:
    other = replace(LISTING, name="others", target="a database")
    document = json.loads(_written("json", LISTING, other))
    assert list(document) == ["version", "program", "target", "things", "others"]
    assert document["target"] == "a database"


def test_junit_counts_and_tells_failures() -> None:
    suite = ET.fromstring(_written("junit"))[0]
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("things", "2", "1")
    good, bad = suite
    assert good.find("failure") is None
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == 'it is "bad"'
    assert "good: no" in (failure.text or "")


def test_markdown_escapes_what_would_break_its_table() -> None:
    lines = _written("markdown").splitlines()
    assert lines[0] == "### Things: all"
    assert "a\\|b [red]" in lines[4]
    assert lines[4].endswith("| yes | x, y | 250 ms | - |")


def test_a_table_has_each_row_on_one_line_and_takes_values_as_they_are() -> None:
    text = _written("table")
    (line,) = [line for line in text.splitlines() if "a|b" in line]
    assert "[red]" in line
    assert "yes" in line
    assert "\x1b" not in text


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_list_of_nothing_can_be_written(format_name: str) -> None:
    empty = Listing(name="none", title="None", columns=("a",), records=[])
    assert _written(format_name, empty)
