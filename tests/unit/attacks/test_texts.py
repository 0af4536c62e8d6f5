"""Texts of an image that get into results and messages: labels, names, the guest's own words."""

from __future__ import annotations

import os
import shutil
import struct
import typing as t
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import identify
from ansible_collections.voc.cluster.tests.unit.attacks.hostile import VERBS, Attack
from ansible_collections.voc.cluster.tests.unit.attacks.hostile import plant as write_at
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext, plant, tool, whole

RAW = b"\x1b[2J\n\xff\"'\x07\x9b"


def strings(value: t.Any) -> Iterator[str]:
    """Yield every text of a result, its keys too."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (key, *strings(each))
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def _ext(path: Path) -> None:
    make_ext(path, size=MIB)
    write_at(path, RAW.ljust(16, b"\0"), 1024 + 0x78)  # s_volume_name
    write_at(path, RAW.ljust(64, b"\0"), 1024 + 0x88)  # s_last_mounted


def _superblock(magics: dict[int, bytes], label: int, size: int = 2 * MIB) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_bytes(bytes(size))
        for offset, magic in magics.items():
            write_at(path, magic, offset)
        write_at(path, RAW[:11].ljust(11), label)

    return make


FILESYSTEMS = {
    "ext4": _ext,
    "xfs": _superblock({0: b"XFSB" + struct.pack(">IQ", 4096, 256)}, 108),
    "btrfs": _superblock({0x10040: b"_BHRfS_M", 0x10070: struct.pack("<Q", MIB)}, 0x1012B),
    "swap": _superblock({4086: b"SWAPSPACE2"}, 1052),
    "vfat": _superblock({54: b"FAT16   ", 38: b"\x29"}, 43),
}


@pytest.mark.parametrize("kind", FILESYSTEMS)
def test_a_label_is_printable(kind: str, attack: Attack, tmp_path: Path) -> None:
    FILESYSTEMS[kind](tmp_path / "part")
    found = identify(whole(tmp_path / "part"))
    assert found
    assert found.label
    assert found.label.isprintable()
    seen = attack("image_info", path=str(tmp_path / "part"))
    assert [found["type"] for found in seen["filesystems"]] == [kind]
    assert seen["filesystems"][0]["label"]
    assert all(text.isprintable() for text in strings(seen))


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a guest whose every word is hostile."""
    folder = tmp_path_factory.mktemp("guest")
    files: dict[str, str | bytes] = {
        "/etc/os-release": b'ID="'
        + RAW
        + b'"\nPRETTY_NAME="\x1b]0;owned\x07 \xe2\x80\xae$(id)"\nVERSION_ID=`id`\n'
        + b"A=\0\n",
        "/etc/hostname": RAW,
        "/etc/fstab": b"UUID=\x1b[2J /\x1b[2J ext4 \x07 0 1\n/dev/\x1b[0m /a\xff none x 0 0\n\0\n",
        "/etc/default/grub": b'GRUB_CMDLINE_LINUX="\x1b[2J"\n',
        "/boot/vmlinuz-6.1\x1b[2J": "k",
        "/boot/initrd.img-6.1\x1b[2J": "i",
        "/lib/modules/6.1\x1b[2J/modules.dep": "",
        "/boot/vmlinuz-6.2.0": "k",
        "/boot/initrd.img-6.2.0": "i",
        "/lib/modules/6.2.0/modules.dep": "",
        "/boot/grub/grub.cfg": b"menuentry '\x1b[2J' {\n linux /boot/\x1b[2J root=\x07\n initrd /\xff\n}\n",
        "/etc/machine-id": RAW,
        "/var/lib/dpkg/status": (
            b"Package: \x1b[2J\nStatus: install ok installed\nVersion: \xff\n\n"
            b"Package: present\nStatus: install ok installed\n"
        ),
        "/var/log/\x1b[2J.log": "x",
        "/etc/ssh/ssh_host_\x1b_key": "x",
    }
    tree = plant(folder / "tree", files)
    (tree / "etc/\x1b[2J").symlink_to("/\x1b]0;owned\x07")
    return make_disk(folder / "disk", make_ext(folder / "part", tree, size=4 * MIB))


@pytest.mark.parametrize("verb", VERBS)
def test_the_words_of_a_guest_are_printable(verb: str, guest: Path, attack: Attack, tmp_path: Path, out: Path) -> None:
    """They go to terminals and logs, and a line of them must stay one."""
    shutil.copy(guest, tmp_path / "disk")
    result = attack(verb, **VERBS[verb](str(tmp_path / "disk"), out))
    diff = result.pop("diff", None)
    assert all(text.isprintable() for text in strings(result)), result
    for text in strings(diff):
        assert all(line.isprintable() for line in text.split("\n")), text


def test_a_name_in_the_guest_that_is_no_text_is_told_apart(attack: Attack, tmp_path: Path) -> None:
    tree = plant(tmp_path / "tree", {"/etc/hostname": "x"})
    (tree / os.fsdecode(b"boot\xff")).mkdir()
    (tree / "boot").mkdir()
    (tree / "boot" / os.fsdecode(b"vmlinuz-\xff\x1b")).write_bytes(b"k")
    result = attack("image_info", path=str(make_ext(tmp_path / "part", tree)))
    assert all(text.isprintable() for text in strings(result))


def test_a_message_of_a_tool_about_the_image_is_one_line(attack: Attack, tmp_path: Path, out: Path) -> None:
    """e2fsck quotes labels and file names as they are."""
    tree = plant(tmp_path / "tree", {"/a\x1b[2J\nb": "x" * 4000, "/c": "y" * 4000})
    part = make_ext(tmp_path / "part", tree, kind="ext2")
    tool("tune2fs", "-L", "a\x1b[2J", part)
    block = tool("debugfs", "-R", "bmap /c 0", part).strip()
    tool("debugfs", "-w", "-R", f"set_inode_field <12> block[0] {block}", part)
    result = attack("image_layout", src=str(part), dest=str(out / "out"))
    assert "errors that e2fsck cannot repair safely" in result["msg"]
