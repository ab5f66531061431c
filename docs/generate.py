"""Write docs/reference from COMMENT ON, --help and the headers of the sabotages.

Run it as ``python docs/generate.py``; a test fails while the pages are out of date.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import click
import psycopg

from pggit_chaos import cli, extension, sabotage
from pggit_chaos.cluster import Cluster

REFERENCE = Path(__file__).parent / "reference"

_FUNCTIONS = """
    SELECT p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
           obj_description(p.oid, 'pg_proc')
      FROM pg_proc AS p
     WHERE p.pronamespace = 'pggit_chaos'::regnamespace AND p.proname !~ '^_'
     ORDER BY p.proname
"""
_VIEWS = """
    SELECT c.relname,
           string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
                      ORDER BY a.attnum),
           obj_description(c.oid, 'pg_class')
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
     WHERE c.relnamespace = 'pggit_chaos'::regnamespace AND c.relkind = 'v'
     GROUP BY c.oid, c.relname ORDER BY c.relname
"""
_KINDS = (
    "SELECT category, kind, summary, detected_by FROM pggit_chaos.corruption_kind ORDER BY 1, 2"
)
_CHECKS = (
    "SELECT category, check_id, severity, summary FROM pggit_chaos.integrity_check ORDER BY 1, 2"
)


def sql_page(conn: psycopg.Connection[Any]) -> str:
    """Return the SQL reference."""
    lines = [
        "# SQL reference",
        "",
        "Generated from the extension's own comments.",
        "",
        "## Functions",
    ]
    for name, arguments, result, comment in conn.execute(_FUNCTIONS):
        lines += ["", f"### {name}", "", "```", f"{name}({arguments})", f"    -> {result}", "```"]
        lines += ["", comment]
    lines += ["", "## Views"]
    for name, columns, comment in conn.execute(_VIEWS):
        lines += ["", f"### {name}", "", comment, "", f"Columns: {columns}."]
    lines += [
        "",
        "## Kinds of corruption",
        "",
        "| category | kind | is | found by |",
        "|---|---|---|---|",
    ]
    for category, kind, summary, checks in conn.execute(_KINDS):
        lines.append(
            f"| {category} | `{kind}` | {summary} | {', '.join(f'`{c}`' for c in checks)} |"
        )
    lines += [
        "",
        "## Checks",
        "",
        "| category | check | severity | holds where |",
        "|---|---|---|---|",
    ]
    for category, check, severity, summary in conn.execute(_CHECKS):
        lines.append(f"| {category} | `{check}` | {severity} | {summary} |")
    return "\n".join(lines) + "\n"


def command_page() -> str:
    """Return the reference of the command line."""
    group = cli.group
    context = click.Context(group, info_name="pggit-chaos", max_content_width=96, terminal_width=96)
    parts = ["# Command line", "", "Generated from `--help`.", "", _fenced(group.get_help(context))]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(
            command, info_name=name, parent=context, max_content_width=96, terminal_width=96
        )
        parts += ["", f"## {name}", "", _fenced(command.get_help(inner))]
    return "\n".join(parts) + "\n"


def sabotage_page() -> str:
    """Return the list of sabotages."""
    lines = [
        "# Sabotages",
        "",
        "Generated from the headers of the files. A sabotage is the reference target with",
        "one bug put in; a suite of tests has to notice it, by a test of its category.",
        "[How to measure a suite](../how-to/measure-a-suite.md) says how to run them.",
        "",
        "| category | sabotage | is |",
        "|---|---|---|",
    ]
    for bug in sabotage.all():
        lines.append(f"| {bug.category} | `{bug.name}` | {bug.summary} |")
    return "\n".join(lines) + "\n"


def _fenced(text: str) -> str:
    return f"```text\n{textwrap.dedent(text).rstrip()}\n```"


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    with Cluster() as cluster, cluster.connect(autocommit=True) as conn:
        extension.install(conn)
        return {
            REFERENCE / "sql.md": sql_page(conn),
            REFERENCE / "command-line.md": command_page(),
            REFERENCE / "sabotages.md": sabotage_page(),
        }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
