# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Who gets which address of a pool: pure decisions on what is leased already.

Addresses of every kind (MACs, IPs, plain numbers) are integers here. Times are
seconds since the epoch. Nothing is read or stored; see ``_lease_store``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, SpaceError

KINDS = ("ip", "mac", "number")

_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}")
_MULTICAST = 1 << 40  # the lowest bit of a MAC's first octet (IEEE 802)
_HOLDER_LIMIT = 255


@dataclass(frozen=True)
class Pool:
    """A range of addresses that are leased.

    Attributes:
        name: under which its leases are kept.
        kind: one of `KINDS`.
        first: the first address; `last` is the last one, and both belong to it.
        excluded: addresses in between that are never leased.
    """

    name: str
    kind: str
    first: int
    last: int
    excluded: frozenset[int] = field(default_factory=frozenset)

    def addresses(self) -> Iterator[int]:
        """Return all addresses that can be leased, in order."""
        return (number for number in range(self.first, self.last + 1) if number not in self.excluded)

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last and number not in self.excluded


@dataclass(frozen=True)
class Lease:
    """An address that is, or once was, somebody's.

    Attributes:
        number: the address as an integer, and `address` as text.
        holder: whose it is; of a lease that has ended, whose it was.
        expires: when it ends by itself; None for never.
        ended: when it was given back; None while it was not.
    """

    pool: str
    number: int
    address: str
    holder: str
    acquired: float
    expires: float | None = None
    ended: float | None = None

    def end(self, now: float) -> float | None:
        """Return when it ended, or None while it holds."""
        if self.ended is not None:
            return self.ended
        return self.expires if self.expires is not None and self.expires <= now else None


def make_pool(
    name: str,
    kind: str,
    *,
    first: str | None = None,
    last: str | None = None,
    network: str | None = None,
    exclude: Iterable[str] = (),
) -> Pool:
    """Return the pool that options describe.

    Args:
        network: for IP addresses, in CIDR notation; without its own and its broadcast address.
        exclude: single addresses.

    Raises:
        InputError: they describe none.
    """
    if (network is None) == (first is None and last is None) or (first is None) != (last is None):
        raise InputError("a pool needs either a network, or a first and a last address", where=f"pool {name}")
    if network is not None:
        if kind != "ip":
            raise InputError(
                f"addresses of type {kind} have no network", where=f"pool {name}", hint="give first and last"
            )
        low, high = _hosts(network)
    else:
        low, high = parse(kind, str(first)), parse(kind, str(last))
        if kind == "ip" and low >> 32 == 0 != high >> 32:
            raise InputError(f"{first} is an address of IPv4 and {last} one of IPv6", where=f"pool {name}")
    if kind == "mac" and (low & _MULTICAST or high >> 40 != low >> 40):
        raise InputError(
            f"{first} to {last} are not all addresses of single interfaces",
            where=f"pool {name}",
            hint="give both the same even first octet",
        )
    pool = Pool(name, kind, low, high, frozenset(parse(kind, address) for address in exclude))
    if low > high:
        raise InputError(f"its first address {first} comes after its last, {last}", where=f"pool {name}")
    return pool


def parse(kind: str, text: str) -> int:
    """Return an address as an integer.

    Raises:
        InputError: it is none of that kind.
    """
    try:
        if kind == "ip":
            return int(ipaddress.ip_address(text))
        if kind == "number" and re.fullmatch("[0-9]{1,18}", text):
            return int(text)
        if kind == "mac" and _MAC.fullmatch(text.lower()):
            return int(re.sub("[:-]", "", text), 16)
    except ValueError:
        pass
    raise InputError(f"{text!r} is no address of type {kind}")


def show(pool: Pool, number: int) -> str:
    """Return an address as text."""
    if pool.kind == "mac":
        return ":".join(f"{number >> shift & 0xFF:02x}" for shift in range(40, -1, -8))
    if pool.kind == "ip":
        # An IPv6 network below 2**32 is one that nobody has.
        return str(ipaddress.IPv6Address(number) if number >> 32 else ipaddress.IPv4Address(number))
    return str(number)


