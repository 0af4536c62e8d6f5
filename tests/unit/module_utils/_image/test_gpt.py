from __future__ import annotations

import io
import json
import os
import struct
import uuid
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, ImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import dos, gpt, partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import MEBIBYTE, Partition, Table, Wish
from ansible_collections.voc.cluster.tests.unit.images import tool

SIZE = 4 * MEBIBYTE
DATA = partitions.TYPES["gpt"]["data"]
ESP = partitions.TYPES["gpt"]["esp"]
DISK_ID = "11111111-2222-4333-8444-555555555555"
UUIDS = [f"11111111-2222-4333-8444-5555555555{number:02}" for number in range(60)]


def _image(path: Path, size: int, script: str = "") -> Path:
    path.touch()
    os.truncate(path, size)
    if script:
        tool("sfdisk", "-q", "--no-reread", path, data=script.encode())
    return path


def _table(sector_size: int = 512) -> Table:
    whole = SIZE // sector_size
    parts = (
        Partition(3, whole // 4, 16, ESP, uuid=UUIDS[0], name="EFI System", attributes=4),
        Partition(128, whole // 2, 16, DATA, uuid=UUIDS[1]),
    )
    return Table("gpt", parts, sector_size, DISK_ID)


def _bytes(table: Table) -> bytes:
    disk = io.BytesIO(bytes(SIZE))
    gpt.write(disk, table, SIZE)
    return disk.getvalue()


SMALL, LARGE = (_bytes(_table(size)) for size in partitions.SECTOR_SIZES)


def _read(disk: bytes) -> Table:
    return gpt.read(io.BytesIO(disk), len(disk), "disk")


def _everything(table: Table) -> tuple:
    parts = tuple((part, part.uuid, part.name) for part in table.partitions)
    return table.label, table.sector_size, table.id, parts


@pytest.mark.parametrize("size", partitions.SECTOR_SIZES)
def test_a_table_comes_back_as_it_was(size: int) -> None:
    assert _everything(_read(_bytes(_table(size)))) == _everything(_table(size))


def test_what_is_written_is_byte_for_byte_what_sfdisk_writes(tmp_path: Path) -> None:
    script = (
        f"label: gpt\nlabel-id: {DISK_ID}\nfirst-lba: 34\n"
        f'3 : start=2048, size=16, type={ESP}, uuid={UUIDS[0]}, name="EFI System", attrs="LegacyBIOSBootable"\n'
        f"128 : start=4096, size=16, type={DATA}, uuid={UUIDS[1]}\n"
    )
    theirs = _image(tmp_path / "theirs", SIZE, script).read_bytes()
    assert _everything(_read(theirs)) == _everything(_table())
    assert theirs == SMALL


@pytest.mark.parametrize("size", partitions.SECTOR_SIZES)
def test_fdisk_reads_what_is_written(size: int, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(_bytes(_table(size)))
    listed = tool("fdisk", "-b", str(size), "-o", "Device,Start,Sectors,UUID", "-l", tmp_path / "disk")
    assert f"Units: sectors of 1 * {size} = {size} bytes" in listed
    rows = [line.split()[1:] for line in listed.splitlines() if line.startswith(f"{tmp_path}/disk")]
    assert rows == [[str(part.start), str(part.size), part.uuid] for part in _table(size).partitions]
    assert "No errors detected" in tool("fdisk", "-b", str(size), tmp_path / "disk", data=b"v\nq\n")


def test_a_disk_of_fdisk_for_large_sectors_is_read(tmp_path: Path) -> None:
    disk = _image(tmp_path / "disk", 16 * MEBIBYTE)
    tool("fdisk", "-b", "4096", disk, data=b"g\nn\n1\n\n+4M\nn\n5\n\n+2M\nw\n")
    table = partitions.read(str(disk), 16 * MEBIBYTE)
    assert (table.label, table.sector_size) == ("gpt", 4096)
    assert [(part.number, table.offset(part), table.length(part)) for part in table.partitions] == [
        (1, MEBIBYTE, 4 * MEBIBYTE),
        (5, 5 * MEBIBYTE, 2 * MEBIBYTE),
    ]


def test_only_plain_names_are_kept() -> None:
    names = ["EFI System", 'a", type=U', "a\nb", "\x1b[0m", "é", "x" * 36]
    parts = (Partition(number, 64 + number, 1, DATA, name=name) for number, name in enumerate(names, start=1))
    seen = _read(_bytes(Table("gpt", tuple(parts))))
    assert [part.name for part in seen.partitions] == ["EFI System", None, None, None, None, "x" * 36]


def test_a_hybrid_table_is_that_of_its_gpt() -> None:
    """As Linux and sfdisk have it."""
    disk = io.BytesIO(SMALL)
    others = [dos.Entry(0, bytes(3), 0x83, bytes(3), 5000, 100), dos.EMPTY]
    dos.write_sector(disk, [*others, dos.protective(SIZE // 512), dos.EMPTY])
    assert dos.is_protective(disk.getvalue()[:512])
    assert _everything(_read(disk.getvalue())) == _everything(_table())


def test_a_disk_that_grew_is_read() -> None:
    assert _everything(_read(SMALL + bytes(MEBIBYTE))) == _everything(_table())


def test_the_copy_is_not_needed() -> None:
    assert _everything(_read(SMALL[:-512] + bytes(512))) == _everything(_table())


@pytest.mark.parametrize(("disk", "size"), [(SMALL, 512), (LARGE, 4096)])
@pytest.mark.parametrize("place", [0, 16, 40, 72])
def test_a_damaged_table_whose_copy_is_whole_says_so(disk: bytes, size: int, place: int) -> None:
    spoilt = bytearray(disk)
    spoilt[size + place] ^= 1
    with pytest.raises(DamagedImageError, match="the copy at the end of the disk is whole; repair a copy of the image"):
        _read(bytes(spoilt))


def test_fdisk_repairs_as_the_message_says(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(SMALL[:512] + bytes(512) + SMALL[1024:])
    tool("fdisk", disk, data=b"w\n")
    assert _everything(_read(disk.read_bytes())) == _everything(_table())


@pytest.mark.parametrize("disk", [SMALL, LARGE])
def test_a_table_that_is_cut_short_is_refused(disk: bytes) -> None:
    for length in (0, 512, 5000, 20000, SIZE // 2, SIZE - MEBIBYTE):
        with pytest.raises(DamagedImageError, match="damaged or cut short, or made for sectors"):
            _read(disk[:length])


def test_two_tables_are_refused() -> None:
    """A disk that was partitioned for small sectors and then for large ones."""
    with pytest.raises(DamagedImageError, match="one GPT for sectors of 512 bytes and one for sectors of 4096"):
        _read(_with_header(LARGE[:512] + bytes(512) + LARGE[1024:], entries_place=8))


def test_writing_leaves_no_table_for_other_sectors() -> None:
    disk = io.BytesIO(SMALL)
    gpt.write(disk, _table(4096), SIZE)
    assert _read(disk.getvalue()).sector_size == 4096
    gpt.write(disk, _table(), SIZE)
    assert _read(disk.getvalue()).sector_size == 512


_FIELDS = (
    *("magic", "revision", "length", "checksum", "reserved", "place", "other_place", "first_usable", "last_usable"),
    *("identity", "entries_place", "count", "entry_size", "entries_checksum"),
)
_LAYOUT = "<8sIIIIQQQQ16sQIII"


def _with_header(disk: bytes, /, **changes: object) -> bytes:
    """Write another header for sectors of 512 bytes, its checksums as they must be where they are not given."""
    header = dict(zip(_FIELDS, struct.unpack_from(_LAYOUT, SMALL, 512)))
    header.update(changes)
    start, length = header["entries_place"] * 512, header["count"] * header["entry_size"]
    if "entries_checksum" not in changes and length < len(disk):
        header["entries_checksum"] = crc32(disk[start : start + length])
    if "checksum" not in changes:
        header["checksum"] = 0
        header["checksum"] = crc32(struct.pack(_LAYOUT, *header.values()))
    return disk[:512] + struct.pack(_LAYOUT, *header.values()) + disk[512 + 92 :]


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 0xFFFFFFFF},
        {"entry_size": 0xFFFFFFFF},
        {"count": 0xFFFFFFFF, "entry_size": 0xFFFFFFFF},
        {"count": 1 << 20},
        {"entry_size": 0},
        {"entry_size": 64},
        {"entries_place": (1 << 64) - 1, "entries_checksum": 0},
        {"entries_place": SIZE // 512 - 1},
        {"last_usable": (1 << 64) - 1},
        {"place": 2},
        {"length": 0},
        {"length": 91},
        {"length": 513},
        {"length": 0xFFFFFFFF},
    ],
)
def test_a_header_that_claims_the_impossible_is_refused_at_once(changes: dict) -> None:
    with pytest.raises(DamagedImageError, match="its GPT is damaged"):
        _read(_with_header(SMALL, **changes))


def test_other_counts_and_sizes_of_entries_are_read() -> None:
    raw = SMALL[1024 : 1024 + 128 * 128]
    wide = b"".join(raw[at : at + 128] + b"\xff" * 128 for at in range(0, len(raw), 128))
    disk = SMALL[:MEBIBYTE] + wide + SMALL[MEBIBYTE + len(wide) :]
    seen = _read(_with_header(disk, entries_place=MEBIBYTE // 512, entry_size=256))
    assert _everything(seen) == _everything(_table())
    assert _read(_with_header(SMALL, count=0)).partitions == ()
    assert [part.number for part in _read(_with_header(SMALL, count=4)).partitions] == [3]


ENTRIES = st.tuples(
    st.sampled_from([bytes(16), uuid.UUID(DATA).bytes_le]) | st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.integers(0, SIZE // 512) | st.integers(0, (1 << 64) - 1),
    st.integers(0, SIZE // 512) | st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 64) - 1),
    st.binary(min_size=72, max_size=72),
)


@given(st.lists(ENTRIES, max_size=8))
def test_any_entries_give_a_sane_table_or_an_error(entries: list[tuple]) -> None:
    raw = b"".join(struct.pack("<16s16sQQQ72s", *entry) for entry in entries)
    disk = _with_header(SMALL[:1024] + raw + SMALL[1024 + len(raw) :])
    table = _read(disk)
    try:
        partitions.validate(table, SIZE, "disk")
    except ImageError:
        return
    for part in table.partitions:
        assert 0 < table.offset(part) < table.offset(part) + table.length(part) <= SIZE
        assert part.name is None or part.name.isascii()


HEAD = st.sampled_from([SMALL[: 6 << 10], LARGE[: 6 << 10]])


@given(HEAD, st.lists(st.tuples(st.integers(0, (6 << 10) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_changed_table_is_the_same_or_refused(head: bytes, changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(head)
    for place, value in changes:
        spoilt[place] = value
    whole = SMALL if head == SMALL[: len(head)] else LARGE
    try:
        seen = _read(bytes(spoilt) + whole[len(head) :])
    except DamagedImageError:
        assert spoilt != head
        return
    assert _everything(seen) == _everything(_table(seen.sector_size))


@given(st.binary(max_size=4096), st.sampled_from([512, 4096]), st.integers(0, 600))
def test_any_bytes_give_an_error(content: bytes, place: int, length: int) -> None:
    disk = bytearray(b"EFI PART".rjust(place + 8, b"\0") + content)
    struct.pack_into("<I", disk.ljust(place + 20, b"\0"), 12, length)
    with pytest.raises(DamagedImageError):
        _read(bytes(disk))


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=20),
    st.sampled_from(partitions.SECTOR_SIZES),
)
def test_what_was_planned_is_read(sizes: list[int], sector_size: int) -> None:
    wishes = [Wish("data", size * MEBIBYTE) for size in sizes]
    size = partitions.disk_size_for("gpt", wishes, None)
    planned = partitions.arrange("gpt", wishes, size, sector_size=sector_size)
    disk = io.BytesIO()
    disk.truncate(size)
    gpt.write(disk, planned, size)
    assert gpt.read(disk, size, "disk") == planned


def test_sfdisk_agrees_about_a_table_with_many(tmp_path: Path) -> None:
    parts = tuple(Partition(number, 64 + number, 1, DATA, uuid=UUIDS[number]) for number in range(1, 60, 2))
    (tmp_path / "disk").write_bytes(_bytes(Table("gpt", parts, 512, DISK_ID)))
    listed = json.loads(tool("sfdisk", "--json", tmp_path / "disk"))["partitiontable"]["partitions"]
    assert [(part["start"], part["size"], part["type"], part["uuid"]) for part in listed] == [
        (part.start, part.size, part.type, part.uuid) for part in parts
    ]
