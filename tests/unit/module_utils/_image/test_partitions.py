from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    InputError,
    SpaceError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import partitions
from ansible_collections.voc.cluster.plugins.module_utils._image.partitions import (
    MEBIBYTE,
    Partition,
    Table,
    Wish,
)
from ansible_collections.voc.cluster.tests.unit.images import plan_single, tool

GIB = 1 << 30


def _disk(path: Path, size: int, script: str = "") -> Path:
    path.touch()
    os.truncate(path, size)
    if script:
        tool("sfdisk", "-q", "--no-reread", path, data=script.encode())
    return path


def disk_size_for(content: int, wanted: int | None) -> int:
    return partitions.disk_size_for("dos", [Wish("root", content)], wanted)


@given(st.integers(1, 1 << 40))
def test_the_smallest_disk_holds_its_content_and_wastes_less_than_2_mib(content: int) -> None:
    size = disk_size_for(content, None)
    part = plan_single(size).partitions[0]
    assert part.start * 512 == MEBIBYTE
    assert content <= part.size * 512 < content + MEBIBYTE
    assert size == (part.start + part.size) * 512


@given(st.integers(1, 1 << 40), st.integers(0, 1 << 41))
def test_a_wanted_size_is_rounded_down_and_never_too_small(content: int, wanted: int) -> None:
    try:
        size = disk_size_for(content, wanted)
    except SpaceError:
        assert wanted < disk_size_for(content, None)
        return
    assert wanted - MEBIBYTE < size <= wanted
    assert size >= disk_size_for(content, None)


def test_a_disk_that_is_too_small_names_what_it_takes() -> None:
    with pytest.raises(SpaceError, match=r"ask for at least 4194304 bytes \(4 MiB\)"):
        disk_size_for(3 * MEBIBYTE, 3 * MEBIBYTE)


def test_a_dos_table_ends_at_2_tib() -> None:
    limit = 2048 * GIB
    assert plan_single(limit).partitions[0].size == (1 << 32) - 2048
    with pytest.raises(InputError, match="stay below 2 TiB"):
        plan_single(limit + MEBIBYTE)


WISHES = st.lists(st.builds(Wish, st.sampled_from(["data", "swap", "esp"]), st.integers(1, 1 << 40)), max_size=3)


@given(st.sampled_from(partitions.LABELS), WISHES, st.integers(1, 1 << 40), st.integers(0, 1 << 42))
def test_partitions_hold_what_they_are_for_and_the_last_gets_the_rest(
    label: str, wishes: list[Wish], content: int, wanted: int
) -> None:
    wishes = [*wishes, Wish("root", content)]
    smallest = partitions.disk_size_for(label, wishes, None)
    try:
        size = partitions.disk_size_for(label, wishes, wanted)
        table = partitions.arrange(label, wishes, size)
    except (InputError, SpaceError):
        assert wanted < smallest or (label == "dos" and wanted > 2048 * GIB)
        return
    partitions.validate(table, size, "disk")
    starts = [table.offset(part) for part in table.partitions]
    assert starts[0] == MEBIBYTE
    assert all(start % MEBIBYTE == 0 for start in starts)
    for part, wish, after in zip(table.partitions, wishes, [*starts[1:], size - (label == "gpt") * MEBIBYTE]):
        assert table.length(part) >= wish.size
        assert table.offset(part) + table.length(part) == after
    assert [part.number for part in table.partitions] == list(range(1, len(wishes) + 1))


def test_numbers_are_kept_where_the_table_has_them() -> None:
    wishes = [Wish("bios", MEBIBYTE), Wish("esp", MEBIBYTE, 15), Wish("data", MEBIBYTE, 2), Wish("root", 1, 1)]
    for label, numbers in (("gpt", [3, 15, 2, 1]), ("dos", [3, 4, 2, 1])):
        wishes[0] = Wish("data", MEBIBYTE)
        table = partitions.arrange(label, wishes, 64 * MEBIBYTE)
        assert [part.number for part in table.partitions] == numbers


def test_a_dos_table_has_no_room_for_five() -> None:
    with pytest.raises(InputError, match="type dos has room for 4 partitions, not for 5; use a GPT"):
        partitions.arrange("dos", [Wish("data", 1)] * 5, GIB)


def _listed(path: Path) -> dict:
    return json.loads(tool("sfdisk", "--json", path))["partitiontable"]


@pytest.mark.parametrize("label", partitions.LABELS)
def test_sfdisk_reads_what_is_written(label: str, tmp_path: Path) -> None:
    roles = [role for role in partitions.TYPES[label] if role not in ("boot", "root")]
    wishes = [*(Wish(role, 2 * MEBIBYTE, number) for number, role in enumerate(roles, start=2)), Wish("root", 1, 1)]
    disk = _disk(tmp_path / "disk", 64 * MEBIBYTE)
    planned = partitions.arrange(label, wishes, 64 * MEBIBYTE)
    partitions.write(str(disk), planned)
    seen = partitions.read(str(disk), 64 * MEBIBYTE)
    assert set(seen.partitions) == set(planned.partitions)
    listed = _listed(disk)
    assert (listed["label"], listed["id"]) == (label, seen.id)
    assert [(part["start"], part["size"], part["type"], part.get("uuid")) for part in listed["partitions"]] == [
        (part.start, part.size, part.type, part.uuid) for part in seen.partitions
    ]
    assert "No errors detected" in tool("sfdisk", "--verify", disk)