def acquire(
    pool: Pool, leases: Sequence[Lease], holders: Sequence[str], now: float, lifetime: float | None = None
) -> list[Lease]:
    """Return a lease for each holder, in their order: the one it has or had last, else a free address.

    Addresses that nobody had yet come first, and then those that were given back
    longest ago, so that what still remembers an address's last holder can forget.

    Args:
        leases: all that the pool has or had, an address once at most.
        lifetime: after which they end by themselves; None keeps the ends they have, or for ever.

    Raises:
        SpaceError: the pool is full; nobody gets anything.
        InputError: a holder has an address that the pool does not hold any more, or leases would end at once.
    """
    if lifetime is not None and lifetime < 1:
        raise InputError(f"a lifetime of {lifetime} s would end leases at once", hint="give one second at least")
    for holder in holders:
        _require_holder(holder)
    known = {lease.number: lease for lease in leases}
    latest = _latest(leases, now)
    free = _free(pool, known, now)
    for holder in dict.fromkeys(holders):
        before = latest.get(holder)
        if before is not None and before.end(now) is None and before.number not in pool:
            raise InputError(
                f"{holder} has {before.address}, which is not in it any more",
                where=f"pool {pool.name}",
                hint="release it first",
            )
        # What the holder had once may be somebody else's by now.
        if before is not None and before.number in pool and known[before.number].holder == holder:
            new = _renewed(before, now, lifetime)
        else:
            number = _next(free, pool, holder)
            new = Lease(pool.name, number, show(pool, number), holder, now, _expiry(now, lifetime))
        known[new.number] = new
        latest[holder] = new
    return [latest[holder] for holder in holders]


def release(leases: Iterable[Lease], holders: Iterable[str], now: float) -> list[Lease]:
    """Return the leases of some holders, ended."""
    leaving = set(holders)
    return [replace(lease, ended=now) for lease in leases if lease.holder in leaving and lease.end(now) is None]


def expire(leases: Iterable[Lease], now: float) -> list[Lease]:
    """Return the leases that have come to their end by themselves, given back."""
    return [
        replace(lease, ended=lease.expires) for lease in leases if lease.ended is None and lease.end(now) is not None
    ]


def by_holder(leases: Iterable[Lease]) -> dict[str, dict[str, str]]:
    """Return the addresses of leases, by holder and pool."""
    found: dict[str, dict[str, str]] = {}
    for lease in leases:
        found.setdefault(lease.holder, {})[lease.pool] = lease.address
    return found


def _renewed(lease: Lease, now: float, lifetime: float | None) -> Lease:
    if lease.end(now) is not None:
        return replace(lease, acquired=now, expires=_expiry(now, lifetime), ended=None)
    return replace(lease, expires=lease.expires if lifetime is None else now + lifetime)


def _expiry(now: float, lifetime: float | None) -> float | None:
    return None if lifetime is None else now + lifetime


def _latest(leases: Iterable[Lease], now: float) -> dict[str, Lease]:
    """Return each holder's lease that holds, else the one that ended last."""

    def order(lease: Lease) -> tuple[bool, float]:
        end = lease.end(now)
        return end is None, end or 0.0

    return {lease.holder: lease for lease in sorted(leases, key=order)}


def _free(pool: Pool, known: dict[int, Lease], now: float) -> Iterator[int]:
    """Return addresses that nobody holds, while `known` grows."""
    ended = sorted((end, number) for number, lease in known.items() if (end := lease.end(now)) is not None)
    yield from (number for number in pool.addresses() if number not in known)
    for _end, number in ended:
        if number in pool and known[number].end(now) is not None:
            yield number


def _next(free: Iterator[int], pool: Pool, holder: str) -> int:
    number = next(free, None)
    if number is None:
        count = sum(1 for _address in pool.addresses())
        raise SpaceError(
            f"all its {count} addresses are leased, none is left for {holder}",
            where=f"pool {pool.name}",
            hint="release leases that are not needed any more, or make the pool larger",
        )
    return number


def _hosts(network: str) -> tuple[int, int]:
    """Return the first and the last address that hosts can have in a network."""
    try:
        parsed = ipaddress.ip_network(network, strict=False)
    except ValueError:
        raise InputError(f"{network!r} is no network", hint="write it like 10.16.0.0/16") from None
    first, last = int(parsed[0]), int(parsed[-1])
    if last - first < 2:  # a pair (RFC 3021), or a single address
        return first, last
    return first + 1, last - (parsed.version == 4)


def _require_holder(holder: str) -> None:
    if not holder or not holder.isprintable() or len(holder) > _HOLDER_LIMIT:
        raise InputError(
            f"{holder!r} cannot hold a lease", hint=f"give a name of 1 to {_HOLDER_LIMIT} printable characters"
        )


__all__ = ["KINDS", "Lease", "Pool", "acquire", "by_holder", "expire", "make_pool", "parse", "release", "show"]
