"""A client of a lease database in a process of its own: DATABASE HOLDER..., prints what each got.

Run by whatever Python has the database's library; it needs nothing else.
"""

from __future__ import annotations

import sys
import time

from ansible_collections.voc.cluster.plugins.module_utils import _leases
from ansible_collections.voc.cluster.plugins.module_utils._lease_store import open_store

POOL = _leases.make_pool("ip", "ip", network="10.16.0.0/20")


def main(database: str, holders: list[str]) -> None:
    """Lease an address for one holder after the other, each in a transaction of its own."""
    for holder in holders:
        with open_store(database, writable=True) as store:
            (lease,) = _leases.acquire(POOL, store.leases("ip"), [holder], time.time())
            store.write([lease])
        # Only what is committed may be told.
        print(holder, lease.address, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
