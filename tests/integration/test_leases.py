"""Lease databases with many clients at once, and with clients that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._lease_store import open_store

from .conftest import ROOT
from .machine import tool

CLIENT = Path(__file__).with_name("lease_client.py")
CLIENTS = 64
KILLS = 20
DEADLINE = 60  # seconds


def answers(lines: list[str]) -> dict[str, str]:
    """Return what clients were told, by holder."""
    return dict(map(str.split, lines))


class Clients:
    """Starts clients of one database."""

    def __init__(self, python: str, database: str) -> None:
        self.python = python
        self.database = database

    def start(self, *holders: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
        return subprocess.Popen(
            [self.python, str(CLIENT), self.database, *holders],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def finish(self, clients: list[subprocess.Popen[str]]) -> dict[str, str]:
        """Return what all of them were told, by holder."""
        told: dict[str, str] = {}
        for client in clients:
            output, errors = client.communicate()
            assert client.returncode == 0, errors
            told |= answers(output.splitlines())
        return told


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a PostgreSQL of the test's own, on a socket in a folder; no network."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    folder = tmp_path_factory.mktemp("postgres")
    as_user: list[str] = []
    if os.geteuid() == 0:  # which it refuses to run as
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        tool("chown", "postgres:postgres", folder)
        for parent in (folder.parent, folder.parent.parent):
            parent.chmod(0o711)
    data = folder / "data"
    tool(*as_user, programs / "initdb", "--no-sync", "--auth=trust", "--username=voc", "-D", data)
    settings = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=80"]
    command = [*as_user, str(programs / "postgres"), "-D", str(data), *(f"--{setting}" for setting in settings)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            wait_for(lambda: subprocess.call(["pg_isready", "-q", "-h", str(folder)]) == 0)
            tool("createdb", "-h", folder, "-U", "voc", "leases")
            yield f"postgresql://voc@/leases?host={folder}"
        finally:
            server.send_signal(signal.SIGINT)  # man 1 postgres: fast shutdown


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is true, or fail."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture(params=["sqlite", "postgres"])
def clients(request: pytest.FixtureRequest, tmp_path: Path) -> Clients:
    if request.param == "sqlite":
        return Clients(sys.executable, str(tmp_path / "leases.db"))
    # Debian's psycopg2 is for Debian's Python.
    database = request.getfixturevalue("postgres")
    tool("psql", database, "-q", "-c", "DROP TABLE IF EXISTS voc_leases")
    return Clients("/usr/bin/python3", database)


def test_64_clients_at_once_never_share_an_address(clients: Clients) -> None:
    running = [clients.start(*(f"vm{number}-{turn}" for turn in range(3))) for number in range(CLIENTS)]
    told = clients.finish(running)
    assert len(told) == 3 * CLIENTS
    assert len(set(told.values())) == len(told)


def test_clients_that_ask_for_one_holder_are_told_the_same(clients: Clients) -> None:
    running = [clients.start("vm1") for _number in range(8)]
    assert {tuple(clients.finish([client]).items()) for client in running} == {(("vm1", "10.16.0.1"),)}


def test_a_killed_client_loses_no_lease_and_doubles_none(clients: Clients) -> None:
    random.seed(1)
    told: dict[str, str] = {}
    for round_number in range(KILLS):
        holders = [f"vm{round_number}-{turn}" for turn in range(40)]
        client = clients.start(*holders)
        time.sleep(random.uniform(0.05, 0.4))
        client.kill()
        output = client.communicate()[0]
        told |= answers([line for line in output.splitlines() if line.count(" ") == 1])
    # Whoever comes back gets what it was told, and nobody else has it.
    again = clients.finish([clients.start(*told, "new")])
    assert {holder: again[holder] for holder in told} == told
    assert len(set(again.values())) == len(again)


def test_the_module_reads_what_clients_wrote_to_sqlite(tmp_path: Path) -> None:
    here = Clients(sys.executable, str(tmp_path / "leases.db"))
    here.finish([here.start("vm1")])
    with open_store(here.database, writable=False) as store:
        assert [(lease.holder, lease.address) for lease in store.leases("ip")] == [("vm1", "10.16.0.1")]
