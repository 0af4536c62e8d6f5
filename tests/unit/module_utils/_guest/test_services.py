"""Services of every init system, enabled, disabled and masked by files alone."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import services, systemd, sysv, upstart
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

LSB = """#!/bin/sh
### BEGIN INIT INFO
# Provides: condor
# Required-Start: $network rpcbind
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
"""
CHKCONFIG = "#!/bin/sh\n# chkconfig: 35 64 36\n# description: none\n"
JOB = 'description "a job"\nstart on (started network\n          or runlevel [2345])\nstop on runlevel [06]\nexec /x\n'


def _guest(files: dict[str, t.Any], scripts: dict[str, str] | None = None, folder: str = "/etc/init.d") -> MemoryTree:
    guest = MemoryTree(files)
    for name, text in (scripts or {}).items():
        guest.add(f"{folder}/{name}", text, Attributes(0o755))
    return guest


def _systemd() -> MemoryTree:
    units = "/usr/lib/systemd/system"
    return _guest(
        {
            "/usr/lib/systemd/systemd": "",
            "/sbin/init": ("->", "../usr/lib/systemd/systemd"),
            "/etc/rc3.d/S01other": ("->", "../init.d/other"),
            f"{units}/cron.service": "[Install]\nWantedBy=multi-user.target\n",
            f"{units}/tty@.service": "[Install]\nDefaultInstance=1\nWantedBy=getty.target dev-%i.device\n",
            f"{units}/plain@.service": "[Install]\nWantedBy=multi-user.target\n",
        },
        {"condor": LSB},
    )


def _debian() -> MemoryTree:
    return _guest(
        {"/sbin/init": "", "/etc/rc2.d/S15rpcbind": ("->", "../init.d/rpcbind"), "/etc/rc3.d/K01x": ("->", "x")},
        {"condor": LSB, "rpcbind": ""},
    )


def _el6() -> MemoryTree:
    return _guest(
        {
            "/sbin/init": "",
            "/sbin/initctl": "",
            "/etc/sysconfig/network": "",
            "/etc/init.d": ("->", "rc.d/init.d"),
            "/etc/rc.d/rc3.d/S10network": ("->", "../init.d/network"),
            "/etc/init/job.conf": JOB,
        },
        {"condor": CHKCONFIG},
        "/etc/rc.d/init.d",
    )


def _suse() -> MemoryTree:
    return _guest(
        {"/sbin/init": "", "/etc/rc.d": ("->", "init.d"), "/etc/init.d/rc3.d/S01x": ("->", "../x")}, {"condor": LSB}
    )


def _ubuntu() -> MemoryTree:
    return _guest({"/sbin/init": "", "/sbin/initctl": "", "/etc/init/condor.conf": JOB})


def _alpine() -> MemoryTree:
    return _guest(
        {"/sbin/init": "", "/sbin/openrc": "", "/etc/runlevels/boot/syslog": ("->", "/etc/init.d/syslog")},
        {"condor": "", "syslog": ""},
    )


GUESTS = [_systemd, _debian, _el6, _suse, _ubuntu, _alpine]


def _do(guest: MemoryTree, name: str, **wanted: t.Any) -> list[str]:
    plan = Plan(guest)
    services.set_service(plan, name, **wanted)
    paths = [change.path for change in plan.changes()]
    plan.apply()
    return paths


def _links(guest: MemoryTree, name: str) -> dict[str, str]:
    return {path: target for path, (_entry, _content, target) in guest.nodes.items() if target.endswith(name)}


@pytest.mark.parametrize("make", GUESTS)
@pytest.mark.parametrize(
    "wanted", [{"enabled": True}, {"enabled": False}, {"masked": True}, {"masked": False}], ids=str
)
def test_what_is_wanted_is_done_once(make: t.Callable[[], MemoryTree], wanted: dict[str, bool]) -> None:
    guest = make()
    opposite = {key: not value for key, value in wanted.items()}
    _do(guest, "condor", **opposite)
    assert _do(guest, "condor", **wanted)
    assert _do(guest, "condor", **wanted) == []


@pytest.mark.parametrize("make", GUESTS)
def test_a_service_that_is_enabled_is_not_masked(make: t.Callable[[], MemoryTree]) -> None:
    guest = make()
    _do(guest, "condor", masked=True)
    assert _do(guest, "condor", enabled=True)
    assert _do(guest, "condor", masked=False) == []


@pytest.mark.parametrize("make", GUESTS)
def test_a_service_that_is_not_there_can_be_off_and_not_on(make: t.Callable[[], MemoryTree]) -> None:
    guest = make()
    assert _do(guest, "none", enabled=False) == []
    with pytest.raises(GuestError, match=r"the guest has no (service|unit) none"):
        _do(guest, "none", enabled=True)
    with pytest.raises(InputError, match="is not the name"):
        _do(guest, "../none", enabled=True)


def test_init_scripts_are_linked_after_what_they_need() -> None:
    guest = _debian()
    _do(guest, "condor", enabled=True)
    assert _links(guest, "condor") == {
        **{f"/etc/rc{level}.d/S20condor": "../init.d/condor" for level in "2345"},
        **{f"/etc/rc{level}.d/K80condor": "../init.d/condor" for level in "016"},
    }
    guest.add("/etc/rc2.d/S30rpcbind", ("->", "../init.d/rpcbind"))
    _do(guest, "condor", enabled=False)
    assert _links(guest, "condor") == {f"/etc/rc{level}.d/K80condor": "../init.d/condor" for level in "0123456"}
    _do(guest, "condor", enabled=True)
    assert "/etc/rc3.d/S31condor" in _links(guest, "condor")


def test_chkconfig_says_the_levels_and_the_order() -> None:
    guest = _el6()
    _do(guest, "condor", enabled=True)
    assert _links(guest, "condor") == {
        **{f"/etc/rc.d/rc{level}.d/S64condor": "../init.d/condor" for level in "35"},
        **{f"/etc/rc.d/rc{level}.d/K36condor": "../init.d/condor" for level in "01246"},
    }


def test_suse_has_its_levels_among_the_scripts() -> None:
    guest = _suse()
    _do(guest, "condor", enabled=True)
    assert _links(guest, "condor")["/etc/init.d/rc3.d/S20condor"] == "../condor"


def test_a_masked_script_cannot_be_run() -> None:
    guest = _debian()
    _do(guest, "condor", masked=True)
    entry = guest.lstat("/etc/init.d/condor")
    assert entry
    assert entry.attributes.mode == 0o644
    _do(guest, "condor", masked=False)
    entry = guest.lstat("/etc/init.d/condor")
    assert entry
    assert entry.attributes.mode == 0o755


def test_systemd_starts_init_scripts_by_their_links_and_masks_them_as_units() -> None:
    guest = _systemd()
    _do(guest, "condor", enabled=True)
    assert "/etc/rc3.d/S20condor" in _links(guest, "condor")
    _do(guest, "condor", masked=True)
    assert guest.readlink("/etc/systemd/system/condor.service") == "/dev/null"


def test_templates_are_enabled_by_their_instances() -> None:
    guest = _systemd()
    _do(guest, "tty@S0", enabled=True)
    template = "/usr/lib/systemd/system/tty@.service"
    folder = "/etc/systemd/system"
    assert _links(guest, "tty@.service") == {
        f"{folder}/getty.target.wants/tty@S0.service": template,
        f"{folder}/dev-S0.device.wants/tty@S0.service": template,
    }
    _do(guest, "tty@", enabled=True)
    assert f"{folder}/getty.target.wants/tty@1.service" in _links(guest, "tty@.service")
    with pytest.raises(GuestError, match="is a template"):
        _do(guest, "plain@", enabled=True)


def test_whatever_starts_a_unit_is_removed_when_it_is_disabled() -> None:
    guest = _systemd()
    link = "/etc/systemd/system/other.target.wants/cron.service"
    guest.add(link, ("->", "/lib/systemd/system/cron.service"))
    _do(guest, "cron", enabled=True)
    _do(guest, "cron", enabled=False)
    assert _links(guest, "cron.service") == {}


def test_a_unit_that_another_link_enables_stays_as_it_is() -> None:
    guest = _systemd()
    guest.add("/lib", ("->", "usr/lib"))
    guest.add("/etc/systemd/system/multi-user.target.wants/cron.service", ("->", "/lib/systemd/system/cron.service"))
    assert _do(guest, "cron", enabled=True) == []


def test_scripts_of_openrc_are_in_one_runlevel() -> None:
    guest = _alpine()
    assert _do(guest, "syslog", enabled=True) == []
    assert _do(guest, "condor", enabled=True, runlevel="nonetwork") == [
        "/etc/runlevels/nonetwork",
        "/etc/runlevels/nonetwork/condor",
    ]
    with pytest.raises(InputError, match="not the name of a runlevel"):
        _do(guest, "condor", enabled=True, runlevel="../x")


def test_jobs_of_upstart_start_by_hand_when_they_are_disabled() -> None:
    ubuntu, el6 = _ubuntu(), _el6()
    _do(ubuntu, "condor", enabled=False)
    assert ubuntu.text("/etc/init/condor.override") == "manual\n"
    _do(el6, "job", enabled=False)
    assert [line for line in el6.text("/etc/init/job.conf").split("\n") if not line.startswith("#")] == [
        'description "a job"',
        "stop on runlevel [06]",
        "exec /x",
        "",
    ]
    _do(el6, "job", enabled=True)
    assert el6.text("/etc/init/job.conf") == JOB


@given(st.text(st.sampled_from("start on()\\\n#x"), max_size=40))
def test_any_job_is_as_before_when_it_is_enabled_again(text: str) -> None:
    off = upstart.without_start(text)
    assert upstart.with_start(off) == upstart.with_start(text)
    assert upstart.without_start(off) == off


@given(st.text(st.sampled_from("# chkonfig:Default-StarRequid 0123456-$\n"), max_size=80))
def test_any_header_of_a_script_can_be_read(text: str) -> None:
    header = sysv.parse_header(text)
    assert 0 <= header.start <= 99
    assert 0 <= header.stop <= 99


_UNITS = "/usr/lib/systemd/system"


def _with_ssh() -> MemoryTree:
    """Make Debian's ssh, enabled, which is also called sshd."""
    return MemoryTree(
        {
            "/usr/lib/systemd/systemd": "",
            "/lib": ("->", "usr/lib"),
            "/sbin/init": ("->", "../usr/lib/systemd/systemd"),
            f"{_UNITS}/ssh.service": "[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n",
            f"{_UNITS}/getty@.service": "[Install]\nWantedBy=getty.target\n",
            f"{_UNITS}/autovt@.service": ("->", "getty@.service"),
            f"{_UNITS}/dbus-org.x.service": ("->", "x.service"),
            f"{_UNITS}/x.service": "[Install]\nWantedBy=multi-user.target\n",
            "/opt/other.service": "[Install]\nWantedBy=multi-user.target\n",
            "/etc/systemd/system/sshd.service": ("->", "/lib/systemd/system/ssh.service"),
            "/etc/systemd/system/brought.service": ("->", "/opt/other.service"),
            "/etc/systemd/system/multi-user.target.wants/ssh.service": ("->", "/lib/systemd/system/ssh.service"),
        }
    )


