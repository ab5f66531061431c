"""One page out of what commands wrote as JSON: HTML that needs no other file, or Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from pggit_chaos import extension, listing
from pggit_chaos.errors import UnavailableError, UsageError
from pggit_chaos.rows import OUTCOMES

__all__ = ["Bar", "Document", "Section", "as_html", "as_markdown", "read"]

TEMPLATE: Final = "report.html.jinja"
TITLES: Final = {
    "findings": "Findings of fsck",
    "gone": "Gone since the baseline",
    "drills": "Corruption drills",
    "pairs": "Corruption drills in pairs",
    "physical": "Drills of damaged files",
    "sweeps": "Sweeps",
    "hits": "Sweeps, hit by hit",
    "bugs": "Bugs",
}


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a bar, in percent of its width."""

    what: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A line of a chart: its name, and how the whole is divided."""

    name: str
    segments: Sequence[Segment]

    @property
    def said(self) -> str:
        """The same in words."""
        return ", ".join(f"{each.count} {each.what}" for each in self.segments) or "nothing"


@dataclass(frozen=True, kw_only=True)
class Section:
    """One list of a document; what is wrong in it comes first."""

    name: str
    columns: Sequence[str]
    bad: Sequence[Mapping[str, Any]]
    good: Sequence[Mapping[str, Any]]

    @property
    def title(self) -> str:
        """Its heading."""
        return TITLES.get(self.name, self.name.capitalize())

    @property
    def bar(self) -> Bar:
        """How much of it is wrong."""
        return _bar(self.title, {"wrong": len(self.bad), "as it should be": len(self.good)})

    @property
    def bars(self) -> list[Bar]:
        """The chart of sweeps: how often each operation came to each outcome."""
        if self.name != "sweeps":
            return []
        return [
            _bar(str(row["operation"]), {each: int(row.get(each) or 0) for each in OUTCOMES})
            for row in (*self.bad, *self.good)
        ]


@dataclass(frozen=True, kw_only=True)
class Document:
    """What one command wrote about one target."""

    source: str
    target: str
    program: str
    sections: Sequence[Section]


def read(file: IO[str], source: str) -> Document:
    """Read one JSON document of ours; raises UsageError for what is none."""
    try:
        return _document(json.load(file), source)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f'"{source}" is not what a command wrote with --format json: {error}',
            hint="pggit-chaos fsck --format json > fsck.json; pggit-chaos report fsck.json",
        ) from error


def as_html(documents: Sequence[Document], title: str) -> str:
    """Return the page; whatever a document says is text in it, and no markup."""
    try:
        import jinja2
    except ImportError as error:
        raise UnavailableError(
            "a report in HTML needs jinja2, which is not here",
            hint="pip install 'pggit-chaos[report]', or --format markdown",
        ) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = listing.plain
    template = environment.get_template(TEMPLATE)
    return template.render(
        title=title,
        documents=documents,
        outcomes=OUTCOMES,
        program=f"pggit-chaos {extension.version()}",
    )


def as_markdown(documents: Sequence[Document], title: str, file: IO[str]) -> None:
    """Write the page as Markdown."""
    file.write(f"# {title}\n\n")
    listing.write([_summary(documents)], "markdown", file)
    listings = [
        listing.Listing(
            name=section.name,
            title=f"{section.title}: {document.target}",
            columns=[*section.columns, "failure"],
            records=[listing.Record(name="", values=row) for row in (*section.bad, *section.good)],
        )
        for document in documents
        for section in document.sections
        if section.bad or section.good
    ]
    if listings:
        file.write("\n")
        listing.write(listings, "markdown", file)


def _summary(documents: Iterable[Document]) -> listing.Listing:
    return listing.Listing(
        name="summary",
        title="Summary",
        columns=("target", "list", "wrong", "of", "source"),
        records=[
            listing.Record(
                name=section.name,
                values={
                    "target": document.target,
                    "list": section.title,
                    "wrong": len(section.bad),
                    "of": len(section.bad) + len(section.good),
                    "source": document.source,
                },
            )
            for document in documents
            for section in document.sections
        ],
    )


def _document(document: Any, source: str) -> Document:
    if document["version"] != listing.DOCUMENT_VERSION:
        raise ValueError(f"its version is {document['version']}")
    return Document(
        source=source,
        target=str(document["target"] or "no target"),
        program=str(document["program"]),
        sections=list(_sections(document)),
    )


def _sections(document: Mapping[str, Any]) -> Iterator[Section]:
    for name, rows in document.items():
        if not isinstance(rows, list):
            continue
        columns = dict.fromkeys(column for row in rows for column in row)
        columns.pop("failure", None)
        whole = [{**dict.fromkeys(columns), "failure": None, **row} for row in rows]
        yield Section(
            name=name,
            columns=list(columns),
            bad=[row for row in whole if row["failure"] is not None],
            good=[row for row in whole if row["failure"] is None],
        )


def _bar(name: str, counts: Mapping[str, int]) -> Bar:
    total = sum(counts.values())
    segments = []
    start = 0.0
    for what, count in counts.items():
        if count:
            width = 100 * count / total
            segments.append(Segment(what=what, count=count, start=start, width=width))
            start += width
    return Bar(name=name, segments=segments)
