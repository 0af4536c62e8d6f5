# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which MAC, IP address, name and UUID belong to a slot on a hypervisor, and the way back.

All of it is arithmetic on the hypervisor's name and the slot's number: no service is asked and
nothing is stored, so whoever works it out, anywhere, gets the same. MACs are 48-bit integers
here until they are shown. This runs on the controller.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

try:
    import netaddr
except ImportError as error:
    NETADDR_ERROR: ImportError | None = error
else:
    NETADDR_ERROR = None

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError

POSITIONAL, HASHED = "positional", "hashed"
DIALECTS = ("unix_expanded", "unix", "eui48", "cisco", "bare", "pgsql")

# The first octet of a MAC (IEEE 802): bit 0 set is multicast, bit 1 set is locally administered.
_MULTICAST = 0x01 << 40
_LOCAL = 0x02 << 40
_MAC_BITS = 48

# Locally administered, and not the 52:54:00 of which libvirt takes random addresses. 56:4f is "VO".
DEFAULT_PREFIX = "02:56:4f"
DEFAULT_SLOT_BITS = 4
_LATER_GROUP_BITS = 8  # of a second number in a name, such as that of the node in r12n07

_NAMESPACE = uuid.UUID("7c0b1f2e-5d3a-5b61-9a9e-0c3f6f6c7a11")
_NUMBER = re.compile(r"[0-9]+")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, section 2.1
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


class Scheme(ABC):
    """How slots on hypervisors get their MACs."""

    @abstractmethod
    def mac(self, hypervisor: str, slot: int) -> int:
        """Return the MAC of the instance in a slot, as a 48-bit integer.

        Raises:
            InputError: the name or the slot has none.
        """

    @abstractmethod
    def place(self, mac: int, hypervisors: Iterable[str]) -> tuple[str, int] | None:
        """Return the hypervisor and the slot a MAC belongs to, or None where it is none of theirs.

        Raises:
            InputError: the name of a hypervisor has no MACs.
        """

    @abstractmethod
    def require_distinct(self, hypervisors: Iterable[str]) -> None:
        """See to it that no two slots of these hypervisors share a MAC.

        Raises:
            InputError: two do; both names are in the message.
        """


@dataclass(frozen=True)
class Positional(Scheme):
    """Prefix, number in the hypervisor's name, and slot, each in bits of its own, from left to right.

    Attributes:
        prefix: the first `prefix_bits` bits of every MAC.
        slot_bits: the width of the slot's number.
        slots: how many slots a hypervisor has at most; its addresses stand that far apart.
        pattern: finds the numbers in a name, in its groups; None takes all in its first label.
        group_bits: the width of each number; empty gives 8 bits to all but the first.
    """

    prefix: int
    prefix_bits: int
    slot_bits: int
    slots: int
    pattern: re.Pattern[str] | None = None
    group_bits: tuple[int, ...] = ()

    @property
    def number_bits(self) -> int:
        """The width of a hypervisor's number."""
        return _MAC_BITS - self.prefix_bits - self.slot_bits

    def number(self, hypervisor: str) -> int:
        """Return the number that a hypervisor's name holds; several in it are put side by side, bit by bit.

        Raises:
            InputError: it holds none, or one that is too large.
        """
        words = self._words(hypervisor)
        if len(words) == 1 and not self.group_bits:
            return _within(words[0], self.number_bits, hypervisor)
        number = 0
        for word, bits in zip(words, self._widths(len(words), hypervisor)):
            number = number << bits | _within(word, bits, hypervisor)
        return number

    def mac(self, hypervisor: str, slot: int) -> int:
        """See `Scheme`."""
        if not 0 <= slot < self.slots:
            raise _no_slot(slot, self.slots, hypervisor)
        return (self.prefix << self.number_bits | self.number(hypervisor)) << self.slot_bits | slot

    def place(self, mac: int, hypervisors: Iterable[str]) -> tuple[str, int] | None:
        """See `Scheme`."""
        slot = mac & ((1 << self.slot_bits) - 1)
        if mac >> (_MAC_BITS - self.prefix_bits) != self.prefix or slot >= self.slots:
            return None
        number = mac >> self.slot_bits & ((1 << self.number_bits) - 1)
        return next(((name, slot) for name in hypervisors if self.number(name) == number), None)

    def require_distinct(self, hypervisors: Iterable[str]) -> None:
        """See `Scheme`."""
        seen: dict[int, str] = {}
        for name in hypervisors:
            other = seen.setdefault(self.number(name), name)
            if other != name:
                raise InputError(
                    f"{other} and {name} have the same number, and so the same MACs",
                    hint="give a pattern whose groups also hold what tells them apart, or use mode: hashed",
                )

    def address(self, network: str, hypervisor: str, slot: int) -> str:
        """Return the IP address of the instance in a slot: the network's, counted up by number and slot.

        Args:
            network: in CIDR notation.

        Raises:
            InputError: it is no network, or too small.
        """
        if not 0 <= slot < self.slots:
            raise _no_slot(slot, self.slots, hypervisor)
        first, last, version = _usable(network)
        place = first + self.number(hypervisor) * self.slots + slot
        # The network's own address is the place of slot 0 on host 0.
        if not first < place <= last:
            raise InputError(
                f"slot {slot} on {hypervisor} is number {place - first} of {network}, which has 1 to {last - first}",
                hint="give a larger network, or fewer slots to each hypervisor",
            )
        return str(netaddr.IPAddress(place, version))

    def _words(self, hypervisor: str) -> Sequence[str]:
        if self.pattern is None:
            if _ADDRESS.fullmatch(hypervisor):
                raise InputError(f"{hypervisor!r} is no host name", hint="name hypervisors as in node042")
            found: Sequence[str] = _NUMBER.findall(hypervisor.partition(".")[0])
        else:
            match = self.pattern.search(hypervisor)
            found = [word for word in match.groups() if word is not None] if match else []
        if not found or not all(map(_NUMBER.fullmatch, found)):
            raise InputError(
                f"the name {hypervisor!r} has no number"
                + (f" where {self.pattern.pattern!r} looks" if self.pattern else ""),
                hint="give a pattern whose groups are the numbers in the names, or use mode: hashed",
            )
        return found

    def _widths(self, count: int, hypervisor: str) -> Sequence[int]:
        later = (_LATER_GROUP_BITS,) * (count - 1)
        widths = self.group_bits or (self.number_bits - sum(later), *later)
        if len(widths) != count or min(widths) < 1:
            raise InputError(
                f"the name {hypervisor!r} has {count} numbers, which do not fit",
                hint="give a pattern with a group for each number that counts, and the bits of each as group_bits",
            )
        return widths


