# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Names and addresses: the guest's own name, its hosts file, and which servers it asks for others."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import ini, tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.lines import (
    Anchor,
    LineSearch,
    Markers,
    compiled,
    end_line,
    split,
    with_block,
    with_line,
)
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan

HOSTNAME = "/etc/hostname"
HOSTS = "/etc/hosts"
RESOLV_CONF = "/etc/resolv.conf"
RESOLVED = "/etc/systemd/resolved.conf.d/50-voc-cluster.conf"
NETWORK_MANAGER = "/etc/NetworkManager/conf.d/50-voc-cluster-dns.conf"
DHCLIENT = "/etc/dhcp/dhclient.conf"
UDHCPC = "/etc/udhcpc/udhcpc.conf"
DHCPCD = "/etc/dhcpcd.conf"

# Where the name was before /etc/hostname: EL 6, SLES 11, Gentoo.
_OLD_NAMES = (("/etc/sysconfig/network", "HOSTNAME={}"), ("/etc/conf.d/hostname", 'hostname="{}"'))
_SUSE_NAME = "/etc/HOSTNAME"
_OWN_ADDRESS = "127.0.1.1"  # Debian's, for a machine without a lasting one
_HEADER = "# Written by voc.cluster.\n"
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")


def set_hostname(plan: Plan, name: str) -> None:
    """Give the guest a name of its own, wherever its family keeps that.

    Raises:
        InputError: it is no host name.
    """
    _require_names(name)
    if len(name) > 64:
        raise InputError(f"the host name {name!r} is longer than 64 characters")  # man 7 hostname
    plan.write_text(HOSTNAME, f"{name}\n")
    if tree.exists(plan, _SUSE_NAME) and tree.resolve(plan, _SUSE_NAME) != tree.resolve(plan, HOSTNAME):
        plan.write_text(_SUSE_NAME, f"{name}\n")
    for path, line in _OLD_NAMES:
        text = tree.read_text(plan, path)
        search = LineSearch(line.format(name), compiled(rf"^\s*{line.partition('=')[0]}="))
        # What EL 7 has of that file no longer holds the name.
        if text is not None and any(search.matches(old) for old in split(text)):
            plan.write_text(path, with_line(text, search, Anchor()))
    hosts = tree.read_text(plan, HOSTS) or ""
    if any(words[:1] == [_OWN_ADDRESS] for words in map(str.split, split(hosts))):
        set_host(plan, _OWN_ADDRESS, list(dict.fromkeys([name, name.partition(".")[0]])))


def set_host(plan: Plan, address: str, names: Sequence[str]) -> None:
    """Let the hosts file have these names, and no others, for an address; without any, no line for it.

    Raises:
        InputError: it is no address, or a name is none.
    """
    wanted = _address(address)
    _require_names(*names)
    lines = split(tree.read_text(plan, HOSTS) or "")
    own = [number for number, line in enumerate(lines) if _is_for(line, wanted)]
    if own and [lines[number].split("#")[0].split()[1:] for number in own] == [list(names)]:
        return
    place = own[0] if own else len(lines)
    kept = [line for number, line in enumerate(lines) if number not in own]
    if names:
        end_line(kept, place)
        kept.insert(place, f"{wanted}\t{' '.join(names)}\n")
    plan.write_text(HOSTS, "".join(kept))


def set_resolver(plan: Plan, servers: Sequence[str], search: Sequence[str], options: Sequence[str]) -> None:
    """Let the guest ask these name servers, whatever DHCP says, through whatever resolver it has.

    Raises:
        InputError: an address, a domain or an option that cannot be.
    """
    addresses = [_address(server) for server in servers]
    if not addresses:
        raise InputError("there is no name server", hint="give one at least")
    _require_names(*search)
    if any(not re.fullmatch(r"[a-z0-9:-]+", option) for option in options):
        raise InputError(f"{' '.join(options)!r} are no options of a resolver", hint="write them like timeout:2")
    link = tree.resolve(plan, RESOLV_CONF, follow=False)
    entry = plan.lstat(link)
    target = plan.readlink(link) if entry and entry.kind == "symlink" else ""
    if "systemd/resolve" in target:
        plan.write_text(RESOLVED, _resolved(addresses, search))
        return
    if target:
        plan.remove(link)  # what it leads to is written at boot
    plan.write_text(RESOLV_CONF, resolv_conf(addresses, search, options))
    _keep_others_off(plan, addresses, search)


