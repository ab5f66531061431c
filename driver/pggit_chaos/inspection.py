"""One run of fsck: by the extension's function, or read-only where nothing of ours is installed.

A check is a query, so it needs nothing but a connection.  The queries are taken
from the extension's own script: there is no second copy that could say something
else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pggit_chaos import extension
from pggit_chaos.errors import (
    ChaosError,
    NotApplicableError,
    NotInstalledError,
    PrivilegeError,
    UsageError,
    translate,
    translated,
)
from pggit_chaos.rows import Finding

if TYPE_CHECKING:
    import psycopg

    from pggit_chaos.chaos import Chaos

__all__ = ["SETTINGS", "SEVERITIES", "Inspection", "run", "run_read_only", "sound_findings"]

SEVERITIES: Final = ("info", "warning", "error")

# An SQL script's tokens, as far as they can hide a semicolon.
_TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|(\$\w*\$).*?\1|;", re.DOTALL)
_INSERT = r"\s*INSERT INTO @extschema@\.{table}\s*\(([^)]*)\)\s*VALUES\s*(.*)"
_BEGIN = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_SCHEMAS = """
SELECT FROM pg_catalog.pg_namespace AS n
 WHERE n.nspname ~ '^pggit(_|$)'
   AND n.nspname NOT IN ('pggit_chaos', 'pggit_base', 'pggit_branches')
"""
# Those of the function that runs the checks in fsck(); a test compares them.
SETTINGS: Final = (
    "search_path = pg_catalog, pg_temp",
    "row_security = off",
    "datestyle = 'ISO, YMD'",
    "intervalstyle = postgres",
    "timezone = 'UTC'",
    "extra_float_digits = 1",
    "quote_all_identifiers = off",
    "jit = off",
    "enable_nestloop = off",
)
# What the function _has() answers, of whom there is none here.
_CHECKS = """
SELECT c.check_id, c.severity, c.relation, c.requires::text[], c.action, c.query, c.compares,
       c.check_id IN (SELECT r.check_id FROM ({repairs}) AS r) AS repairable,
       (SELECT COALESCE(bool_and(EXISTS (
                   SELECT FROM pg_catalog.pg_class AS k
                     JOIN pg_catalog.pg_namespace AS n ON n.oid = k.relnamespace
                    WHERE n.nspname = split_part(r.name, '.', 1)
                      AND k.relname = split_part(r.name, '.', 2)
                      AND (split_part(r.name, '.', 3) = ''
                           OR EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                                       WHERE a.attrelid = k.oid
                                         AND a.attname = split_part(r.name, '.', 3)
                                         AND a.attnum > 0
                                         AND NOT a.attisdropped)))), true)
          FROM unnest(c.requires::text[]) AS r(name)) AS applies
  FROM ({checks}) AS c
 ORDER BY c.check_id COLLATE "C"
"""
_RECORDED = """
SELECT s.subject
  FROM unnest(%s::text[]) AS s(subject)
 WHERE EXISTS (SELECT FROM pggit_chaos._recorded_digest AS d WHERE d.subject = s.subject)
"""
_ACCEPTED = "SELECT pg_catalog.to_regclass('pggit_chaos._accepted_finding') IS NOT NULL"
_UNACCEPTED = """
WHERE NOT EXISTS (SELECT FROM pggit_chaos._accepted_finding AS a
                   WHERE (a.check_id, a.row_identity) = ('{check_id}', f.row_identity))
"""
_FINDINGS = """
SELECT f.row_identity, f.message FROM ({query}) AS f(row_identity, message) {condition}
 ORDER BY f.row_identity COLLATE "C", f.message COLLATE "C"
"""


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What fsck found, which checks it ran for that, and which do not apply here."""

    findings: Sequence[Finding]
    ran: frozenset[str]
    inapplicable: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class _Check:
    check_id: str
    severity: str
    relation: str
    requires: list[str]
    action: str
    query: str
    compares: str | None
    repairable: bool
    applies: bool


def run(
    conn: psycopg.Connection[Any], checks: Sequence[str] = (), *, min_severity: str = "info"
) -> Inspection:
    """Run the extension's fsck(): the named checks, or all that apply."""
    from pggit_chaos.chaos import Chaos

    chaos = Chaos(conn)
    findings = chaos.fsck(checks or None, min_severity=min_severity)
    known = chaos.integrity_checks()
    return Inspection(
        findings=findings,
        ran=frozenset(
            each.check_id
            for each in known
            if each.applies and _is_asked_for(each.check_id, each.severity, checks, min_severity)
        ),
        inapplicable=sorted(each.check_id for each in known if not each.applies),
    )


def sound_findings(chaos: Chaos) -> list[Finding]:
    """Return what is damage on every pgGit; the rest some release brings about by itself."""
    sound = {check.check_id for check in chaos.integrity_checks() if check.sound}
    return [finding for finding in chaos.fsck() if finding.check_id in sound]


def run_read_only(
    conn: psycopg.Connection[Any], checks: Sequence[str] = (), *, min_severity: str = "info"
) -> Inspection:
    """Run the same checks in one READ ONLY, REPEATABLE READ transaction; a standby will do.

    ``conn`` is in autocommit mode, or at least in no transaction.  The extension
    need not be there.
    """
    import psycopg

    try:
        with conn.transaction(force_rollback=True):
            conn.execute(_BEGIN)
            for setting in SETTINGS:
                conn.execute(f"SET LOCAL {setting}".encode())
            return _inspect(conn, checks, min_severity)
    except psycopg.errors.InsufficientPrivilege as error:
        raise _unreadable(conn, error) from error
    except psycopg.errors.SerializationFailure as error:
        raise _conflict(error) from error


