from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import clock, names
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree


def _do(guest: MemoryTree, what: Callable[..., None], *arguments: t.Any) -> list[str]:
    plan = Plan(guest)
    what(plan, *arguments)
    paths = [change.path for change in plan.changes()]
    plan.apply()
    return paths


def test_a_host_name_is_written_where_the_family_keeps_it() -> None:
    guest = MemoryTree(
        {
            "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 old.site old # Debian's\n",
            "/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=old\n",
            "/etc/HOSTNAME": "old\n",
            "/etc/conf.d/hostname": "# no name here\n",
        }
    )
    assert _do(guest, names.set_hostname, "wn.site")
    assert guest.text("/etc/hostname") == guest.text("/etc/HOSTNAME") == "wn.site\n"
    assert guest.text("/etc/sysconfig/network") == "NETWORKING=yes\nHOSTNAME=wn.site\n"
    assert guest.text("/etc/hosts") == "127.0.0.1 localhost\n127.0.1.1\twn.site wn\n"
    assert guest.text("/etc/conf.d/hostname") == "# no name here\n"
    assert _do(guest, names.set_hostname, "wn.site") == []


def test_a_host_has_one_line_and_other_lines_stay() -> None:
    guest = MemoryTree({"/etc/hosts": "::1 localhost # own\nfe80:0::1 a\n# 10.0.0.1 x\nfe80::1 b"})
    assert _do(guest, names.set_host, "fe80::1", ["head", "head.site"])
    assert guest.text("/etc/hosts") == "::1 localhost # own\nfe80::1\thead head.site\n# 10.0.0.1 x\n"
    assert _do(guest, names.set_host, "FE80:0::1", ["head", "head.site"]) == []
    assert _do(guest, names.set_host, "10.0.0.1", ["x"])
    assert _do(guest, names.set_host, "fe80::1", [])
    assert guest.text("/etc/hosts") == "::1 localhost # own\n# 10.0.0.1 x\n10.0.0.1\tx\n"


@given(st.text(st.sampled_from("10.:af# \t\nxyz%\udc80"), max_size=60))
def test_any_hosts_file_can_be_edited_twice_with_the_same_end(text: str) -> None:
    guest = MemoryTree({"/etc/hosts": text})
    _do(guest, names.set_host, "10.0.0.1", ["head"])
    assert _do(guest, names.set_host, "10.0.0.1", ["head"]) == []
    kept = iter(guest.text("/etc/hosts").split("\n"))
    assert all(line in kept for line in text.split("\n") if line and line.split("#")[0].split()[:1] != ["10.0.0.1"])


SERVERS = (["10.0.0.2", "fd00::2"], ["site"], ["timeout:2"])


def test_a_plain_resolver_is_a_file() -> None:
    guest = MemoryTree({"/etc/resolv.conf": ("->", "/run/resolvconf/resolv.conf")})
    assert _do(guest, names.set_resolver, *SERVERS)
    assert guest.text("/etc/resolv.conf").split("\n")[1:] == [
        *("search site", "nameserver 10.0.0.2", "nameserver fd00::2", "options timeout:2", "")
    ]
    assert _do(guest, names.set_resolver, *SERVERS) == []


def test_who_writes_the_file_otherwise_is_kept_off() -> None:
    guest = MemoryTree({"/usr/sbin/NetworkManager": "", "/sbin/dhclient": "", "/sbin/udhcpc": ""})
    _do(guest, names.set_resolver, *SERVERS)
    assert "dns=none" in guest.text(names.NETWORK_MANAGER)
    assert guest.text(names.DHCLIENT).split("\n")[1:-2] == [
        "supersede domain-name-servers 10.0.0.2;",
        "supersede dhcp6.name-servers fd00::2;",
        'supersede domain-search "site";',
    ]
    assert guest.text(names.UDHCPC) == "RESOLV_CONF=no\n"
    assert _do(guest, names.set_resolver, *SERVERS) == []


def test_dhcpcd_is_kept_off_for_every_interface() -> None:
    guest = MemoryTree({"/usr/sbin/dhcpcd": "", names.DHCPCD: "duid\ninterface eth0\nnoipv6\n"})
    assert _do(guest, names.set_resolver, *SERVERS)
    assert guest.text(names.DHCPCD).split("\n")[1:4:2] == ["nohook resolv.conf", "duid"]
    assert _do(guest, names.set_resolver, *SERVERS) == []


def test_resolved_keeps_its_link_and_is_told() -> None:
    guest = MemoryTree({"/etc/resolv.conf": ("->", "../run/systemd/resolve/stub-resolv.conf")})
    assert _do(guest, names.set_resolver, *SERVERS)[-1] == names.RESOLVED
    assert guest.text(names.RESOLVED).endswith("[Resolve]\nDNS=10.0.0.2 fd00::2\nDomains=site ~.\n")
    assert guest.readlink("/etc/resolv.conf") == "../run/systemd/resolve/stub-resolv.conf"
    assert _do(guest, names.set_resolver, *SERVERS) == []


def test_a_time_zone_is_a_link_or_a_copy() -> None:
    zone = {"/usr/share/zoneinfo/Europe/Prague": "TZif"}
    debian = MemoryTree({**zone, "/etc/timezone": "Etc/UTC\n", "/etc/localtime": ("->", "/usr/share/zoneinfo/UTC")})
    _do(debian, clock.set_timezone, "Europe/Prague")
    assert debian.readlink("/etc/localtime") == "../usr/share/zoneinfo/Europe/Prague"
    assert debian.text("/etc/timezone") == "Europe/Prague\n"
    el6 = MemoryTree({**zone, "/etc/sysconfig/clock": '# x\nZONE="UTC"\n', "/etc/localtime": "old"})
    _do(el6, clock.set_timezone, "Europe/Prague")
    assert el6.text("/etc/localtime") == "TZif"
    assert el6.text("/etc/sysconfig/clock") == '# x\nZONE="Europe/Prague"\n'
    for guest in (debian, el6):
        assert _do(guest, clock.set_timezone, "Europe/Prague") == []
        with pytest.raises(GuestError, match="does not know"):
            _do(guest, clock.set_timezone, "Mars/Base")


@pytest.mark.parametrize(
    "bad",
    [
        (names.set_hostname, "a b"),
        (names.set_hostname, "a" * 65),
        (names.set_hostname, ""),
        (names.set_hostname, "-a"),
        (names.set_host, "localhost", ["a"]),
        (names.set_host, "10.0.0.1", ["a\nb"]),
        (names.set_resolver, ["x"], [], []),
        (names.set_resolver, [], [], []),
        (names.set_resolver, ["10.0.0.1"], ["a b"], []),
        (names.set_resolver, ["10.0.0.1"], [], ["a\nb"]),
        (clock.set_timezone, "../../etc/passwd"),
        (clock.set_timezone, "a b"),
    ],
)
def test_what_cannot_be_meant_is_refused(bad: tuple[t.Any, ...]) -> None:
    what, *arguments = bad
    with pytest.raises(InputError):
        what(Plan(MemoryTree({"/usr/share/zoneinfo/UTC": ""})), *arguments)
