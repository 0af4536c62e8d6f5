"""Filesystems that lie about themselves, through every verb."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import VERBS, Attack
from ansible_collections.voc.cluster.tests.unit.attacks.hostile import plant as write_at
from ansible_collections.voc.cluster.tests.unit.images import make_disk, make_endless_ext, make_ext, plant, tool

FILES: dict[str, str | bytes] = {
    "/etc/os-release": "ID=debian\n",
    "/var/log/syslog": "x",
    "/boot/vmlinuz-6.1.0": "k",
    "/boot/initrd.img-6.1.0": "i",
    "/lib/modules/6.1.0/modules.dep": "",
    "/usr/bin/apt-get": "",
    "/var/lib/dpkg/status": "Package: present\nStatus: install ok installed\n",
}


def _ssv(*requests: str) -> Callable[[Path], None]:
    """Change the superblock and its checksum; debugfs writes what it is told."""

    def change(part: Path) -> None:
        for request in requests:
            tool("debugfs", "-w", "-R", f"ssv {request}", part)

    return change


def _raw(offset: int, form: str, *values: int) -> Callable[[Path], object]:
    return lambda part: write_at(part, struct.pack(form, *values), 1024 + offset)


LIES: dict[str, Callable[[Path], object]] = {
    "64-bit-blocks": _raw(0x150, "<I", 0xFFFFFFFF),
    "all-blocks": _raw(4, "<I", 0xFFFFFFFF),
    "no-blocks": _raw(4, "<I", 0),
    "no-inodes": _raw(0, "<I", 0),
    "no-blocks-in-a-group": _raw(0x20, "<I", 0),
    "no-inodes-in-a-group": _raw(0x28, "<I", 0),
    "blocks-of-2-to-the-38": _raw(0x18, "<I", 28),
    "inodes-of-no-size": _raw(0x58, "<H", 0),
    "unknown-features": _raw(0x60, "<I", 0xFFFFFFFF),
    "first-block-far-away": _raw(0x14, "<I", 0xFFFFFFF0),
    "a-journal-device": _raw(0x60, "<I", 0x8),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an ordinary partition image."""
    folder = tmp_path_factory.mktemp("part")
    return make_ext(folder / "part", plant(folder / "tree", FILES)).read_bytes()


@pytest.fixture
def part(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "part"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("verb", ["image_info", "image_layout", "image_edit"])
def test_a_superblock_that_lies_is_refused_or_harmless(
    verb: str, lie: str, attack: Attack, part: Path, out: Path
) -> None:
    LIES[lie](part)
    result = attack(verb, **VERBS[verb](str(part), out))
    assert not result.get("failed") or not (out / "out").exists()


@pytest.mark.parametrize("verb", ["image_layout", "image_boot", "image_direct_boot", "image_edit", "image_packages"])
def test_a_journal_on_another_device_is_refused(verb: str, attack: Attack, part: Path, out: Path) -> None:
    """e2fsck and the kernel would open the builder's device of that number, or of that UUID."""
    _ssv("journal_inum 0", "journal_dev 0x0801", "journal_uuid 01234567-89ab-cdef-0123-456789abcdef")(part)
    disk = make_disk(part.with_name("disk"), part)
    result = attack(verb, **VERBS[verb](str(disk), out))
    assert "a filesystem whose journal is on another device, which is not supported" in result["msg"]
    assert not (out / "out").exists()


@pytest.mark.parametrize(
    ("verb", "above"),
    [("image_info", "/"), ("image_boot", "/"), ("image_kernel", "/lib/modules"), ("image_generalize", "/var/log")],
)
def test_a_folder_in_itself_ends_nothing_and_loops_nowhere(
    verb: str, above: str, attack: Attack, part: Path, out: Path
) -> None:
    tool("debugfs", "-w", "-R", f"ln {above} /var/log/self", part)
    tool("debugfs", "-w", "-R", f"ln {above} /lib/modules/6.1.0/self", part)
    tool("debugfs", "-w", "-R", f"ln {above} /boot/self", part)
    assert "self" in tool("debugfs", "-R", "ls /var/log", part)
    disk = make_disk(part.with_name("disk"), part)
    attack(verb, **VERBS[verb](str(disk), out))


def test_a_check_that_never_ends_is_real(part: Path) -> None:
    """What a verb does about it is tested where programs are started; here, that there is such an image."""
    image = make_endless_ext(part.with_name("endless"), plant(part.with_name("tree"), FILES))
    assert tool("debugfs", "-R", "cat /etc/os-release", image) == FILES["/etc/os-release"]
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}
    argv = ["e2fsck", "-fn", str(image)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as e2fsck:
        assert e2fsck.stdout
        restarts = 0
        while restarts < 10:
            line = e2fsck.stdout.readline()
            assert line, "it ended"
            restarts += b"Pass 1" in line
        e2fsck.kill()


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_file_of_any_claimed_size_is_not_believed(size: int, attack: Attack, part: Path) -> None:
    """A file may claim 2 GiB and have one block."""
    for path in ("/etc/os-release", "/var/lib/dpkg/status"):
        tool("debugfs", "-w", "-R", f"sif {path} size {size}", part)
    assert not attack("image_info", path=str(part)).get("failed")
    assert attack("image_packages", image=str(part), name=["present"])["failed"]
