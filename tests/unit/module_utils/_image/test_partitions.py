from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    ImageError,
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


def _document(*parts: dict, **fields: object) -> str:
    entries = [{"node": f"disk{number}", "type": "83", **part} for number, part in enumerate(parts, start=1)]
    return json.dumps({"partitiontable": {"label": "dos", "sectorsize": 512, "partitions": entries, **fields}})


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


def test_only_names_that_a_script_can_hold_are_kept() -> None:
    names = ["EFI System", 'a", type=U', "a\nb", "é", "x" * 37]
    parts = [{"start": 2048 * number, "size": 1, "name": name} for number, name in enumerate(names, start=1)]
    table = partitions.parse(_document(*parts), 64 * MEBIBYTE, "disk")
    assert [part.name for part in table.partitions] == ["EFI System", None, None, None, None]


@pytest.mark.parametrize("label", partitions.LABELS)
def test_a_table_comes_back_from_sfdisk_as_it_was(label: str, runner: Runner, tmp_path: Path) -> None:
    roles = [role for role in partitions.TYPES[label] if role not in ("boot", "root")]
    wishes = [*(Wish(role, 2 * MEBIBYTE, number) for number, role in enumerate(roles, start=2)), Wish("root", 1, 1)]
    disk = _disk(tmp_path / "disk", 64 * MEBIBYTE)
    planned = partitions.arrange(label, wishes, 64 * MEBIBYTE)
    partitions.write(runner, str(disk), planned)
    seen = partitions.read(runner, str(disk), 64 * MEBIBYTE)
    assert set(seen.partitions) == set(planned.partitions)
    assert "No errors detected" in tool("sfdisk", "--verify", disk)


@pytest.mark.parametrize("label", partitions.LABELS)
def test_a_table_that_continues_another_keeps_its_identifiers(label: str, runner: Runner, tmp_path: Path) -> None:
    name = ', name="EFI System"' if label == "gpt" else ""
    disk = _disk(tmp_path / "old", 16 * MEBIBYTE, f"label: {label}\nsize=2M, type=U{name}\nsize=4M\n")
    old = partitions.read(runner, str(disk), 16 * MEBIBYTE)
    wishes = [Wish("data", 2 * MEBIBYTE, part.number, part) for part in old.partitions]
    new = _disk(tmp_path / "new", 32 * MEBIBYTE)
    partitions.write(runner, str(new), partitions.arrange(label, wishes, 32 * MEBIBYTE, like=old))
    seen = partitions.read(runner, str(new), 32 * MEBIBYTE)
    assert seen.id == old.id
    assert seen.id
    assert [(part.number, part.type, part.uuid, part.name) for part in seen.partitions] == [
        (part.number, part.type, part.uuid, part.name) for part in old.partitions
    ]


