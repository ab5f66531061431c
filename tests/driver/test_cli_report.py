"""Reports: one file that needs no other, and says what the JSON says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from command_line import CLEAN, COULD_NOT_RUN, FINDINGS, USAGE, run, words
from pggit_chaos.cluster import Cluster
from pggit_chaos.rows import OUTCOMES
from pggit_chaos.target import Target

pytestmark = pytest.mark.one_version

EVIL = "<script>alert('x')</script> & \"quoted\" | {{ 7 * 7 }}"
DOCUMENT = {
    "version": 1,
    "program": "pggit-chaos 0",
    "target": EVIL,
    "drills": [
        {"kind": "one", "detected": True, "detected_by": ["a", "b"], "failure": None},
        {"kind": "two", "detected": False, "detected_by": [], "failure": EVIL},
        {"kind": EVIL, "detected": None, "detected_by": None, "failure": None},
    ],
    "sweeps": [
        {
            "operation": "commit",
            "hits": 4,
            **dict.fromkeys(OUTCOMES, 0),
            "surfaced": 6,
            "torn": 2,
            "note": None,
            "failure": "2 torn",
        }
    ],
    "of_another_version": [{"thing": 1, "failure": None}],
}


class _Page(HTMLParser):
    """What is in a page: its tags, their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


@pytest.fixture
def html(source: Path, tmp_path: Path) -> str:
    target = tmp_path / "report.html"
    done = run("report", source, "--output", target, "--title", "A & B")
    assert (done.returncode, done.stdout) == (CLEAN, "")
    return target.read_text()


def test_the_page_needs_no_other_file(html: str) -> None:
    page = _Page(html)
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"} == set()
    assert [a for _, attributes in page.tags for a in attributes if a in {"src", "href"}] == []
    assert "url(" not in html
    assert "@import" not in html


def test_what_a_document_says_is_text_and_no_markup(html: str) -> None:
    assert "<script" not in html
    assert "49" not in "".join(_Page(html).said).replace("{{ 7 * 7 }}", "")
    assert EVIL in _Page(html).said
    assert "A & B" in _Page(html).said


def test_what_is_wrong_is_counted_and_comes_first(html: str) -> None:
    said = " ".join(_Page(html).said)
    assert "2 things wrong." in said
    assert "Corruption drills: 1 wrong of 3" in said
    assert said.index("two") < said.index("one")


def test_charts_are_well_formed_and_their_bars_fill_the_whole(html: str) -> None:
    charts = [ET.fromstring(svg) for svg in re.findall(r"<svg role=.*?</svg>", html, re.S)]
    assert len(charts) == 2
    for chart in charts:
        for bar in chart.iter("{http://www.w3.org/2000/svg}g"):
            whole, *parts = bar.iter("{http://www.w3.org/2000/svg}rect")
            total = sum(float(part.get("width", 0)) for part in parts)
            assert total == pytest.approx(float(whole.get("width", 0)), abs=0.1)
    titles = [title.text for title in charts[1].iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["commit: 6 surfaced, 2 torn"]


def test_every_outcome_has_a_colour(html: str) -> None:
    for outcome in OUTCOMES:
        assert re.search(rf"\.{outcome}\b[^{{}}]*\{{ *fill:", html), outcome


def test_markdown_says_the_same(source: Path) -> None:
    lines = run("report", source, "--format", "markdown").stdout.splitlines()
    assert lines[0] == "# pgGit under chaos"
    assert any("| Corruption drills | 1 | 3 | result.json |" in line for line in lines)
    assert any(line.startswith("| two | no |") for line in lines)


def test_an_empty_list_is_nothing_wrong(tmp_path: Path) -> None:
    path = tmp_path / "clean.json"
    path.write_text(json.dumps({**DOCUMENT, "drills": [], "sweeps": [], "target": None}))
    for format_name, expected in (("html", "Nothing is wrong."), ("markdown", "no target")):
        assert expected in run("report", path, "--format", format_name).stdout


def test_a_real_run_can_be_reported_through_a_pipe(cluster: Cluster, database: str) -> None:
    with cluster.connect(database, autocommit=True) as conn:
        Target(conn).furnish(steps=20)
        conn.execute("SELECT pggit_chaos.corrupt('commit_parent_dangling')")
    found = run("fsck", "--dsn", cluster.dsn(database), "--format", "json")
    assert found.returncode == FINDINGS
    done = subprocess.run(
        words("report", "-"), input=found.stdout, capture_output=True, text=True, check=False
    )
    assert done.returncode == CLEAN, done.stderr
    message = json.loads(found.stdout)["findings"][0]["message"]
    assert message in "".join(_Page(done.stdout).said)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({**DOCUMENT, "version": 2}), '{"version": 1}']
)
def test_what_is_no_result_is_a_usage_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    done = run("report", path)
    assert done.returncode == USAGE
    assert "--format json" in done.stderr


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    done = run("report", tmp_path / "none.json")
    assert done.returncode == USAGE
    assert "none.json" in done.stderr


def test_without_jinja2_markdown_is_still_there(source: Path) -> None:
    code = "import sys; sys.modules['jinja2'] = None; from pggit_chaos.cli import main; main()"

    def without_jinja2(*arguments: str) -> Any:
        command = [sys.executable, "-c", code, "report", str(source), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    html = without_jinja2()
    assert html.returncode == COULD_NOT_RUN
    assert "pip install 'pggit-chaos[report]'" in html.stderr
    assert without_jinja2("--format", "markdown").returncode == CLEAN
