"""A throwaway PostgreSQL server: sockets only, no root, no port, gone when done."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from pggit_chaos import _reaper, binaries, extension, tree
from pggit_chaos.errors import ServerError

if TYPE_CHECKING:
    import psycopg

__all__ = ["Cluster"]

SUPERUSER = "postgres"
PORT = 5432  # only names the socket; nothing listens on the network
ROOM = 1 << 30  # bytes that must be free where a cluster is to live
SOCKET_PATH_LIMIT = 107
START_TIMEOUT = 60.0
STOP_TIMEOUT = 30.0

# Durability against a crash of the machine is given up, against one of the
# server it is not: a crash test must find what was committed.
_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "fsync": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "64MB",
    "dynamic_shared_memory_type": "mmap",  # in the data directory, so that it goes with it
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %e ",
}

# Huge pages: a tenth of what a short session costs is memory that it gets page by page.
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class Cluster:
    """A server in a temporary directory of its own; a context manager.

    ``settings`` are parameters of postgresql.conf, ``extensions`` directories
    whose files CREATE EXTENSION shall find besides pggit_chaos, and
    ``initdb_options`` goes to initdb as it is.
    However this process ends, neither server nor directory outlives it.
    """

    def __init__(
        self,
        *,
        programs: binaries.Binaries | None = None,
        settings: Mapping[str, str] | None = None,
        extensions: Iterable[Path] = (),
        initdb_options: Iterable[str] = (),
    ) -> None:
        self._original = programs or binaries.find()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._extensions = tuple(path.resolve() for path in extensions)
        self._initdb_options = tuple(initdb_options)
        self._user = _server_user()
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._reaper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory = _make_directory(self._user)
        try:
            self._reaper = _start_reaper(self.directory)
            self._initialize()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the server and remove its directory."""
        self.stop()
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait()
            self._reaper = None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    @property
    def owner(self) -> tuple[int, int]:
        """The user and the group that the server runs as, by number."""
        if self._user is None:
            return os.geteuid(), os.getegid()
        return self._user.pw_uid, self._user.pw_gid

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = self.directory / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        """Whether the postmaster is alive."""
        return self._postmaster is not None and self._postmaster.poll() is None

    # -- life and death --------------------------------------------------

    def start(self, **settings: str) -> None:
        """Start the server and wait until it accepts connections."""
        self.configure(**settings)
        with self._log_file() as log:
            self._postmaster = self._spawn(
                [self.programs.bindir / "postgres", "-D", self.data], log
            )
        _wait(self._ready, START_TIMEOUT, self._failure)

    def stop(self, *, immediate: bool = False) -> None:
        """Shut down; ``immediate`` leaves recovery to the next start."""
        if self._postmaster is None:
            return
        if self.running:
            self._postmaster.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            self._postmaster.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._postmaster.kill()
        self._bury()

    def kill(self) -> None:
        """End the server as a power cut does: SIGKILL, for the postmaster first."""
        if self._postmaster is not None:
            self._postmaster.kill()
            self._bury()

    def restart(self, *, immediate: bool = False, **settings: str) -> None:
        """Stop and start again, with settings changed on the way."""
        self.stop(immediate=immediate)
        self.start(**settings)

    def crash(self) -> None:
        """Kill one backend, so that the server recovers; return when it accepts again."""
        with self.crashing(), self.connect() as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)

    @contextmanager
    def crashing(self) -> Iterator[None]:
        """Around what crashes the server: leave when it has recovered and accepts again."""
        with self.connect() as witness:
            yield
            # Until the postmaster has noticed, it would still let new sessions in.
            _wait(lambda: _is_lost(witness), STOP_TIMEOUT, self._failure)
        _wait(self._answers, START_TIMEOUT, self._failure)

    def configure(self, **settings: str) -> None:
        """Change settings; they hold from the next start or reload on."""
        self._settings.update(settings)
        lines = [f"{name} = {_quote(value)}\n" for name, value in self._settings.items()]
        conf = self.data / "pggit_chaos.conf"
        conf.write_text("".join(lines), encoding="utf-8")
        self._own(conf)

    # -- connections and databases ---------------------------------------

    def dsn(self, dbname: str = "postgres", **parameters: Any) -> str:
        """Return the connection string of a database."""
        from psycopg.conninfo import make_conninfo

        return make_conninfo(
            **{
                "host": str(self._socket_directory),
                "port": PORT,
                "user": SUPERUSER,
                "dbname": dbname,
                **parameters,
            }
        )

    def connect(
        self, dbname: str = "postgres", *, autocommit: bool = False, **parameters: Any
    ) -> psycopg.Connection[Any]:
        """Return a new connection to a database."""
        import psycopg

        return psycopg.connect(self.dsn(dbname, **parameters), autocommit=autocommit)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database by copying the files of ``template``; return its name."""
        from psycopg import sql

        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        with self.connect(autocommit=True) as conn:
            conn.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, and with it whoever is still connected."""
        from psycopg import sql

        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with self.connect(autocommit=True) as conn:
            conn.execute(statement.format(sql.Identifier(name)))

    # -- how it is done --------------------------------------------------

    @property
    def _socket_directory(self) -> Path:
        return self.directory / "socket"

    def _initialize(self) -> None:
        self.programs = tree.plant(
            self._original,
            self.directory / "tree",
            extensions=self._extensions,
            files=extension.files(),
            copy=not self._reaches_programs(),
        )
        self._socket_directory.mkdir()
        self._own(self.directory, *self.directory.rglob("*"))
        command = [
            *(self.programs.bindir / "initdb", "-D", self.data, "-U", SUPERUSER),
            *("-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"),
            *self._initdb_options,
        ]
        with self._log_file() as log:
            status = self._spawn(command, log).wait()
        if status != 0:
            raise ServerError(f"initdb failed: {_last_lines(self.log)}")
        conf = self.data / "postgresql.conf"
        with conf.open("a", encoding="utf-8") as file:
            file.write("include 'pggit_chaos.conf'\n")
        self._settings["unix_socket_directories"] = str(self._socket_directory)

    def _reaches_programs(self) -> bool:
        if self._user is None:
            return True
        needed = (
            self._original.bindir / "postgres",
            self._original.sharedir / "postgres.bki",
            self._original.libdir / "plpgsql.so",
        )
        return all(tree.reachable(path, self._user.pw_uid, self._user.pw_gid) for path in needed)

    def _own(self, *paths: Path) -> None:
        if self._user is not None:
            for path in paths:
                os.chown(path, self._user.pw_uid, self._user.pw_gid, follow_symlinks=False)

    def _spawn(self, command: list[Any], log: IO[bytes]) -> subprocess.Popen[bytes]:
        identity: dict[str, Any] = {}
        if self._user is not None:
            identity = {
                "user": self._user.pw_uid,
                "group": self._user.pw_gid,
                "extra_groups": [],
            }
        # A session of its own: Ctrl-C is for the driver, which then stops the server.
        return subprocess.Popen(
            [str(word) for word in command],
            cwd=self.directory,
            env={"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **identity,
        )

    def _log_file(self) -> IO[bytes]:
        return (self.directory / "log").open("ab")

    def _ready(self) -> bool:
        """Read the last line of postmaster.pid, as pg_ctl does: cheaper than connecting."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            lines = []
        mine = self._postmaster is not None and lines[:1] == [str(self._postmaster.pid)]
        return mine and len(lines) >= 8 and lines[7].strip() in ("ready", "standby")

    def _answers(self) -> bool:
        import psycopg

        try:
            with self.connect() as conn:
                conn.execute("SELECT")
        except psycopg.OperationalError:
            return False
        return True

    def _failure(self) -> ServerError | None:
        if self.running:
            return None
        return ServerError(f"the PostgreSQL server ended: {_last_lines(self.log)}")

    def _bury(self) -> None:
        """Wait for the processes of a dead postmaster: a new one would meet their memory."""
        assert self._postmaster is not None
        self._postmaster.wait()
        self._postmaster = None
        _reaper.stop(self.directory)


def _server_user() -> pwd.struct_passwd | None:
    """Return who runs the server where we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ServerError(
        "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody",
        hint="Run as an ordinary user.",
    )


def _make_directory(user: pwd.struct_passwd | None) -> Path:
    """Make a directory where there is room and programs may run, in memory where possible."""
    places = [Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108 for mkdtemp
    for place in places:
        if _suitable(place, user):
            return Path(tempfile.mkdtemp(prefix="pggit-chaos-", dir=place)).resolve()
    raise ServerError(
        "no place for a temporary server: "
        + ", ".join(f'"{place}"' for place in dict.fromkeys(places)),
        hint="It needs 1 GB where programs may run and every user may enter; set TMPDIR.",
    )


def _suitable(place: Path, user: pwd.struct_passwd | None) -> bool:
    if not os.access(place, os.W_OK | os.X_OK):
        return False
    if user is not None and not tree.reachable(place, user.pw_uid, user.pw_gid):
        return False
    socket = place.resolve() / "pggit-chaos-12345678" / "socket" / f".s.PGSQL.{PORT}"
    return (
        len(os.fsencode(socket)) <= SOCKET_PATH_LIMIT
        and shutil.disk_usage(place).free >= ROOM
        and not os.statvfs(place).f_flag & os.ST_NOEXEC
    )


def _start_reaper(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", _reaper.__file__, str(directory)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait(
    condition: Callable[[], bool], timeout: float, failure: Callable[[], ServerError | None]
) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        error = failure()
        if error is not None:
            raise error
        if time.monotonic() > deadline:
            raise ServerError(f"the PostgreSQL server was not there after {timeout:.0f} s")
        time.sleep(0.003)


def _is_lost(conn: psycopg.Connection[Any]) -> bool:
    import psycopg

    try:
        conn.execute("SELECT")
    except psycopg.OperationalError:
        return True
    return False


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _last_lines(text: str, count: int = 5) -> str:
    return "\n".join(text.rstrip().splitlines()[-count:]) or "it said nothing"