@pytest.mark.parametrize("label", partitions.LABELS)
def test_a_table_that_continues_another_keeps_its_identifiers(label: str, tmp_path: Path) -> None:
    more = ', name="EFI System", attrs="LegacyBIOSBootable GUID:63"' if label == "gpt" else ""
    disk = _disk(tmp_path / "old", 16 * MEBIBYTE, f"label: {label}\nsize=2M, type=U{more}\nsize=4M\n")
    old = partitions.read(str(disk), 16 * MEBIBYTE)
    wishes = [Wish("data", 2 * MEBIBYTE, part.number, part) for part in old.partitions]
    new = _disk(tmp_path / "new", 32 * MEBIBYTE)
    partitions.write(str(new), partitions.arrange(label, wishes, 32 * MEBIBYTE, like=old))
    seen, was = _listed(new), _listed(disk)
    assert seen["id"] == was["id"]
    for part, other in zip(seen["partitions"], was["partitions"]):
        for changed in ("node", "start", "size"):
            del part[changed], other[changed]
        assert part == other


@pytest.mark.parametrize("size", [2 * MEBIBYTE, 64 * MEBIBYTE + 4096, 4 * GIB, 2048 * GIB])
def test_a_planned_table_comes_back_as_it_was(size: int, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", size)
    planned = plan_single(size)
    partitions.write(str(disk), planned)
    assert partitions.read(str(disk), size) == planned
    assert "No errors detected" in tool("sfdisk", "--verify", disk)
    assert disk.stat().st_blocks * 512 <= 64 << 10


@pytest.mark.parametrize("label", partitions.LABELS)
def test_writing_a_table_keeps_what_the_disk_holds(label: str, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 4 * MEBIBYTE)
    with disk.open("r+b") as file:
        file.write(b"boot code")
        file.seek(MEBIBYTE)
        file.write(b"\x53\xef" * 2048)
    before = disk.read_bytes()
    wishes = [Wish("root", MEBIBYTE)]
    partitions.write(str(disk), partitions.arrange(label, wishes, 4 * MEBIBYTE))
    after = disk.read_bytes()
    assert after[:440] == before[:440]
    head, tail = (512, 4 * MEBIBYTE) if label == "dos" else (MEBIBYTE, 3 * MEBIBYTE)
    assert after[head:tail] == before[head:tail]


def test_a_gpt_for_large_sectors_lies_where_one_for_small_ones_does() -> None:
    wishes = [Wish("esp", 3 * MEBIBYTE), Wish("root", MEBIBYTE)]
    small, large = (
        partitions.arrange("gpt", wishes, 16 * MEBIBYTE, sector_size=size) for size in partitions.SECTOR_SIZES
    )
    for one, other in zip(small.partitions, large.partitions):
        assert (small.offset(one), small.length(one)) == (large.offset(other), large.length(other))
    with pytest.raises(
        InputError, match="a DOS partition table cannot say that sectors have 4096 bytes; use a GPT, or sectors of 512"
    ):
        partitions.arrange("dos", wishes, 16 * MEBIBYTE, sector_size=4096)


def test_a_disk_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 8 * MEBIBYTE, "label: dos\n,\n")
    os.truncate(disk, 4 * MEBIBYTE)
    with pytest.raises(DamagedImageError, match="partition 1 lies outside the disk"):
        partitions.read(str(disk), 4 * MEBIBYTE)


@pytest.mark.parametrize(
    ("places", "finding"),
    [
        ([(2048, 100), (2100, 10)], "partitions 1 and 2 overlap"),
        ([(3000, 10), (2048, 5000)], "partitions 2 and 1 overlap"),
        ([(2048, (1 << 31) - 1)], "partition 1 lies outside"),
        ([(0xFFFFFFFF, 0xFFFFFFFF)], "partition 1 lies outside"),
        ([(0, 5)], "partition 1 lies outside"),
    ],
)
@pytest.mark.parametrize("label", partitions.LABELS)
def test_an_impossible_geometry_is_refused(
    label: str, places: list[tuple[int, int]], finding: str, tmp_path: Path
) -> None:
    kind = partitions.TYPES[label]["data"]
    parts = tuple(Partition(number, start, size, kind) for number, (start, size) in enumerate(places, start=1))
    disk = _disk(tmp_path / "disk", 16 * MEBIBYTE)
    partitions.write(str(disk), Table(label, parts))
    with pytest.raises(DamagedImageError, match=finding):
        partitions.read(str(disk), 16 * MEBIBYTE)


@pytest.mark.parametrize(("start", "size"), [(2048, 0), (2048, -2000), (1 << 63, 1), (1, (1 << 64) - 1)])
def test_a_gpt_with_an_impossible_geometry_is_refused(start: int, size: int, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 16 * MEBIBYTE)
    partitions.write(str(disk), Table("gpt", (Partition(1, start, size, partitions.TYPES["gpt"]["data"]),)))
    with pytest.raises(DamagedImageError, match="partition 1 lies outside"):
        partitions.read(str(disk), 16 * MEBIBYTE)


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=6))
def test_only_tables_without_overlap_pass(places: list[tuple[int, int]]) -> None:
    parts = tuple(Partition(number, start, size, "83") for number, (start, size) in enumerate(places, start=1))
    used = [sector for start, size in places for sector in range(start, start + size)]
    apart = len(used) == len(set(used))
    try:
        partitions.validate(Table("dos", parts), MEBIBYTE, "disk")
    except DamagedImageError:
        assert not apart
        return
    assert apart