@pytest.mark.parametrize("size", [2 * MEBIBYTE, 64 * MEBIBYTE + 4096, 4 * GIB, 2048 * GIB])
def test_a_planned_table_comes_back_from_sfdisk_as_it_was(size: int, runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", size)
    planned = plan_single(size)
    partitions.write(runner, str(disk), planned)
    assert partitions.read(runner, str(disk), size) == planned
    assert "No errors detected" in tool("sfdisk", "--verify", disk)
    assert disk.stat().st_blocks * 512 <= 64 << 10


def test_writing_a_table_keeps_what_the_disk_holds(runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 4 * MEBIBYTE)
    with disk.open("r+b") as file:
        file.write(b"boot code")
        file.seek(MEBIBYTE)
        file.write(b"\x53\xef" * 2048)
    before = disk.read_bytes()
    partitions.write(runner, str(disk), plan_single(4 * MEBIBYTE))
    after = disk.read_bytes()
    assert after[:440] == before[:440]
    assert after[512:] == before[512:]


def test_a_gpt_is_read(runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 16 * MEBIBYTE, "label: gpt\nsize=4M\nsize=4M, type=U\n")
    table = partitions.read(runner, str(disk), 16 * MEBIBYTE)
    assert table.label == "gpt"
    assert [(part.number, table.offset(part), table.length(part)) for part in table.partitions] == [
        (1, MEBIBYTE, 4 * MEBIBYTE),
        (2, 5 * MEBIBYTE, 4 * MEBIBYTE),
    ]


def test_logical_partitions_may_lie_in_their_extended_one(runner: Runner, tmp_path: Path) -> None:
    script = "label: dos\nsize=2M\ntype=5\nsize=2M\nsize=2M\n"
    disk = _disk(tmp_path / "disk", 16 * MEBIBYTE, script)
    table = partitions.read(runner, str(disk), 16 * MEBIBYTE)
    assert [part.number for part in table.partitions] == [1, 2, 5, 6]


def test_a_name_that_ends_in_digits_does_not_hide_the_number(runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk2026", 8 * MEBIBYTE, "label: dos\nsize=2M\n")
    assert [part.number for part in partitions.read(runner, str(disk), 8 * MEBIBYTE).partitions] == [1]


def test_a_disk_that_was_cut_short_is_refused(runner: Runner, tmp_path: Path) -> None:
    disk = _disk(tmp_path / "disk", 8 * MEBIBYTE, "label: dos\n,\n")
    os.truncate(disk, 4 * MEBIBYTE)
    with pytest.raises(DamagedImageError, match="partition 1 lies outside the disk"):
        partitions.read(runner, str(disk), 4 * MEBIBYTE)


@pytest.mark.parametrize(
    ("parts", "finding"),
    [
        ([{"start": 2048, "size": 100}, {"start": 2100, "size": 10}], "partitions 1 and 2 overlap"),
        ([{"start": 3000, "size": 10}, {"start": 2048, "size": 5000}], "partitions 2 and 1 overlap"),
        ([{"start": 2048, "size": 1 << 31}], "partition 1 lies outside"),
        ([{"start": 2048, "size": 0}], "partition 1 lies outside"),
        ([{"start": 2048, "size": -1}], "partition 1 lies outside"),
        ([{"start": 0, "size": 5}], "partition 1 lies outside"),
        ([{"start": 1, "size": 5, "type": "ee"}], "its GPT is damaged"),
    ],
)
def test_an_impossible_geometry_is_refused(parts: list[dict], finding: str) -> None:
    with pytest.raises(DamagedImageError, match=finding):
        partitions.parse(_document(*parts), 16 * MEBIBYTE, "disk")


def test_other_kinds_of_table_are_refused() -> None:
    with pytest.raises(InputError, match="tables of type sun are not supported"):
        partitions.parse(_document(label="sun"), MEBIBYTE, "disk")


@pytest.mark.parametrize("size", [0, -512, 1, 1 << 70])
def test_a_sector_size_that_no_disk_has_is_refused(size: int) -> None:
    with pytest.raises(DamagedImageError):
        partitions.parse(_document({"start": 1, "size": 1}, sectorsize=size), MEBIBYTE, "disk")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=10
)
SECTORS = st.integers(-10, 1 << 34) | SCALARS
ENTRIES = st.fixed_dictionaries(
    {"node": st.sampled_from(["d1", "d2", "d", "", "d²"]) | SCALARS, "start": SECTORS, "size": SECTORS},
    optional={"type": st.sampled_from(["83", "5", "ee", "f"]) | SCALARS, "bootable": SCALARS},
)
TABLES = st.fixed_dictionaries(
    {"label": st.sampled_from(["dos", "gpt", "sun"]) | SCALARS},
    optional={"sectorsize": st.sampled_from([512, 4096, 0]) | SCALARS, "partitions": st.lists(ENTRIES) | DOCUMENTS},
)


@given(st.fixed_dictionaries({"partitiontable": TABLES | DOCUMENTS}) | DOCUMENTS, st.integers(0, 1 << 42))
def test_any_document_gives_a_sane_table_or_an_error(document: object, size: int) -> None:
    try:
        table = partitions.parse(json.dumps(document), size, "disk")
    except ImageError:
        return
    for part in table.partitions:
        assert 0 < table.offset(part) < table.offset(part) + table.length(part) <= size


@pytest.mark.parametrize("document", ["", "[", "[" * 100_000, '{"partitiontable": 1e999}'])
def test_what_is_no_document_is_refused(document: str) -> None:
    with pytest.raises(DamagedImageError, match="cannot be read"):
        partitions.parse(document, MEBIBYTE, "disk")


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
