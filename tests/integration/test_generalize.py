"""Images are cleaned the same by both drivers, whatever a stranger has put into the folders that are emptied."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._generalize import registry
from ansible_collections.voc.cluster.plugins.module_utils._generalize.run import generalize
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MOUNT_POINT, private_mounts

from .machine import tool

DRIVERS = ("ext", pytest.param("mounted", marks=pytest.mark.root))
SECRET = b"planted-and-deleted " * 4000


def clean(runner: Runner, image: Path, access: str, words: Sequence[str] = ("defaults",)) -> dict:
    options = {"image": str(image), "access": access, "root": None, "machine_id": "empty", "report": True}
    return generalize(runner, options, registry.select(words), apply=True)


def account(result: dict, name: str) -> dict:
    (found,) = [operation for operation in result["operations"] if operation["name"] == name]
    return found


@contextmanager
def mounted_by_hand(image: Path) -> Iterator[Path]:
    """Let the kernel write to an image, as the guest itself would have."""
    with private_mounts():
        tool("mount", "--make-rprivate", "/")
        tool("mount", "-o", "loop", image, MOUNT_POINT)
        try:
            yield Path(MOUNT_POINT)
        finally:
            tool("umount", MOUNT_POINT)


def hostile(root: Path) -> None:
    """Add what a stranger could have left in folders that are emptied."""
    (root / "tmp").chmod(0o1777)
    (root / "tmp" / "loop").symlink_to("loop")
    (root / "tmp" / "out").symlink_to("/../../../../etc")
    (root / "tmp" / "folder").mkdir()
    (root / "tmp" / "folder" / "back").symlink_to("..")
    os.mkfifo(root / "tmp" / "folder" / "fifo")
    os.link(root / "etc" / "precious", root / "tmp" / "folder" / "hard")
    os.link(root / "etc" / "precious", root / "var" / "log" / "wtmp")
    for name in ('qu"ote', "-dash", "tab\there", "a b", os.fsdecode(b"latin-\xe9"), "<12>", "#hash", "n" * 255):
        (root / "tmp" / name).write_text("x")
    (root / "var" / "lib" / "cloud").symlink_to("/etc")
    (root / "var" / "spool").mkdir()
    (root / "var" / "spool" / "mail").symlink_to("../../etc")


FILES = {
    "etc/precious": "precious\n",
    "etc/fstab": "",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "usr/lib/systemd/systemd": "",
    "var/log/syslog": "log",
    "var/lib/x": "",
    "tmp/plain": "x",
    "root/.bash_history": "secret",
}


@pytest.mark.parametrize("access", DRIVERS)
def test_a_hostile_tree_is_cleaned_and_nothing_else_is_touched(
    access: str, make_partition: Callable[..., Path], runner: Runner
) -> None:
    image = make_partition(FILES, fill=hostile)
    result = clean(runner, image, access)
    tool("e2fsck", "-f", "-n", image)
    assert tool("debugfs", "-R", "cat /etc/precious", image) == "precious\n"
    names = [line.split("/")[5] for line in tool("debugfs", "-R", "ls -p /tmp", image).splitlines() if line]
    assert names == [".", ".."]
    assert "Mode:  01777" in tool("debugfs", "-R", "stat /tmp", image)
    assert "Links: 1" in tool("debugfs", "-R", "stat /etc/precious", image)
    left = [line for operation in result["operations"] for line in operation["left"]]
    assert "/var/lib/cloud: it leads to /etc" in left
    again = clean(runner, image, access)
    assert not again["changed"]


@pytest.mark.parametrize("access", DRIVERS)
def test_a_name_with_a_newline_is_removed_where_that_can_be_or_stays_and_is_told(
    access: str, make_partition: Callable[..., Path], runner: Runner
) -> None:
    def fill(root: Path) -> None:
        (root / "tmp" / "deep" / "er").mkdir(parents=True)
        (root / "tmp" / "deep" / "er" / "a\nb").write_text("x")
        (root / "tmp" / "deep" / "other").write_text("x")
        (root / "tmp" / "a\n/12/100644/0/0/".replace("/", "|")).write_text("x")

    image = make_partition(FILES, fill=fill)
    result = account(clean(runner, image, access), "temporary-files")
    tool("e2fsck", "-f", "-n", image)
    listing = tool("debugfs", "-R", "ls -p /tmp/deep/er", image, accept=(0, 1))
    assert ("a\nb" in listing) == (access == "ext")
    assert len(result["left"]) == (2 if access == "ext" else 0)
    assert "other" not in tool("debugfs", "-R", "ls -p /tmp/deep", image)


@pytest.mark.root
@pytest.mark.parametrize(("access", "number"), [("ext", 3000), ("mounted", 100_000)])
def test_a_folder_with_very_many_files_is_emptied(access: str, number: int, tmp_path: Path, runner: Runner) -> None:
    image = tmp_path / "image"
    tool("truncate", "-s", "128M", image)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-N", str(number + 2000), image)
    with mounted_by_hand(image) as root:
        for folder in ("etc", "usr", "tmp"):
            (root / folder).mkdir()
        (root / "etc/fstab").touch()
        for count in range(number):
            (root / f"tmp/file-{count}").touch()
    result = clean(runner, image, access)
    assert account(result, "temporary-files")["count"] == number
    assert len(result["changes"]) <= 1000
    tool("e2fsck", "-f", "-n", image)
    assert not clean(runner, image, access)["changed"]


@pytest.mark.root
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_what_a_guest_deleted_is_gone_from_every_kind_of_filesystem(kind: str, tmp_path: Path, runner: Runner) -> None:
    image = tmp_path / "image"
    tool("truncate", "-s", "512M" if kind == "xfs" else "256M", image)
    make = {"ext4": ("mke2fs", "-q", "-F", "-t", "ext4"), "xfs": ("mkfs.xfs", "-q"), "btrfs": ("mkfs.btrfs", "-q")}
    tool(*make[kind], image)
    with mounted_by_hand(image) as root:
        for folder in ("etc", "usr/lib", "tmp"):
            (root / folder).mkdir(parents=True)
        (root / "etc/fstab").touch()
        (root / "etc/kept").write_bytes(b"kept" * 5000)
        (root / "tmp/x").write_bytes(SECRET)
    assert SECRET[:1000] in image.read_bytes()
    result = clean(runner, image, "auto")
    assert SECRET[:1000] not in image.read_bytes()
    assert account(result, "free-space")["bytes"] > 0
    with mounted_by_hand(image) as root:
        assert (root / "etc/kept").read_bytes() == b"kept" * 5000
        assert list((root / "tmp").iterdir()) == []
