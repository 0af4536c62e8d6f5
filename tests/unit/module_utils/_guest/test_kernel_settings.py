from __future__ import annotations

import typing as t
from collections.abc import Callable

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import kernel_settings as kernel
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

SYSTEMD: dict[str, t.Any] = {"/usr/lib/systemd/systemd": "", "/sbin/init": ("->", "../usr/lib/systemd/systemd")}
EL6: dict[str, t.Any] = {"/sbin/init": "", "/sbin/initctl": "", "/etc/sysconfig/modules": None}
DEBIAN7: dict[str, t.Any] = {"/sbin/init": "", "/etc/modules": "# one a line\nloop\n"}
SLES11: dict[str, t.Any] = {"/sbin/init": "", "/etc/sysconfig/kernel": 'A="b"\nMODULES_LOADED_ON_BOOT="loop"\n'}


def _do(guest: MemoryTree, what: Callable[..., None], *arguments: t.Any) -> list[str]:
    plan = Plan(guest)
    what(plan, *arguments)
    paths = [change.path for change in plan.changes()]
    plan.apply()
    return paths


@pytest.mark.parametrize(
    ("files", "path", "text"),
    [
        (SYSTEMD, "/etc/modules-load.d/voc-cluster-nfs.conf", "# Written by voc.cluster.\nnfs\n"),
        (EL6, "/etc/sysconfig/modules/voc-cluster-nfs.modules", None),
        (DEBIAN7, "/etc/modules", "# one a line\nloop\nnfs\n"),
        (SLES11, "/etc/sysconfig/kernel", 'A="b"\nMODULES_LOADED_ON_BOOT="loop nfs"\n'),
    ],
)
def test_a_module_is_loaded_as_the_guest_does_it(files: dict[str, t.Any], path: str, text: str | None) -> None:
    guest = MemoryTree(dict(files))
    before = {place: guest.text(place) for place, content in files.items() if isinstance(content, str)}
    assert path in _do(guest, kernel.load_module, "nfs", True)
    if text is not None:
        assert guest.text(path) == text
    else:
        entry = guest.lstat(path)
        assert entry
        assert entry.attributes.mode == 0o755
        assert "modprobe nfs" in guest.text(path)
    assert _do(guest, kernel.load_module, "nfs", True) == []
    _do(guest, kernel.load_module, "nfs", False)
    assert {place: guest.text(place) for place in before} == before
    assert _do(guest, kernel.load_module, "nfs", False) == []


def test_a_module_is_kept_out_and_let_in_again() -> None:
    guest = MemoryTree()
    plan = Plan(guest)
    kernel.blacklist_module(plan, "floppy", True)
    assert "initramfs" in plan.notes[0]
    plan.apply()
    assert "blacklist floppy\ninstall floppy /bin/false\n" in guest.text(
        f"{kernel.MODPROBE}/voc-cluster-blacklist-floppy.conf"
    )
    again = Plan(guest)
    kernel.blacklist_module(again, "floppy", True)
    assert (again.changes(), again.notes) == ([], [])
    assert _do(guest, kernel.blacklist_module, "floppy", False)
    assert _do(guest, kernel.blacklist_module, "floppy", False) == []


def test_parameters_of_a_module_come_and_go() -> None:
    guest = MemoryTree()
    assert _do(guest, kernel.module_options, "lnet", "networks=tcp0(eth0)")
    assert guest.text(f"{kernel.MODPROBE}/voc-cluster-lnet.conf").endswith("options lnet networks=tcp0(eth0)\n")
    assert _do(guest, kernel.module_options, "lnet", "")
    assert _do(guest, kernel.module_options, "lnet", "") == []


def test_a_kernel_parameter_has_one_value() -> None:
    guest = MemoryTree({**SYSTEMD, "/etc/sysctl.conf": "#vm.swappiness = 1\nvm/swappiness=5\nkernel.x = 1\n"})
    assert _do(guest, kernel.set_sysctl, "vm.swappiness", "10") == [
        "/etc/sysctl.d",
        "/etc/sysctl.conf",
        kernel.SYSCTL_FILE,
    ]
    assert guest.text("/etc/sysctl.conf") == "#vm.swappiness = 1\nvm.swappiness = 10\nkernel.x = 1\n"
    assert guest.text(kernel.SYSCTL_FILE).endswith("\nvm.swappiness = 10\n")
    assert _do(guest, kernel.set_sysctl, "vm.swappiness", "10") == []
    _do(guest, kernel.set_sysctl, "vm.swappiness", "20")
    assert guest.text(kernel.SYSCTL_FILE).count("swappiness") == 1
    _do(guest, kernel.set_sysctl, "vm.swappiness", None)
    assert guest.text("/etc/sysctl.conf") == "#vm.swappiness = 1\nkernel.x = 1\n"
    assert _do(guest, kernel.set_sysctl, "vm.swappiness", None) == []


def test_older_guests_have_all_parameters_in_one_file() -> None:
    guest = MemoryTree({"/sbin/init": "", "/etc/sysctl.conf": "a.b = 1\na.b = 2\n"})
    assert _do(guest, kernel.set_sysctl, "a.b", "3") == ["/etc/sysctl.conf"]
    assert guest.text("/etc/sysctl.conf") == "a.b = 3\n"


@pytest.mark.parametrize(
    "bad",
    [
        (kernel.load_module, "../x", True),
        (kernel.blacklist_module, "a b", True),
        (kernel.module_options, "a", "b\nc"),
        (kernel.set_sysctl, "a b", "1"),
        (kernel.set_sysctl, "a.b", "1\nc"),
    ],
)
def test_what_no_line_can_hold_is_refused(bad: tuple[t.Any, ...]) -> None:
    what, *arguments = bad
    with pytest.raises(InputError):
        what(Plan(MemoryTree()), *arguments)


def test_lists_of_modules_that_others_wrote_keep_what_else_they_load() -> None:
    files = {
        "/etc/modules": "# one a line\nloop max_loop=64\nsnd-seq\n",
        "/etc/modules-load.d/modules.conf": ("->", "../modules"),
        "/etc/modules-load.d/nfs.conf": "nfs\nsunrpc\n",
        "/etc/modules-load.d/note": "fuse\n",
        "/usr/lib/modules-load.d/vendor.conf": "fuse\nbridge\n",
        "/usr/lib/modules-load.d/nfs.conf": "other\n",
    }
    guest = MemoryTree({**SYSTEMD, **files})
    for name in ("nfs", "bridge", "loop"):
        assert _do(guest, kernel.load_module, name, True) == []
    assert _do(guest, kernel.load_module, "other", True) == ["/etc/modules-load.d/voc-cluster-other.conf"]
    assert _do(guest, kernel.load_module, "nfs", False) == ["/etc/modules-load.d/nfs.conf"]
    assert guest.text("/etc/modules-load.d/nfs.conf") == "sunrpc\n"
    assert _do(guest, kernel.load_module, "loop", False) == ["/etc/modules"]
    assert _do(guest, kernel.load_module, "snd_seq", False) == ["/etc/modules"]
    assert guest.text("/etc/modules") == "# one a line\n"
    assert _do(guest, kernel.load_module, "bridge", False) == ["/etc/modules-load.d/vendor.conf"]
    assert guest.text("/etc/modules-load.d/vendor.conf") == "fuse\n"
    for name in ("nfs", "loop", "bridge", "snd-seq"):
        assert _do(guest, kernel.load_module, name, False) == []
