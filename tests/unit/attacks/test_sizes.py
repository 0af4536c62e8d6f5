"""Small files that claim, or become, a great deal."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import resource
import struct
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import SHARED, Attack, plant, vhdx_table
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool

TIB = 1 << 40


@pytest.mark.parametrize("kind", SHARED)
def test_data_that_is_used_again_and_again_is_refused(kind: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    """A file of a few hundred KiB would become a disk of GiB, or TiB, full of data."""
    image = SHARED[kind](tmp_path / "image")
    result = attack("image_convert", src=str(image), dest=str(out / "out"))
    assert "uses the same data for several places of its disk; convert it to raw" in result["msg"]
    assert os.listdir(out) == []


@pytest.mark.parametrize("kind", ["qcow2", "vmdk-sparse", "vhdx"])
def test_qemu_img_check_does_not_know_these(kind: str, tmp_path: Path) -> None:
    """Why there is a check of our own; when this fails, it may have become superfluous."""
    image = SHARED[kind](tmp_path / "image")
    tool("qemu-img", "check", "-f", kind.partition("-")[0], image)


def test_a_table_behind_the_end_of_the_file_is_refused(attack: Attack, tmp_path: Path, out: Path) -> None:
    """A qcow2 image that was cut exactly where its first table began: all of it would read as zeros."""
    raw, image = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(os.urandom(4 * MIB))
    tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image)
    content = image.read_bytes()
    (directory,) = struct.unpack_from(">Q", content, 40)
    (table,) = struct.unpack_from(">Q", content, directory)
    os.truncate(image, table & ~(1 << 63))
    result = attack("image_convert", src=str(image), dest=str(out / "out"))
    assert "the qcow2 image is cut short; fetch the image again" in result["msg"]
    assert os.listdir(out) == []


@pytest.mark.parametrize("place", ["vhd", "vhdx", "vmdk"])
def test_data_behind_the_end_of_the_file_is_refused(place: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    image = SHARED[{"vmdk": "vmdk-sparse"}.get(place, place)](tmp_path / "image")
    content = image.read_bytes()
    far = len(content) + 64 * MIB
    if place == "vhd":
        (table,) = struct.unpack_from(">Q", content, 512 + 16)
        plant(image, struct.pack(">I", far // 512) + b"\xff" * 124, table)
    elif place == "vhdx":
        plant(image, struct.pack("<Q", far // MIB * MIB | 6) + bytes(63 * 8), vhdx_table(content))
    else:
        (directory,) = struct.unpack_from("<Q", content, 56)
        plant(image, struct.pack("<I", far // 512), directory * 512)
    assert "image is cut short" in attack("image_convert", src=str(image), dest=str(out / "out"))["msg"]


def _qcow2(path: Path) -> None:
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=2M", path, "63T")


def _raw(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(15 * TIB)
    # As large as the filesystem of the tests lets a file be; 16 TiB is the limit of ext4.


def _claims(form: str, *places: int, code: str = "<Q") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        tool("qemu-img", "create", "-q", "-f", form, path, "4M")
        for place in places:
            plant(path, struct.pack(code, (1 << 63) - 512 if form != "vmdk" else (1 << 54) - 1), place)

    return make


def _vhd(path: Path) -> None:
    """Write the size to the footer and its copy, with their checksums."""
    tool("qemu-img", "create", "-q", "-f", "vpc", path, "4M")
    footer = bytearray(path.read_bytes()[-512:])
    footer[48:56], footer[64:68] = struct.pack(">Q", (1 << 63) - 512), bytes(4)
    footer[64:68] = struct.pack(">I", ~sum(footer) & 0xFFFFFFFF)
    plant(plant(path, bytes(footer)), bytes(footer), -512)


def _vhdx(path: Path) -> None:
    """Write the size to the metadata, which have no checksum."""
    tool("qemu-img", "create", "-q", "-f", "vhdx", path, "4M")
    content = path.read_bytes()
    regions = uuid.UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le  # of the metadata
    (place,) = struct.unpack_from("<Q", content, content.index(regions, 192 << 10) + 16)
    item = content.index(uuid.UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le, place)  # the disk's size
    plant(path, struct.pack("<Q", (1 << 63) - 512), place + struct.unpack_from("<I", content, item + 16)[0])


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (_qcow2, "16T"),
        (_raw, "8T"),
        (_claims("qcow2", 24, code=">Q"), "16T"),
        (_claims("vmdk", 12), "16T"),
        (_claims("vdi", 0x170), "16T"),
        (_vhd, "16T"),
        (_vhdx, "16T"),
    ],
    ids=["qcow2-63T", "raw-15T", "qcow2", "vmdk", "vdi", "vhd", "vhdx"],
)
def test_a_huge_virtual_size_is_refused_at_once(make, limit: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    make(tmp_path / "image")
    for verb, options in {"image_info": "path", "image_convert": "src"}.items():
        more = {"dest": str(out / "out")} if verb == "image_convert" else {}
        result = attack(verb, **{options: str(tmp_path / "image")}, **more, max_virtual_size=limit)
        assert "more than the maximum of" in result["msg"]
    assert os.listdir(out) == []


def test_a_huge_virtual_size_within_a_raised_maximum_is_still_handled(
    attack: Attack, tmp_path: Path, out: Path
) -> None:
    """Nothing here grows with what a header claims."""
    makers = {"qcow2": _claims("qcow2", 24, code=">Q"), "vmdk": _claims("vmdk", 12), "vdi": _claims("vdi", 0x170)}
    for form, make in {**makers, "vhdx": _vhdx}.items():
        make(tmp_path / form)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = attack("image_convert", src=str(tmp_path / form), dest=str(out / form), max_virtual_size="8E")
        assert result["failed"]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


BOMBS = {
    "gzip": lambda content: gzip.compress(content, 9),
    "bzip2": lambda content: bz2.compress(content, 9),
    "xz": lzma.compress,
    "zstd": None,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_stopped_in_every_verb_that_unpacks(kind: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    """1 GiB of bzip2 has 785 bytes: what is written stops at the maximum, and goes."""
    bomb = tmp_path / "bomb"
    content = b"not zeros, for those become holes" * (2 * MIB // 33)
    pack = BOMBS[kind]
    if pack:
        bomb.write_bytes(pack(content))
    else:
        plain = tmp_path / "plain"
        plain.write_bytes(content)
        tool("zstd", "-q", "-19", plain, "-o", bomb)
    assert bomb.stat().st_size < 64 << 10
    result = attack("image_convert", src=str(bomb), dest=str(out / "out"), max_virtual_size="1M")
    assert "unpacks to more than 1048576 bytes; raise max_virtual_size" in result["msg"]
    assert os.listdir(out) == []


def test_a_bomb_in_a_qcow2_image_stops_at_the_virtual_size(attack: Attack, tmp_path: Path, out: Path) -> None:
    raw, image = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(b"x" * 16 * MIB)
    tool("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", raw, image)
    assert (
        "more than the maximum"
        in attack("image_convert", src=str(image), dest=str(out / "out"), max_virtual_size="8M")["msg"]
    )
    assert not attack("image_convert", src=str(image), dest=str(out / "out")).get("failed")
    assert (out / "out").read_bytes() == raw.read_bytes()
