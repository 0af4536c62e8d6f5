"""Disks with hostile partition tables, through every verb (the tables themselves: test_partitions.py)."""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import VERBS, Attack
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext

LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4").bytes_le
SECTORS = 4 * MIB // 512
# One of each way to look into a working image.
READERS = ("image_info", "image_layout", "image_extract", "image_boot", "image_edit")


def _dos(*entries: tuple[int, int, int], sectors: int = SECTORS) -> Callable[[Path], None]:
    """Write a DOS table of (type, start, size)."""

    def write(disk: Path) -> None:
        table = b"".join(struct.pack("<B3xB3xII", 0, *entry) for entry in entries)
        with disk.open("r+b") as file:
            file.truncate(sectors * 512)
            file.seek(446)
            file.write(table.ljust(64, b"\0") + b"\x55\xaa")

    return write


def _ebr_loop(disk: Path) -> None:
    """Let the chain of logical partitions point at itself: 60 partitions, says sfdisk."""
    _dos((0x83, 2048, 2048), (0x05, 4096, 4096))(disk)
    chain = struct.pack("<B3xB3xIIB3xB3xII", 0, 0x83, 64, 64, 0, 0x05, 0, 4096)
    with disk.open("r+b") as file:
        file.seek(4096 * 512 + 446)
        file.write(chain + bytes(32) + b"\x55\xaa")


def _gpt(*entries: tuple[int, int], count: int = 128, width: int = 128, name: str = "") -> Callable[[Path], None]:
    """Write a GPT of (first, last) with right checksums, as far as its own claims allow."""

    def write(disk: Path) -> None:
        called = name.encode("utf-16-le", "surrogatepass")[:72].ljust(72, b"\0")
        records = [LINUX + uuid.uuid4().bytes + struct.pack("<QQQ", first, last, 0) + called for first, last in entries]
        table = b"".join(records).ljust(128 * 128, b"\0")
        with disk.open("r+b") as file:
            file.seek(446)
            file.write(struct.pack("<B3xB3xII", 0, 0xEE, 1, SECTORS - 1) + bytes(48) + b"\x55\xaa")
            for own, other, at in ((1, SECTORS - 1, 2), (SECTORS - 1, 1, SECTORS - 33)):
                header = struct.pack(
                    "<8sIIIIQQQQ16sQIII",
                    *(b"EFI PART", 0x10000, 92, 0, 0, own, other, 34, SECTORS - 34),
                    *(uuid.uuid4().bytes, at, count, width, zlib.crc32(table)),
                )
                header = header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:]
                file.seek(at * 512)
                file.write(table[: 32 * 512])
                file.seek(own * 512)
                file.write(header.ljust(512, b"\0"))

    return write


TABLES: dict[str, Callable[[Path], None]] = {
    "overlap": _dos((0x83, 2048, 4096), (0x83, 4096, 2048)),
    "outside": _dos((0x83, 2048, 1 << 31)),
    "wraps": _dos((0x83, 2048, 0xFFFFFFFF)),
    "same": _dos((0x83, 2048, 2048), (0x83, 2048, 2048)),
    "ebr-loop": _ebr_loop,
    "protective-only": _dos((0xEE, 1, SECTORS - 1)),
    "gpt-overlap": _gpt((2048, 6143), (4096, 7000)),
    "gpt-endless": _gpt((2048, (1 << 63) - 1)),
    "gpt-all-ones": _gpt((2048, (1 << 64) - 1)),
    "gpt-backwards": _gpt((4096, 2048)),
    "gpt-many-entries": _gpt((2048, 4095), count=0xFFFFFFFF),
    "gpt-wide-entries": _gpt((2048, 4095), width=0xFFFFFFFF),
    "gpt-no-width": _gpt((2048, 4095), width=0),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return an ordinary disk."""
    folder = tmp_path_factory.mktemp("disk")
    return make_disk(folder / "disk", make_ext(folder / "part", size=2 * MIB)).read_bytes().ljust(4 * MIB, b"\0")


@pytest.fixture
def disk(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", READERS)
def test_a_hostile_table_is_refused(verb: str, table: str, attack: Attack, disk: Path, out: Path) -> None:
    TABLES[table](disk)
    before = disk.read_bytes()
    result = attack(verb, **VERBS[verb](str(disk), out))
    assert result["failed"]
    assert str(disk) in result["msg"]
    assert disk.read_bytes() == before
    assert not (out / "out").exists()


@pytest.mark.parametrize("name", ["\x1b[2J", 'a"\nlabel: dos', "$(id)", "\ud800", "\u202e", "{{ 7 * 7 }}"])
def test_a_partition_name_is_plain_or_nothing(name: str, attack: Attack, disk: Path, out: Path) -> None:
    """A GPT's names are any UTF-16: they get into results, and into the script that writes the next table."""
    _gpt((2048, 6143), name=name)(disk)
    seen = attack("image_info", path=str(disk))
    assert [part["name"] for part in seen["partition_table"]["partitions"]] == [None]
    assert not attack("image_layout", **VERBS["image_layout"](str(disk), out)).get("failed")
    made = attack("image_info", path=str(out / "out"))
    assert made["partition_table"]["label"] == "gpt"
    assert made["partition_table"]["partitions"][-1]["name"] is None
