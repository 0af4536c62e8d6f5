# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""The instances of a site: one for each slot of each hypervisor, worked out from the hypervisors' variables."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.voc.cluster.plugins.module_utils._addressing import (
    DEFAULT_SLOT_BITS,
    HASHED,
    POSITIONAL,
    Positional,
    Scheme,
    domain_uuid,
    format_mac,
    instance_name,
    make_scheme,
)
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, located

FUNCTIONAL, LEASED = "functional", "leased"
DEFAULT_NAME = "{hypervisor}-vm{slot}"

Variables = Mapping[str, t.Any]


@dataclass(frozen=True)
class Instance:
    """A virtual machine that a slot can hold.

    Attributes:
        voc: the virtual cluster it works for, where the site says so.
        addressing: whether its addresses are `FUNCTIONAL` or `LEASED`.
        mac: None where addresses are leased.
        ip: None where there is no network to take it from.
        uuid: of its domain.
    """

    name: str
    hypervisor: str
    slot: int
    voc: str | None
    addressing: str
    mac: str | None
    ip: str | None
    uuid: str

    def variables(self) -> dict[str, t.Any]:
        """Return what its host in the inventory gets."""
        known = {
            "instance_hypervisor": self.hypervisor,
            "instance_slot": self.slot,
            "instance_voc": self.voc,
            "instance_addressing": self.addressing,
            "instance_mac": self.mac,
            "instance_ip": self.ip,
            "instance_uuid": self.uuid,
            "ansible_host": self.ip,
        }
        return {name: value for name, value in known.items() if value is not None}


def instances(hypervisors: Mapping[str, Variables]) -> list[Instance]:
    """Return the instances of all slots, in the order of the hypervisors.

    Args:
        hypervisors: their names and variables.

    Raises:
        InputError: a variable is not what it must be, or two instances share a name or an address.
    """
    found: list[Instance] = []
    for name, variables in hypervisors.items():
        with located(name):
            found += _of_one(name, variables)
    for instance in found:
        if instance.name in hypervisors:
            raise InputError(
                f"an instance would be called {instance.name}, as a hypervisor is", hint="set voc_instance_name"
            )
    _require_distinct(found, "name", [instance.name for instance in found])
    _require_distinct(found, "MAC", [instance.mac for instance in found])
    _require_distinct(found, "IP address", [instance.ip for instance in found])
    return found


def _of_one(hypervisor: str, variables: Variables) -> Iterator[Instance]:
    addressing = _choice(variables, "voc_addressing", (FUNCTIONAL, LEASED))
    scheme = None if addressing == LEASED else _scheme(variables)
    network, voc = _text(variables, "voc_network"), _text(variables, "voc_name")
    template = _text(variables, "voc_instance_name") or DEFAULT_NAME
    for slot in range(_counted(variables, "voc_slots", 1)):
        name = instance_name(template, hypervisor, slot)
        mac = scheme.mac(hypervisor, slot) if scheme else None
        yield Instance(
            name=name,
            hypervisor=hypervisor,
            slot=slot,
            voc=voc,
            addressing=addressing,
            # Not as voc_mac_format has it: libvirt and DHCP servers know this form alone.
            mac=None if mac is None else format_mac(mac),
            # Only numbers can be counted: hashed names get their addresses elsewhere.
            ip=scheme.address(network, hypervisor, slot) if network and isinstance(scheme, Positional) else None,
            uuid=domain_uuid(name),
        )


def _scheme(variables: Variables) -> Scheme:
    return _make_scheme(
        _choice(variables, "voc_mac_mode", (POSITIONAL, HASHED)),
        _text(variables, "voc_mac_prefix"),
        _text(variables, "voc_mac_pattern"),
        _integers(variables, "voc_mac_group_bits"),
        _counted(variables, "voc_mac_slot_bits", DEFAULT_SLOT_BITS),
        _integer(variables, "voc_max_slots"),
    )


@lru_cache(maxsize=64)
def _make_scheme(
    mode: str, prefix: str | None, pattern: str | None, group_bits: tuple[int, ...], slot_bits: int, slots: int | None
) -> Scheme:
    """Make the scheme that most hypervisors have in common once."""
    return make_scheme(
        mode=mode, prefix=prefix, pattern=pattern, group_bits=group_bits, slot_bits=slot_bits, slots=slots
    )


def _text(variables: Variables, name: str) -> str | None:
    value = variables.get(name)
    if value is None or (isinstance(value, str) and "{{" not in value):
        return value
    raise InputError(f"{name} is {value!r}, which is no plain text", hint="put it in quotes, without a template")


def _choice(variables: Variables, name: str, choices: Sequence[str]) -> str:
    """Return one of several words; the first where none is given."""
    value = _text(variables, name) or choices[0]
    if value not in choices:
        raise InputError(f"{name} is {value!r}", hint=f"choose from {', '.join(choices)}")
    return value


def _integer(variables: Variables, name: str) -> int | None:
    value = variables.get(name)
    if value is None:
        return None
    # Variables of an INI inventory with an equals sign in a group are text.
    if isinstance(value, bool) or not str(value).isdecimal():
        raise InputError(f"{name} is {value!r}, which is no number", hint="give a whole number")
    return int(value)


def _counted(variables: Variables, name: str, default: int) -> int:
    value = _integer(variables, name)
    return default if value is None else value


def _integers(variables: Variables, name: str) -> tuple[int, ...]:
    value = variables.get(name) or ()
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, int) for item in value):
        raise InputError(f"{name} is {value!r}, which is no list of numbers", hint="write it like [12, 8]")
    return tuple(value)


def _require_distinct(found: Sequence[Instance], what: str, values: Sequence[str | None]) -> None:
    seen: dict[str, Instance] = {}
    for instance, value in zip(found, values):
        if value is None:
            continue
        other = seen.setdefault(value, instance)
        if other is not instance:
            raise InputError(
                f"slot {other.slot} on {other.hypervisor} and slot {instance.slot} on {instance.hypervisor}"
                f" have the same {what}, {value}",
                hint="see the variables voc_mac_pattern, voc_mac_prefix, voc_network and voc_instance_name",
            )


__all__ = ["DEFAULT_NAME", "FUNCTIONAL", "LEASED", "Instance", "instances"]
