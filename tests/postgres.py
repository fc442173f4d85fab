"""A PostgreSQL server of the tests' own: a real one, in a temporary directory, on a socket only."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from run_all import POSTGRES

# Nothing here has to survive a power cut.
_SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
}
_USER = "pay88"


class Server:
    """A running cluster."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new database, which is dropped at the end."""
        name = f"books_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name}")
        yield f"postgresql://{_USER}@/{name}?host={quote(str(self._socket), safe='')}"
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def connect(self, url: str) -> psycopg.Connection[Any]:
        """A connection of another program to one of these databases."""
        return psycopg.connect(url)

    def _run(self, statement: str) -> None:
        with psycopg.connect(
            host=str(self._socket), user=_USER, dbname="postgres", autocommit=True
        ) as db:
            db.execute(statement)


@contextmanager
def running() -> Iterator[Server]:
    """Make a cluster, start it, stop it, and remove it."""
    programs = Path(str(POSTGRES.find())).resolve().parent
    # Not pytest's own directory: root's is closed to the user that the server needs.
    home = Path(tempfile.mkdtemp(prefix="pay88-pg-"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        as_user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(home, "postgres")
    data = home / "data"

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*as_user, str(programs / program), *arguments],
            cwd=home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout}"

    settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
    control = ["-D", str(data), "-w", "-t", "60"]
    try:
        run(
            "initdb", "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        # Not to a pipe: the server would keep it open.
        log = ["-l", str(home / "log"), "-o", f"{settings} -c unix_socket_directories={home}"]
        run("pg_ctl", *control, *log, "start")
        try:
            yield Server(home)
        finally:
            run("pg_ctl", *control, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(home)
