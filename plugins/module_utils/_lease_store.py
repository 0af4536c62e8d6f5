# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Where leases are kept: SQLite in a file, or PostgreSQL. One transaction at a time changes them."""

from __future__ import annotations

import os
import sqlite3
import typing as t
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._leases import Lease

# The options of modules that say where leases are kept.
DATABASE: dict[str, t.Any] = {
    "database": {"type": "str", "default": "/var/lib/voc-cluster/leases.db"},
    "database_password": {"type": "str", "no_log": True},
}
_POSTGRES = ("postgresql://", "postgres://")
_WAIT = 120  # seconds, for others that change leases at the same time

# Numbers as text, because those of IPv6 have 128 bits.
_TABLE = """
voc_leases (
    pool VARCHAR(255) NOT NULL,
    number VARCHAR(40) NOT NULL,
    address VARCHAR(64) NOT NULL,
    holder VARCHAR(255) NOT NULL,
    acquired DOUBLE PRECISION NOT NULL,
    expires DOUBLE PRECISION,
    ended DOUBLE PRECISION,
    PRIMARY KEY (pool, number)
)
"""
_COLUMNS = "pool, number, address, holder, acquired, expires, ended"


class Store:
    """Leases within one transaction."""

    def __init__(self, connection: t.Any, mark: str) -> None:
        """Take a DB-API connection (PEP 249) and how its statements mark a value."""
        self._connection = connection
        self._mark = mark

    def prepare(self, catalogue: str, *, writable: bool) -> None:
        """See to it that there is a table of leases; for those that only read, an empty one for now.

        Args:
            catalogue: a query that tells whether there is one.
        """
        (found,) = self._execute(catalogue, [()])[0]
        if not found:
            self._execute(f"CREATE {'' if writable else 'TEMPORARY '}TABLE {_TABLE}", [()])

    def lock(self) -> None:
        """Let everybody else of this PostgreSQL database wait who changes leases, until the transaction ends."""
        self._execute("SELECT pg_advisory_xact_lock(hashtext('voc_leases'))", [()])

    def leases(self, pool: str) -> list[Lease]:
        """Return what a pool has leased, and what was given back, in the order of the addresses."""
        rows = self._execute(f"SELECT {_COLUMNS} FROM voc_leases WHERE pool = ?", [(pool,)])
        found = [Lease(row[0], int(row[1]), *row[2:]) for row in rows]
        return sorted(found, key=lambda lease: lease.number)

    def pools(self) -> list[str]:
        """Return the names of all pools that ever leased something."""
        return sorted(row[0] for row in self._execute("SELECT DISTINCT pool FROM voc_leases", [()]))

    def write(self, leases: Iterable[Lease]) -> None:
        """Keep leases; each takes the place of an earlier one of its address."""
        rows = [(e.pool, str(e.number), e.address, e.holder, e.acquired, e.expires, e.ended) for e in leases]
        self._execute(
            f"INSERT INTO voc_leases ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (pool, number) DO UPDATE SET"
            " address = excluded.address, holder = excluded.holder,"
            " acquired = excluded.acquired, expires = excluded.expires, ended = excluded.ended",
            rows,
        )

    def _execute(self, statement: str, values: Collection[Sequence[t.Any]]) -> list[tuple[t.Any, ...]]:
        cursor = self._connection.cursor()
        try:
            for row in values:
                cursor.execute(statement.replace("?", self._mark), row)
            return list(cursor.fetchall()) if cursor.description else []
        finally:
            cursor.close()


def open_store(database: str, *, writable: bool, password: str | None = None) -> AbstractContextManager[Store]:
    """Begin a transaction, and commit it unless it fails. Those that write wait for each other.

    Args:
        database: the path of a file, or a URL of PostgreSQL.
        writable: otherwise nothing is made or changed, and a database that is not there is empty.

    Raises:
        InputError: it cannot be reached.
        DamagedImageError: it is no database.
        ToolError: PostgreSQL's library is not installed.
    """
    if database.startswith(_POSTGRES):
        return _postgres(database, writable, password)
    return _sqlite(database, writable)


@contextmanager
def _sqlite(path: str, writable: bool) -> Iterator[Store]:
    if not writable and not os.path.exists(path):
        path = ":memory:"
    elif writable:
        os.makedirs(os.path.dirname(os.path.abspath(path)), mode=0o755, exist_ok=True)
    try:
        # A commit is on the disk when it returns: synchronous is FULL by default.
        connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE" if writable else "BEGIN")
            store = Store(connection, "?")
            store.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'voc_leases'", writable=writable)
            yield store
            connection.execute("COMMIT")
        finally:
            connection.close()  # takes an open transaction back
    except sqlite3.OperationalError as error:
        raise InputError(f"the lease database cannot be used ({error})", where=path) from None
    except sqlite3.DatabaseError as error:
        raise DamagedImageError(f"it is no lease database ({error})", where=path, hint="name another file") from None


@contextmanager
def _postgres(url: str, writable: bool, password: str | None) -> Iterator[Store]:
    try:
        import psycopg2
    except ImportError:
        raise ToolError(
            "the Python library psycopg2 is not installed",
            hint="install the package python3-psycopg2 on the lease host",
        ) from None
    where = url.rpartition("@")[2]  # without a password
    try:
        connection = psycopg2.connect(url, **({"password": password} if password else {}))
        try:
            store = Store(connection, "%s")
            if writable:
                store.lock()
            store.prepare("SELECT to_regclass('voc_leases') IS NOT NULL", writable=writable)
            yield store
            connection.commit()
        finally:
            connection.close()
    except psycopg2.Error as error:
        raise InputError(
            f"the lease database cannot be used ({str(error).strip() or type(error).__name__})", where=where
        ) from None


__all__ = ["DATABASE", "Store", "open_store"]
