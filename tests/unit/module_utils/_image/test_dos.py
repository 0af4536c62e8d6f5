from __future__ import annotations

import io
import json
import os
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, ImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import dos, partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import MEBIBYTE, Partition, Table
from ansible_collections.voc.cluster.tests.unit.images import tool

SIZE = 16 * MEBIBYTE
GIB = 1 << 30
CONTAINER = 2048  # where the extended partition of `_chain` begins, in sectors
LENGTH = 8192


def _image(path: Path, size: int, script: str) -> Path:
    path.touch()
    os.truncate(path, size)
    tool("sfdisk", "-q", "--no-reread", path, data=script.encode())
    return path


def _listed(path: Path) -> list[tuple]:
    parts = json.loads(tool("sfdisk", "--json", path))["partitiontable"]["partitions"]
    numbers = [int(re.findall(r"\d+$", part["node"])[0]) for part in parts]
    return [
        (number, part["start"], part["size"], part["type"], part.get("bootable", False))
        for number, part in zip(numbers, parts)
    ]


def _seen(path: Path) -> list[tuple]:
    table = partitions.read(str(path), path.stat().st_size)
    return [(part.number, part.start, part.size, part.type, part.bootable) for part in table.partitions]


@pytest.mark.parametrize(
    "script",
    [
        "2048,8M\n",
        "2048,2M,ef\n,2M,82\n,2M,L,*\n,\n",
        "2 : start=2048, size=4096, type=7\n4 : start=8192, size=1\n",
        "2048,2M\n,12M,5\n",
        "size=2M\ntype=5\nsize=2M\nsize=2M, type=82\nsize=1M, bootable\n",
        "size=2M\ntype=f\n5 : start=20480, size=2M\n6 : start=8192, size=2M\n",
        "size=2M\ntype=85\nsize=1M\n",
    ],
)
def test_a_table_of_sfdisk_is_read_as_sfdisk_reads_it(script: str, tmp_path: Path) -> None:
    disk = _image(tmp_path / "disk2026", SIZE, f"label: dos\nlabel-id: 0x00c0ffee\n{script}")
    assert _seen(disk) == _listed(disk)
    assert partitions.read(str(disk), SIZE).id == "0x00c0ffee"


def test_a_logical_partition_that_is_gone_leaves_no_gap(tmp_path: Path) -> None:
    """Its sector stays where it was the first one, for the extended partition begins with it."""
    disk = _image(tmp_path / "disk", SIZE, "label: dos\nsize=2M\ntype=5\nsize=1M\nsize=1M\nsize=1M\n")
    tool("sfdisk", "-q", "--no-reread", "--delete", disk, "5")
    assert [part[0] for part in _seen(disk)] == [1, 2, 5, 6]
    assert _seen(disk) == _listed(disk)


@pytest.mark.parametrize("size", [4 << 20, 12 * GIB, 2048 * GIB])
def test_what_is_written_is_byte_for_byte_what_sfdisk_writes(size: int, tmp_path: Path) -> None:
    rest = size // 512 - 4096
    script = (
        f"label: dos\nlabel-id: 0x12345678\n1 : start=4096, size={rest}, bootable\n3 : start=2048, size=10, type=c\n"
    )
    theirs = _image(tmp_path / "theirs", size, script)
    ours = tmp_path / "ours"
    ours.touch()
    parts = (Partition(1, 4096, rest, "83", bootable=True), Partition(3, 2048, 10, "c"))
    partitions.write(str(ours), Table("dos", parts, id="0x12345678"))
    with theirs.open("rb") as file:
        assert file.read(512) == ours.read_bytes()


def test_a_disk_without_an_identifier_gets_one() -> None:
    disks = [io.BytesIO(), io.BytesIO()]
    for disk in disks:
        dos.write(disk, Table("dos", (Partition(1, 1, 1, "83"),)))
    one, other = (dos.read(disk, "disk").id for disk in disks)
    assert one != other


def test_a_protective_entry_makes_no_dos_table(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(SIZE))
    for start in (1, 2):  # that of a GPT begins behind its own sector
        partitions.write(str(disk), Table("dos", (Partition(1, start, 5, "ee"),)))
        with pytest.raises(DamagedImageError, match="its GPT is damaged"):
            partitions.read(str(disk), SIZE)


@pytest.mark.parametrize("content", [b"", bytes(512), b"words" * 200])
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(DamagedImageError, match="it has no partition table"):
        dos.read(io.BytesIO(content), "disk")


