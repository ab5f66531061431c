"""The command line.  A command is a file in commands/; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from pggit_chaos import commands, extension
from pggit_chaos.errors import ChaosError, UsageError, translate

__all__ = ["main", "run"]

CLEAN, FINDINGS, USAGE, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 3, 130


class _Commands(click.Group):
    """Finds each command by its file, and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 click's signature
        return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name}")
        command: click.Command = module.command
        return command


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 click's signature
    if value and not ctx.resilient_parsing:
        click.echo(f"pggit-chaos {extension.version()}")
        ctx.exit()


@click.group(cls=_Commands)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def group() -> None:
    """Put faults inside pgGit and see whether its metadata survives.

    The target is chosen the same way everywhere: --dsn DSN for a database that
    has pgGit, --pggit-source DIR for a checkout of pgGit, which is installed into
    a throwaway server, or neither for the reference target.

    Exit status: 0 clean, 1 findings, 2 usage, 3 could not run.
    """


def main() -> NoReturn:
    """Run the command line and exit; SIGTERM ends it as Ctrl-C does, so that copies go."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; no traceback reaches the user."""
    import psycopg

    try:
        status = group.main(arguments, prog_name="pggit-chaos", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        return INTERRUPTED
    except ChaosError as error:
        return _report(error)
    except psycopg.Error as error:
        return _report(translate(error), found=error)
    except OSError as error:
        _say(f"{error.filename or 'output'}: {error.strerror}")
        return COULD_NOT_RUN
    return int(status or CLEAN)


def _report(error: ChaosError, found: Exception | None = None) -> int:
    message = " ".join(str(error).split())
    code = f" ({error.sqlstate})" if error.sqlstate is not None else ""
    _say(message + code)
    if error.detail is not None:
        _say(f"detail: {error.detail}")
    if error.hint is not None:
        _say(f"hint: {error.hint}")
    return USAGE if found is None and isinstance(error, UsageError) else COULD_NOT_RUN


def _say(message: str) -> None:
    click.echo(f"pggit-chaos: {message}", err=True)