@dataclass(frozen=True)
class Hashed(Scheme):
    """46 bits of the SHA-256 of the whole name, in lower case, and the slot; locally administered.

    Two can meet: among 1,000 instances at one site in 140 million, among 1,000,000 at every 140th.
    """

    slots: int

    def mac(self, hypervisor: str, slot: int) -> int:
        """See `Scheme`."""
        if not hypervisor:
            raise InputError("a hypervisor without a name has no MAC")
        if not 0 <= slot < self.slots:
            raise _no_slot(slot, self.slots, hypervisor)
        digest = hashlib.sha256(f"{hypervisor.lower()}/{slot}".encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:6], "big") & ~_MULTICAST | _LOCAL

    def place(self, mac: int, hypervisors: Iterable[str]) -> tuple[str, int] | None:
        """See `Scheme`."""
        places = ((name, slot) for name in hypervisors for slot in range(self.slots))
        return next((place for place in places if self.mac(*place) == mac), None)

    def require_distinct(self, hypervisors: Iterable[str]) -> None:
        """See `Scheme`."""
        seen: dict[int, tuple[str, int]] = {}
        for name in hypervisors:
            for slot in range(self.slots):
                other = seen.setdefault(self.mac(name, slot), (name, slot))
                if other != (name, slot):
                    raise InputError(
                        f"slot {other[1]} on {other[0]} and slot {slot} on {name} have the same MAC",
                        hint="rename one of them, or use mode: positional",
                    )


def make_scheme(
    *,
    mode: str = POSITIONAL,
    prefix: str | None = None,
    slot_bits: int = DEFAULT_SLOT_BITS,
    slots: int | None = None,
    pattern: str | None = None,
    group_bits: Sequence[int] = (),
) -> Scheme:
    """Return the scheme that options describe.

    Args:
        prefix: the first one to five octets of every MAC.
        slots: how many slots a hypervisor has at most; None for all that `slot_bits` can count.

    Raises:
        InputError: they contradict each other, or make no unicast addresses.
        ToolError: netaddr is not installed.
    """
    if NETADDR_ERROR:
        raise ToolError("the Python library netaddr is not installed", hint="install netaddr on the controller")
    if not 1 <= slot_bits <= 16:
        raise InputError(f"slot_bits is {slot_bits}", hint="give 1 to 16")
    most = 1 << slot_bits
    slots = most if slots is None else slots
    if not 1 <= slots <= most:
        raise InputError(f"{slots} slots do not fit into {slot_bits} bits", hint=f"give 1 to {most}, or more slot_bits")
    if mode == HASHED:
        if prefix is not None or pattern is not None or group_bits:
            raise InputError("mode: hashed takes no prefix, pattern or group_bits", hint="leave them out")
        return Hashed(slots)
    value, bits = _parse_prefix(DEFAULT_PREFIX if prefix is None else prefix)
    scheme = Positional(value, bits, slot_bits, slots, _compile(pattern), tuple(group_bits))
    if scheme.number_bits < 1 or sum(group_bits) > scheme.number_bits or any(width < 1 for width in group_bits):
        raise InputError(
            f"a prefix of {bits} bits, numbers of {sum(group_bits) or 1} bits and slots of {slot_bits} are not 48 bits",
            hint="shorten one of them",
        )
    return scheme


