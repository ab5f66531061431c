"""What the server says, as an error that tells what to do."""

from __future__ import annotations

import pytest

from pggit_chaos import errors

TREE = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]


def test_every_error_is_a_chaos_error() -> None:
    assert all(issubclass(kind, errors.ChaosError) for kind in TREE)


def test_the_tree_in_the_docstring_is_complete() -> None:
    assert errors.__doc__ is not None
    assert [kind.__name__ for kind in TREE if kind.__name__ not in errors.__doc__] == []


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("PC001", errors.NotEnabledError),
        ("PC002", errors.NotInstalledError),
        ("PC003", errors.NotInstalledError),
        ("PC004", errors.NothingToCorruptError),
        ("PC005", errors.ChangedSinceError),
        ("PC006", errors.ChaosError),
        ("PC008", errors.NotApplicableError),
        ("3F000", errors.NotInstalledError),
        ("42883", errors.NotInstalledError),
        ("42704", errors.UsageError),
        ("42501", errors.PrivilegeError),
        ("22023", errors.UsageError),
        ("22004", errors.UsageError),
        ("22011", errors.ChaosError),
        ("57P01", errors.ServerError),
        ("08006", errors.ServerError),
        ("40001", errors.ChaosError),
        ("42P13", errors.ChaosError),
        (None, errors.ServerError),
    ],
)
def test_a_sqlstate_becomes_the_error_that_tells_what_to_do(
    sqlstate: str | None, kind: type[errors.ChaosError]
) -> None:
    assert errors._class_of(sqlstate) is kind
