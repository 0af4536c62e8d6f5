"""What a hostile superblock asks the host's kernel for, and does not get."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted

from .drivers import whole
from .machine import loop_devices, tool

pytestmark = pytest.mark.root

ASKED = {
    "panic": ("-e", "panic"),
    "acl": ("-o", "acl,user_xattr,discard"),
    "data": ("-o", "journal_data_writeback,nobarrier"),
    "options": ("-E", "mount_opts=errors=panic"),
    "both": ("-e", "panic", "-E", "mount_opts=errors=panic"),
}


def _options(image: Path, root: str) -> tuple[set[str], set[str]]:
    """Return the options of the mount on `root`, and those of ext4 on its device."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    (device, options) = next((words[0], words[3]) for words in reversed(lines) if words[1] == root)
    held = next(iter(loop_devices((image,))))
    assert device in held
    told = Path(f"/proc/fs/ext4/{Path(device).name}/options").read_text().split()
    return set(options.split(",")), set(told)


@pytest.mark.parametrize("kind", ["ext2", "ext3", "ext4"])
@pytest.mark.parametrize("asked", ASKED)
def test_an_error_of_the_filesystem_stops_no_kernel(
    runner: Runner, make_partition: Callable[..., Path], asked: str, kind: str
) -> None:
    """With errors=panic the first error that the kernel meets in the image would reboot the builder."""
    image = make_partition({"file": "x"}, kind=kind)
    tool("tune2fs", *ASKED[asked], image)
    with mounted(runner, whole(image), kind) as root:
        options, told = _options(image, root)
    assert "errors=panic" not in told
    assert "errors=remount-ro" in told
    assert {"nosuid", "nodev"} <= options


def test_a_device_of_the_guest_opens_none_of_the_host(runner: Runner, make_partition: Callable[..., Path]) -> None:
    image = make_partition({"file": "x"})
    tool("debugfs", "-w", "-R", "mknod null c 1 3", image)
    with mounted(runner, whole(image), "ext4") as root:
        node = Path(root) / "null"
        assert stat.S_ISCHR(node.lstat().st_mode)
        with pytest.raises(PermissionError):
            node.read_bytes()
