"""Honest images of every kind pass; what is refused is in tests/unit/attacks/test_sizes.py."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, UnsafeImageError
from ansible_collections.voc.cluster.plugins.module_utils._image import allocation
from ansible_collections.voc.cluster.tests.unit.attacks.hostile import plant
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool

SIZE = 6 * MIB
KINDS = [
    ("qcow2", "compat=0.10"),
    ("qcow2", "cluster_size=512"),
    ("qcow2", "cluster_size=2M"),
    ("qcow2", "extended_l2=on,cluster_size=128k"),
    ("qcow2", "lazy_refcounts=on"),
    ("qcow2", "refcount_bits=1"),
    ("qcow2", "preallocation=metadata"),
    ("qcow2", "preallocation=falloc"),
    ("vmdk", "subformat=monolithicSparse"),
    ("vmdk", "subformat=streamOptimized"),
    ("vmdk", "subformat=monolithicSparse,zeroed_grain=on"),
    ("vdi", "static=on"),
    ("vpc", "subformat=dynamic"),
    ("vpc", "subformat=fixed,force_size=on"),
    ("vhdx", "subformat=dynamic,block_size=1M"),
    ("vhdx", "subformat=dynamic,block_size=256M"),
    ("vhdx", "subformat=fixed"),
]


def _image(folder: Path, form: str, *options: str, content: bytes) -> Path:
    raw, image = folder / "raw", folder / "image"
    raw.write_bytes(content)
    os.truncate(raw, SIZE)
    tool("qemu-img", "convert", "-f", "raw", "-O", form, *options, raw, image)
    return image


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("form", "options"), KINDS)
def test_an_honest_image_passes(form: str, options: str, full: bool, tmp_path: Path) -> None:
    content = os.urandom(SIZE if full else 200_000)
    image = _image(tmp_path, form, "-o", options, content=content)
    allocation.require_held({"vpc": "vhd"}.get(form, form), str(image))


@pytest.mark.parametrize("method", ["zlib", "zstd"])
@pytest.mark.parametrize(
    "content", [b"x" * 24 * MIB, os.urandom(24 * MIB), b"".join(os.urandom(99) * 99 for _n in range(999))]
)
def test_a_compressed_image_passes(method: str, content: bytes, tmp_path: Path) -> None:
    """What is all the same has clusters of a few bytes, many in one sector."""
    image = _image(tmp_path, "qcow2", "-c", "-o", f"compression_type={method}", content=content)
    allocation.require_held("qcow2", str(image))


def test_snapshots_share_clusters_with_the_disk(tmp_path: Path) -> None:
    image = _image(tmp_path, "qcow2", content=os.urandom(5 * MIB))
    for name in ("a", "b"):
        tool("qemu-img", "snapshot", "-c", name, image)
    allocation.require_held("qcow2", str(image))


@pytest.mark.parametrize("container", ["raw", "luks"])
def test_others_have_no_tables_to_look_at(container: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    allocation.require_held(container, str(tmp_path / "a"))


@pytest.mark.parametrize(
    ("form", "offset", "sentence"),
    [
        ("qcow2", 20, "clusters are of no size"),
        ("qcow2", 36, "tables do not fit its size"),
        ("vmdk", 44, "tables do not fit its size"),
        ("vmdk", 20, "tables do not fit its size"),
        ("vpc", 512, "dynamic header is damaged"),
        ("vpc", 512 + 32, "dynamic header is damaged"),
    ],
)
def test_tables_that_make_no_sense_are_refused(form: str, offset: int, sentence: str, tmp_path: Path) -> None:
    image = plant(_image(tmp_path, form, content=b"x"), bytes(4), offset)
    with pytest.raises(DamagedImageError, match=sentence):
        allocation.require_held({"vpc": "vhd"}.get(form, form), str(image))


def test_a_vdi_whose_blocks_are_one_is_refused(tmp_path: Path) -> None:
    image = _image(tmp_path, "vdi", content=os.urandom(SIZE))
    with image.open("r+b") as file:
        file.seek(0x154)
        table, _data = struct.unpack("<II", file.read(8))
        file.seek(table)
        file.write(struct.pack("<I", 0) * (SIZE // MIB))
        file.truncate(4 * MIB)
    with pytest.raises(UnsafeImageError, match="uses the same data for several places"):
        allocation.require_held("vdi", str(image))
