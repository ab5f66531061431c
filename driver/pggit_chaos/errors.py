"""What can go wrong, by what the caller can do about it.

::

    ChaosError
    ├── UsageError            say it differently: unknown name, malformed term, missing argument
    ├── NotEnabledError       the owner of the database must opt in first
    ├── NotApplicableError    this pgGit does not have that; nothing to be done
    ├── NothingToCorruptError do some work first: no row fits
    ├── ChangedSinceError     look at what changed; healing would overwrite it
    ├── PrivilegeError        connect as somebody who may
    ├── NotInstalledError     install pgGit, pggit_chaos or its hooks there first
    └── UnavailableError      something outside is missing: binaries, server, network
        ├── BinariesError         no usable PostgreSQL server programs
        ├── ServerError           a server did not start, or ended
        └── SourceError           a directory is no pgGit checkout, or its installer cannot run

Errors that a fault injected, and errors of pgGit itself, are not here: they stay
the ``psycopg.Error`` that the caller would have seen without this project.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "BinariesError",
    "ChangedSinceError",
    "ChaosError",
    "NotApplicableError",
    "NotEnabledError",
    "NotInstalledError",
    "NothingToCorruptError",
    "PrivilegeError",
    "ServerError",
    "SourceError",
    "UnavailableError",
    "UsageError",
    "translated",
]


class ChaosError(Exception):
    """The root: ``detail`` says more, ``hint`` is the way out, ``sqlstate`` the server's code."""

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        sqlstate: str | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = detail
        self.hint = hint
        self.sqlstate = sqlstate


class UsageError(ChaosError):
    """What was asked for does not exist or is malformed."""


class NotEnabledError(ChaosError):
    """The owner of the database has not opted in; ``hint`` is the statement to run."""


class NotApplicableError(ChaosError):
    """This pgGit has nothing of the kind."""


class NothingToCorruptError(ChaosError):
    """The relation is there, and no row of it fits the kind."""


class ChangedSinceError(ChaosError):
    """A corrupted row was changed by somebody else; healing would undo that too."""


class PrivilegeError(ChaosError):
    """The connection's role may not do that."""


class NotInstalledError(ChaosError):
    """The database lacks pgGit, pggit_chaos or its hooks."""


class UnavailableError(ChaosError):
    """Something outside of the database is missing or does not answer."""


class BinariesError(UnavailableError):
    """No usable PostgreSQL server programs."""


class ServerError(UnavailableError):
    """A PostgreSQL server did not start, does not answer, or ended."""


class SourceError(UnavailableError):
    """A directory is no pgGit checkout, or its installer cannot be run."""


_BY_CODE: dict[str, type[ChaosError]] = {
    "PC001": NotEnabledError,
    "PC002": NotInstalledError,
    "PC003": NotInstalledError,
    "PC004": NothingToCorruptError,
    "PC005": ChangedSinceError,
    "PC008": NotApplicableError,
    "3F000": NotInstalledError,  # schema pggit_chaos is not there
    "42P01": NotInstalledError,  # nor are its views
    "42883": NotInstalledError,  # nor are its functions
    "42501": PrivilegeError,
}

_USAGE = (
    "22004",  # null where none may be
    "22007",  # no such interval
    "22023",  # a value that cannot be
    "22P02",  # a value of another type
    "42601",  # a statement or a term that does not parse
    "42602",  # an invalid name
    "42704",  # an unknown name
    "42725",  # a name that several have
)


def _class_of(sqlstate: str | None) -> type[ChaosError]:
    if sqlstate is None or sqlstate.startswith(("08", "57P")):
        return ServerError
    if sqlstate in _BY_CODE:
        return _BY_CODE[sqlstate]
    return UsageError if sqlstate in _USAGE else ChaosError


def translate(error: psycopg.Error) -> ChaosError:
    """Return the ChaosError that says the same as an error of pggit_chaos' own functions."""
    message = error.diag.message_primary or str(error).strip() or type(error).__name__
    return _class_of(error.sqlstate)(
        message,
        detail=error.diag.message_detail,
        hint=error.diag.message_hint,
        sqlstate=error.sqlstate,
    )


@contextmanager
def translated() -> Iterator[None]:
    """Raise what the server says about a call of ours as a ChaosError."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise translate(error) from error