def parse_mac(text: str) -> int:
    """Return a MAC, in any of the usual forms, as a 48-bit integer.

    Raises:
        InputError: it is none.
    """
    # netaddr would take EUI('1') and 64-bit identifiers, too.
    if not re.fullmatch(r"[0-9A-Fa-f]{1,4}([:.-][0-9A-Fa-f]{1,4}){1,5}|[0-9A-Fa-f]{6}[:-]?[0-9A-Fa-f]{6}", text):
        raise InputError(f"{text!r} is no MAC address", hint="write it like 02:56:4f:00:02:a1")
    try:
        return int(netaddr.EUI(text, version=48))
    except (netaddr.AddrFormatError, ValueError):
        raise InputError(f"{text!r} is no MAC address", hint="write it like 02:56:4f:00:02:a1") from None


def format_mac(mac: int, dialect: str = DIALECTS[0]) -> str:
    """Return a MAC as text, in one of netaddr's dialects."""
    shape, separator, shifts, mask = _dialect(dialect)
    return separator.join([shape % (mac >> shift & mask) for shift in shifts])


def instance_name(template: str, hypervisor: str, slot: int) -> str:
    """Return an instance's name: `template` with ``{hypervisor}`` (its first label) and ``{slot}`` filled in.

    Raises:
        InputError: the result cannot be a host name (RFC 1123).
    """
    short = hypervisor.partition(".")[0].lower()
    name = template.replace("{hypervisor}", short).replace("{slot}", str(slot))
    if not _LABEL.fullmatch(name):
        raise InputError(f"an instance cannot be called {name!r}", hint="use letters, digits and dashes, 63 at most")
    return name


def domain_uuid(name: str) -> str:
    """Return the UUID of an instance's domain: the same whenever it is made anew.

    A guest with an empty machine-id takes its own from it (man 5 machine-id).
    """
    return str(uuid.uuid5(_NAMESPACE, name))


def _within(digits: str, bits: int, hypervisor: str) -> int:
    # Python refuses to convert thousands of digits, and no field has more than 47 bits.
    number = int(digits) if len(digits) < 40 else 1 << _MAC_BITS
    if number >> bits:
        raise InputError(
            f"the number {digits[:40]} in {hypervisor[:80]} does not fit into {bits} bits (at most {(1 << bits) - 1})",
            hint="use a shorter prefix, fewer slot_bits, or a pattern that finds another number",
        )
    return number


def _no_slot(slot: int, slots: int, hypervisor: str) -> InputError:
    return InputError(f"{hypervisor} has no slot {slot}, only 0 to {slots - 1}", hint="raise max_slots, or correct it")


def _parse_prefix(text: str) -> tuple[int, int]:
    """Return a prefix and its width in bits."""
    octets = text.replace("-", ":").split(":")
    if not 1 <= len(octets) <= 5 or not all(re.fullmatch("[0-9A-Fa-f]{2}", octet) for octet in octets):
        raise InputError(f"{text!r} is no prefix of MAC addresses", hint="give one to five octets, like 02:56:4f")
    value = int("".join(octets), 16)
    if int(octets[0], 16) & 1:
        raise InputError(
            f"the prefix {text} has the multicast bit, which no interface's own address may have",
            hint="give an even first octet",
        )
    return value, 8 * len(octets)


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"the pattern {pattern!r} is no regular expression ({error})") from None
    if not compiled.groups:
        raise InputError(f"the pattern {pattern!r} has no group", hint="put parentheses around the number")
    return compiled


@lru_cache(maxsize=8)
def _usable(network: str) -> tuple[int, int, int]:
    """Return a network's own address and the last one that hosts can have, as integers, and its version."""
    try:
        parsed = netaddr.IPNetwork(network)
    except (netaddr.AddrFormatError, ValueError):
        raise InputError(f"{network!r} is no network", hint="write it like 10.16.0.0/16") from None
    broadcast = parsed.version == 4 and parsed.prefixlen < 31
    return parsed.first, parsed.last - broadcast, parsed.version


@cache
def _dialect(name: str) -> tuple[str, str, tuple[int, ...], int]:
    """Return what `format_mac` needs of a dialect: format and separator of words, their places, their mask."""
    if name not in DIALECTS:
        raise InputError(f"there is no MAC format {name!r}", hint=f"choose from {', '.join(DIALECTS)}")
    dialect = netaddr.mac_eui48 if name == "eui48" else getattr(netaddr, f"mac_{name}")
    shifts = tuple(range(_MAC_BITS - dialect.word_size, -1, -dialect.word_size))
    return dialect.word_fmt, dialect.word_sep, shifts, (1 << dialect.word_size) - 1


__all__ = [
    "DEFAULT_PREFIX",
    "DEFAULT_SLOT_BITS",
    "DIALECTS",
    "HASHED",
    "POSITIONAL",
    "Hashed",
    "Positional",
    "Scheme",
    "domain_uuid",
    "format_mac",
    "instance_name",
    "make_scheme",
    "parse_mac",
]