def _sector(*entries: tuple[int, int, int]) -> bytes:
    """Return a sector with entries of a type, a start and a size."""
    packed = b"".join(struct.pack("<B3xB3xII", 0, *entry) for entry in entries)
    return bytes(446) + packed.ljust(64, b"\0") + b"\x55\xaa"


def _chain(sectors: dict[int, bytes], length: int = LENGTH) -> Table:
    """Read a disk with an extended partition, by the sectors in it."""
    disk = io.BytesIO(_sector((5, CONTAINER, length)))
    for place, sector in sectors.items():
        disk.seek((CONTAINER + place) * 512)
        disk.write(sector)
    return dos.read(disk, "disk")


@pytest.mark.parametrize(
    ("sectors", "finding"),
    [
        ({0: _sector((0x83, 1, 1), (5, 0, 9))}, "does not end"),
        ({0: _sector((0x83, 1, 1), (5, 10, 9)), 10: _sector((0x83, 1, 1), (5, 0, 9))}, "does not end"),
        ({10 * at: _sector((0x83, 1, 1), (5, 10 * at + 10, 9)) for at in range(150)}, "does not end"),
        ({0: _sector((0x83, 1, 1), (5, LENGTH, 9))}, "leaves the extended partition"),
        ({0: _sector((0x83, 1, 1), (5, 0xFFFFFFFF, 9))}, "leaves the extended partition"),
        ({0: _sector((0x83, 1, 1), (5, 10, 9))}, "is broken"),
        ({0: _sector((0x83, 1, 1), (5, 10, 9)), 10: b"text" * 128}, "is broken"),
    ],
)
def test_a_chain_that_cannot_be_is_refused(sectors: dict[int, bytes], finding: str) -> None:
    with pytest.raises(DamagedImageError, match=f"disk: the chain of its logical partitions {finding}"):
        _chain(sectors)


def test_an_extended_partition_may_be_empty_or_new() -> None:
    assert [part.number for part in _chain({}).partitions] == [1]
    assert [part.number for part in _chain({0: b"text" * 128}).partitions] == [1]
    assert [part.number for part in _chain({0: _sector()}).partitions] == [1]
    # Beyond the end of the file; its own place is refused later.
    assert [part.number for part in _chain({}, 0xFFFFFFFF).partitions] == [1]


def test_a_chain_may_go_backwards_and_skip_sectors_without_a_partition() -> None:
    sectors = {
        0: _sector((0, 0, 0), (5, 1000, 20)),
        1000: _sector((5, 500, 20), (0x82, 8, 10)),
        500: _sector((0x83, 4, 6), (0, 0, 0), (0x83, 1, 1), (5, 1, 1)),
    }
    logical = _chain(sectors).partitions[1:]
    assert [(part.number, part.start, part.size, part.type) for part in logical] == [
        (5, CONTAINER + 1008, 10, "82"),
        (6, CONTAINER + 504, 6, "83"),
    ]


def test_every_extended_partition_has_its_chain() -> None:
    """As in Linux, whose numbers count."""
    disk = io.BytesIO(_sector((5, 100, 50), (0xF, 200, 50)))
    for place in (100, 200):
        disk.seek(place * 512)
        disk.write(_sector((0x83, 1, 2)))
    assert [(part.number, part.start) for part in dos.read(disk, "disk").partitions] == [
        *((1, 100), (2, 200)),
        *((5, 101), (6, 201)),
    ]


SMALL = st.integers(0, 64)
ENTRIES = st.tuples(
    st.sampled_from([0, 5, 0xF, 0x83, 0xEE]) | st.integers(0, 255), SMALL | st.integers(0, 0xFFFFFFFF), SMALL
)
SECTORS = st.lists(ENTRIES, max_size=4).map(lambda entries: _sector(*entries)) | st.binary(min_size=512, max_size=512)


@given(st.lists(SECTORS, max_size=64), st.integers(0, 1 << 20))
def test_any_sectors_give_a_sane_table_or_an_error(sectors: list[bytes], size: int) -> None:
    try:
        table = dos.read(io.BytesIO(b"".join(sectors)), "disk")
        partitions.validate(table, size, "disk")
    except ImageError:
        return
    for part in table.partitions:
        assert 0 < table.offset(part) < table.offset(part) + table.length(part) <= size


@given(st.binary(max_size=600))
def test_any_bytes_are_protective_or_not(content: bytes) -> None:
    assert dos.is_protective(content) in (True, False)