def _units(guest: MemoryTree) -> dict[str, str]:
    folder = "/etc/systemd/system/"
    return {
        path.removeprefix(folder): node[2]
        for path, node in guest.nodes.items()
        if path.startswith(folder) and node[0].kind == "symlink" and "brought" not in path
    }


def test_another_name_of_a_unit_means_the_unit() -> None:
    guest = _with_ssh()
    assert _do(guest, "sshd", enabled=False, masked=True)
    assert _units(guest) == {"ssh.service": "/dev/null"}
    # The link that was the other name is gone, and its unit is still known by it.
    assert _do(guest, "sshd", enabled=False, masked=True) == []
    assert _do(guest, "sshd", enabled=True, masked=False)
    path = f"{_UNITS}/ssh.service"
    assert _units(guest) == {"multi-user.target.wants/ssh.service": path, "sshd.service": path}
    assert _do(guest, "ssh", enabled=True, masked=False) == []


def test_a_mask_of_another_name_is_taken_back_with_that_of_the_unit() -> None:
    guest = _with_ssh()
    guest.add("/etc/systemd/system/sshd.service", ("->", "/dev/null"))
    _do(guest, "sshd", masked=False)
    assert _units(guest).keys() == {"multi-user.target.wants/ssh.service"}


@pytest.mark.parametrize(
    ("name", "enabled"),
    [("autovt@tty1", "getty@tty1"), ("dbus-org.x", "x"), ("brought", "brought"), ("getty@tty2", "getty@tty2")],
)
def test_what_a_link_names_is_known_by_where_it_leads(name: str, enabled: str) -> None:
    plan = Plan(_with_ssh())
    assert systemd.own_name(plan, f"{name}.service") == f"{enabled}.service"


def test_what_an_administrator_wrote_for_a_job_stays() -> None:
    guest = MemoryTree(
        {"/sbin/init": "", "/sbin/upstart-udev-bridge": "", "/sbin/initctl": "", "/etc/init/foo.conf": JOB}
    )
    path = "/etc/init/foo.override"
    guest.add(path, "manual\nenv A=1\nstart on x")
    plan = Plan(guest)
    upstart.Jobs().disable(plan, "foo")
    plan.apply()
    assert guest.text(path) == "env A=1\nstart on x\nmanual\n"
    upstart.Jobs().unmask(plan := Plan(guest), "foo")
    plan.apply()
    assert guest.text(path) == "env A=1\nstart on x\n"
    upstart.Jobs().unmask(plan := Plan(guest), "foo")
    assert plan.changes() == []
