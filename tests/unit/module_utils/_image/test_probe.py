from __future__ import annotations

import bz2
import gzip
import lzma
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._image import contents
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import (
    container_of,
    has_partition_table,
    probe,
)
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext, tool

QEMU_FORMATS = ["qcow2", "vmdk", "vdi", "vhdx", "qed", "parallels"]


@pytest.mark.parametrize(
    ("name", "compress"),
    [("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)],
)
def test_a_compression_is_told_by_its_bytes(name: str, compress, tmp_path: Path) -> None:
    path = tmp_path / "image.raw"
    path.write_bytes(compress(b"content"))
    seen = probe(str(path))
    assert (seen.compression, seen.container, seen.name) == (name, None, name)


def test_zstd_is_told_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(20))
    assert probe(str(path)).compression == "zstd"


@pytest.mark.parametrize("kind", QEMU_FORMATS)
def test_a_format_of_qemu_is_told_by_its_bytes(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "image.raw"
    tool("qemu-img", "create", "-q", "-f", kind, path, "4M")
    assert probe(str(path)).container == kind


@pytest.mark.parametrize("subformat", ["fixed", "dynamic"])
def test_vhd_is_told_by_its_header_or_footer(subformat: str, tmp_path: Path) -> None:
    path = tmp_path / "image"
    tool("qemu-img", "create", "-q", "-f", "vpc", "-o", f"subformat={subformat}", path, "4M")
    assert probe(str(path)).container == "vhd"


def test_a_vmdk_descriptor_is_told_by_its_text(tmp_path: Path) -> None:
    path = tmp_path / "image"
    tool("qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", path, "4M")
    assert probe(str(path)).container == "vmdk"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"COWD", "vmdk"),
        (b"WithouFreSpacExt", "parallels"),
        (b"Bochs Virtual HD Image", "bochs"),
        (b"LUKS\xba\xbe\0\2", "luks"),
    ],
)
def test_formats_that_qemu_does_not_make_are_told_too(head: bytes, name: str) -> None:
    assert container_of(head + bytes(500)) == name


def test_anything_else_is_raw_with_its_size_and_what_it_occupies(tmp_path: Path) -> None:
    path = tmp_path / "image.qcow2"
    with path.open("wb") as file:
        file.write(b"text")
        file.truncate(MIB)
    seen = probe(str(path))
    assert (seen.name, seen.size) == ("raw", MIB)
    assert 0 < seen.allocated < MIB


@given(st.binary(max_size=600), st.binary(max_size=512))
def test_any_bytes_have_a_format(head: bytes, tail: bytes) -> None:
    assert container_of(head, tail) in {"raw", "vdi", "vhd", *QEMU_FORMATS, "bochs", "luks"}


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file; check the path"):
        probe(str(tmp_path / "none"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="the file is empty"):
        probe(str(tmp_path / "empty"))


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file"):
        probe(str(tmp_path))


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="not a regular file"):
        probe(str(tmp_path / "fifo"))


@pytest.mark.parametrize("label", ["dos", "gpt"])
def test_a_disk_of_sfdisk_has_a_partition_table(label: str, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 8 * MIB)
    tool("sfdisk", "-q", "--no-reread", path, data=f"label: {label}\n2048,4096\n,\n".encode())
    assert has_partition_table(path.read_bytes()[:512], 8 * MIB // 512)


def test_a_disk_without_partitions_counts_as_having_none(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 8 * MIB)
    tool("sfdisk", "-q", "--no-reread", path, data=b"label: dos\n")
    assert not has_partition_table(path.read_bytes()[:512], 8 * MIB // 512)


def test_boot_code_inside_a_partition_is_no_partition_table(tmp_path: Path) -> None:
    path = make_ext(tmp_path / "part")
    boot = Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()
    assert boot[510:512] == b"\x55\xaa"
    # Code where a disk would have its entries, as boot sectors of partitions have it.
    sector = boot[:446] + boot[:64] + b"\x55\xaa"
    assert not has_partition_table(sector, path.stat().st_size // 512)


@pytest.mark.parametrize("kept", [3, 5, 7])
def test_a_disk_that_was_cut_short_is_one(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.touch()
    os.truncate(path, 8 * MIB)
    tool("sfdisk", "-q", "--no-reread", path, data=b"label: dos\n2048,4096\n,6144\n,\n")
    os.truncate(path, kept * MIB)
    with pytest.raises(DamagedImageError, match=r"partition [23] lies outside the disk; fetch the image again"):
        contents.look(str(path))


@pytest.mark.parametrize("cut", [0, 446, 511])
def test_a_short_sector_has_no_table(cut: int, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=MIB))
    sector = disk.read_bytes()[:512]
    assert has_partition_table(sector, 4096)
    assert not has_partition_table(sector[:cut], 4096)


@given(st.binary(max_size=512), st.integers(0, 1 << 40))
def test_any_sector_is_judged(sector: bytes, sectors: int) -> None:
    assert has_partition_table(sector, sectors) in (True, False)


@given(st.binary(min_size=64, max_size=64), st.integers(0, 1 << 33))
def test_entries_that_all_begin_outside_the_disk_make_no_table(entries: bytes, sectors: int) -> None:
    sector = bytes(446) + entries + b"\x55\xaa"
    if has_partition_table(sector, sectors):
        starts = [int.from_bytes(entries[at + 8 : at + 12], "little") for at in (0, 16, 32, 48) if entries[at + 4]]
        assert starts
        assert all(starts)
        assert min(starts) < sectors