def _inspect(conn: psycopg.Connection[Any], names: Sequence[str], min_severity: str) -> Inspection:
    if conn.execute(_SCHEMAS).fetchone() is None:
        raise NotInstalledError(
            f'database "{conn.info.dbname}" has no pgGit',
            hint="Connect to the database that has it.",
        )
    checks = _checks(conn)
    _require(checks, names)
    chosen = [
        check
        for check in checks
        if check.applies and _is_asked_for(check.check_id, check.severity, names, min_severity)
    ]
    condition = _UNACCEPTED if conn.execute(_ACCEPTED).fetchone() == (True,) else ""
    return Inspection(
        findings=[finding for check in chosen for finding in _findings(conn, check, condition)],
        ran=frozenset(check.check_id for check in chosen),
        inapplicable=[check.check_id for check in checks if not check.applies],
    )


def _is_asked_for(check_id: str, severity: str, names: Sequence[str], min_severity: str) -> bool:
    return (not names or check_id in names) and SEVERITIES.index(severity) >= SEVERITIES.index(
        min_severity
    )


def _checks(conn: psycopg.Connection[Any]) -> list[_Check]:
    """Let the server read the checks' own literals, and say which of them apply to it."""
    from psycopg.rows import class_row

    columns = "check_id, severity, relation, requires, action, query, compares"
    query = _CHECKS.format(
        checks=_union("_integrity_check", columns), repairs=_union("_repair", "check_id")
    )
    with translated(), conn.cursor(row_factory=class_row(_Check)) as cursor:
        checks = cursor.execute(query.encode()).fetchall()
    compared = {check.compares for check in checks if check.applies} - {None}
    recorded = {None}
    if compared:  # then the table is there, since those checks read it
        recorded |= {row[0] for row in conn.execute(_RECORDED, (sorted(map(str, compared)),))}
    return [
        replace(check, applies=check.applies and check.compares in recorded) for check in checks
    ]


def _findings(conn: psycopg.Connection[Any], check: _Check, condition: str) -> Iterator[Finding]:
    query = _FINDINGS.format(query=check.query, condition=condition.format(check_id=check.check_id))
    for row_identity, message in conn.execute(query.encode()):
        yield Finding(
            check_id=check.check_id,
            severity=check.severity,
            relation=check.relation,
            row_identity=row_identity,
            message=message,
            action=check.action,
            repairable=check.repairable,
        )


def _require(checks: Sequence[_Check], names: Sequence[str]) -> None:
    """Raise where a name is no check's, or one of a check that this pgGit has nothing for."""
    by_name = {check.check_id: check for check in checks}
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=3)
            raise UsageError(
                f'integrity check "{name}" does not exist',
                detail=f"Near it: {', '.join(near)}." if near else None,
                hint="docs/reference/sql.md lists them all.",
            )
        if not by_name[name].applies:
            detail = f"It reads {', '.join(by_name[name].requires)}."
            if by_name[name].compares is not None:
                detail = (
                    "It compares with what record_digests() has recorded, and there is nothing."
                )
            raise NotApplicableError(f'integrity check "{name}" does not apply here', detail=detail)


def _unreadable(conn: psycopg.Connection[Any], error: psycopg.Error) -> PrivilegeError:
    """Say what would let the role read: a check that cannot run never counts as clean."""
    from psycopg import sql

    policy = "row-level security" in (error.diag.message_primary or "")
    statement = "ALTER ROLE {} BYPASSRLS;" if policy else "GRANT pg_read_all_data TO {};"
    user = sql.Identifier(conn.info.user)
    return PrivilegeError(
        error.diag.message_primary or "permission denied",
        hint=f"Ask a superuser to run: {sql.SQL(statement).format(user).as_string(conn)}",
        sqlstate=error.sqlstate,
    )


def _conflict(error: psycopg.Error) -> ChaosError:
    said = translate(error)
    said.hint = (
        "The standby had to go on with replay. Run it again, or on the standby: "
        "ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();"
    )
    return said


# -- the extension's script ----------------------------------------------


@cache
def _script() -> tuple[str, ...]:
    """Return the statements of the extension's script."""
    text = extension.files()[f"pggit_chaos--{extension.version()}.sql"].decode()
    ends = [token.end() for token in _TOKEN.finditer(text) if token.group() == ";"]
    return tuple(
        _without_comments(text[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)
    )


def _without_comments(statement: str) -> str:
    """Return a statement without the comments before it."""
    return re.sub(r"\A(\s+|--[^\n]*|\\[^\n]*)*", "", statement)


def _union(table: str, columns: str) -> str:
    """Return the query of the rows that the script puts into a table of ours."""
    pattern = re.compile(_INSERT.format(table=table), re.DOTALL)
    inserts = [match.groups() for each in _script() if (match := pattern.match(each))]
    if not inserts:
        return f"SELECT NULL::text AS {columns.replace(', ', ', NULL AS ')} WHERE false"
    return " UNION ALL ".join(
        f"SELECT {_present(columns, names)}"  # noqa: S608 text of ours
        f" FROM (VALUES {values.rstrip().rstrip(';')}) AS c ({names})"
        for names, values in inserts
    ).replace("@extschema@", extension.NAME)


def _present(columns: str, names: str) -> str:
    """Return the columns, with a NULL for each that the script does not name."""
    named = {name.strip() for name in names.split(",")}
    return ", ".join(
        column if column in named else f"NULL::text AS {column}" for column in columns.split(", ")
    )