def _keep_others_off(plan: Plan, addresses: Sequence[str], search: Sequence[str]) -> None:
    """Keep what brings an interface up from writing its own resolv.conf."""
    if tree.exists(plan, "/usr/sbin/NetworkManager"):
        plan.write_text(NETWORK_MANAGER, f"{_HEADER}[main]\ndns=none\n")
    if any(tree.exists(plan, path) for path in ("/sbin/dhclient", "/usr/sbin/dhclient")):
        text = tree.read_text(plan, DHCLIENT) or ""
        block = dhclient_supersedes(addresses, search)
        plan.write_text(DHCLIENT, with_block(text, Markers.of("# {mark} voc.cluster"), block, Anchor()))
    if tree.exists(plan, "/sbin/udhcpc"):
        keep_udhcpc_off(plan)
    if any(tree.exists(plan, f"{folder}/dhcpcd") for folder in ("/sbin", "/usr/sbin", "/usr/bin")):
        text = tree.read_text(plan, DHCPCD) or ""
        # First: after the name of an interface it would be for that one alone (man 5 dhcpcd.conf).
        anchor = Anchor(before=True)
        plan.write_text(DHCPCD, with_block(text, Markers.of("# {mark} voc.cluster"), "nohook resolv.conf", anchor))


def keep_udhcpc_off(plan: Plan) -> None:
    """Keep busybox's DHCP client from writing resolv.conf."""
    text = tree.read_text(plan, UDHCPC) or ""
    plan.write_text(UDHCPC, ini.with_option(text, None, "RESOLV_CONF", ["no"], ini.Style(spaces=False)))


def dhclient_supersedes(addresses: Sequence[str], search: Sequence[str]) -> str:
    """Return what makes dhclient take other servers than those that it is told (man 5 dhclient.conf)."""
    families: dict[str, list[str]] = {"domain-name-servers": [], "dhcp6.name-servers": []}
    for address in addresses:
        families["dhcp6.name-servers" if ":" in address else "domain-name-servers"].append(address)
    families["domain-search"] = [f'"{domain}"' for domain in search]
    return "".join(f"supersede {option} {', '.join(values)};\n" for option, values in families.items() if values)


def _resolved(addresses: Sequence[str], search: Sequence[str]) -> str:
    domains = " ".join(search)
    # The root domain sends all questions to these servers, and none to those of an interface.
    return f"{_HEADER}[Resolve]\nDNS={' '.join(addresses)}\nDomains={f'{domains} ' if domains else ''}~.\n"


def resolv_conf(addresses: Sequence[str], search: Sequence[str], options: Sequence[str] = ()) -> str:
    """Return the file that every program reads (man 5 resolv.conf)."""
    lines = [f"search {' '.join(search)}\n"] if search else []
    lines += [f"nameserver {address}\n" for address in addresses]
    lines += [f"options {' '.join(options)}\n"] if options else []
    return _HEADER + "".join(lines)


def _is_for(line: str, address: str) -> bool:
    words = line.split("#")[0].split()
    try:
        return bool(words) and _address(words[0]) == address
    except InputError:
        return False


def _address(word: str) -> str:
    address, percent, zone = word.partition("%")
    try:
        found = str(ipaddress.ip_address(address))
    except ValueError as error:
        raise InputError(f"{word!r} is not an IP address") from error
    return f"{found}{percent}{zone}"


def _require_names(*names: str) -> None:
    for name in names:
        if len(name) > 253 or not _NAME.fullmatch(name):
            raise InputError(f"{name!r} is not a host name", hint="use letters, digits, dots and dashes")


__all__ = [
    "dhclient_supersedes",
    "keep_udhcpc_off",
    "resolv_conf",
    "set_host",
    "set_hostname",
    "set_resolver",
]
