"""Makers of hostile image files, and every verb that such a file may be given to."""

from __future__ import annotations

import json
import os
import struct
import typing as t
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._release import identify_source
from ansible_collections.voc.cluster.tests.unit.bundles import make_bundle
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool

SENTINEL = b"The builder's own secret, which no image may have. "
Attack = Callable[..., t.Any]  # see the fixture of this name
Options = dict[str, t.Any]
CLUSTER = 64 << 10


def _release(image: str, folder: Path) -> Options:
    source = folder / "source"
    source.write_bytes(b"what the image was made of")
    return {
        "image": image,
        "name": "name",
        "releases": str(folder / "releases"),
        "source": identify_source(str(source)).__dict__,
    }


# What a stranger's image goes through: each module, with options for an image and a folder to write to.
VERBS: dict[str, Callable[[str, Path], Options]] = {
    "image_info": lambda image, folder: {"path": image},
    "image_convert": lambda image, folder: {"src": image, "dest": str(folder / "out")},
    "image_layout": lambda image, folder: {"src": image, "dest": str(folder / "out")},
    "image_extract": lambda image, folder: {"src": image, "dest": str(folder / "out")},
    "image_boot": lambda image, folder: {"image": image, "drivers": []},
    "image_direct_boot": lambda image, folder: {"image": image, "dest": str(folder / "out")},
    "image_kernel": lambda image, folder: {
        "image": image,
        "bundle": str(make_bundle(folder / "bundle")),
        "force": True,
    },
    "image_edit": lambda image, folder: {
        "image": image,
        "edits": [{"file": {"path": "/etc/motd", "content": "hello\n"}}],
    },
    "image_generalize": lambda image, folder: {"image": image},
    "image_command": lambda image, folder: {"image": image, "argv": ["true"], "creates": "/etc/os-release"},
    "image_packages": lambda image, folder: {"image": image, "name": ["present"]},
    "image_release": _release,
    "image_release_info": lambda image, folder: {"name": "name", "releases": str(folder / "releases"), "src": image},
}


def leaks(folder: Path) -> list[Path]:
    """Return the files below a folder that hold a line of the secret."""
    files = (Path(above) / name for above, _folders, names in os.walk(folder) for name in names)
    return [path for path in files if path.is_file() and SENTINEL in path.read_bytes()]


# References to other files.


def overlay_header(backing: str, virtual_size: int = 4 * MIB) -> bytes:
    """Return a qcow2 header of version 3, at most 440 bytes long, whose backing file has this name."""
    name = os.fsencode(backing)
    fields = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 112, len(name), 16, virtual_size, 0, 1, 3 << 16, 1 << 16, 1, 0, 0
    )
    header = fields + struct.pack(">QQQII", 0, 0, 0, 4, 104) + bytes(8) + name
    assert len(header) <= 440
    return header


def plant(image: Path, header: bytes, offset: int = 0) -> Path:
    """Write a header over an image, as a guest can that owns the disk."""
    with image.open("r+b") as file:
        file.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
        file.write(header)
    return image


def make_overlay(path: Path, backing: str) -> Path:
    """Make a whole qcow2 image without clusters of its own, whose backing file has any name."""
    path.write_bytes(overlay_header(backing).ljust(4 * CLUSTER, b"\0"))
    return path


def make_data_file_image(path: Path, name: str) -> Path:
    """Make a qcow2 image whose external data file has any name (QEMU, docs/interop/qcow2.txt)."""
    tool("qemu-img", "create", "-q", "-f", "qcow2", path, "4M")
    encoded = os.fsencode(name)
    plant(path, struct.pack(">Q", 1 << 2), 72)
    (length,) = struct.unpack_from(">I", path.read_bytes(), 100)
    return plant(path, struct.pack(">II", 0x44415441, len(encoded)) + encoded + bytes(8 - len(encoded) % 8 + 8), length)


def aliases(secret: Path) -> dict[str, str]:
    """Return names by which QEMU would open a file of the builder."""
    file = {"driver": "file", "filename": str(secret)}
    return {
        "path": str(secret),
        "json": "json:" + json.dumps({"driver": "raw", "file": file}),
        "protocol": f"file:{secret}",
        "folder": f"fat:{secret.parent}",
        "network": "nbd://127.0.0.1:1/x",
    }


def flat_descriptor(kind: str, secret: Path) -> str:
    """Return the text of a VMDK descriptor whose extents lie in another file."""
    extents = {
        "monolithicFlat": f'RW 128 FLAT "{secret}" 0\n',
        "twoGbMaxExtentFlat": f'RW 64 FLAT "{secret}" 0\nRW 64 FLAT "{secret}" 64\n',
        "vmfs": f'RW 128 VMFS "{secret}"\n',
    }[kind]
    return f'# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType="{kind}"\n{extents}'


# More data than the file has.


def make_shared_qcow2(path: Path, tables: int, *, packed: bool = False) -> Path:
    """Make a qcow2 image of `tables` * 512 MiB from six clusters: all entries of its tables are alike.

    Its reference counts say so too, and so qemu-img check finds nothing.
    """
    entries = CLUSTER // 8
    size = tables * entries * CLUSTER
    fields = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, size, 0, tables, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    counts = struct.pack(">6Q", 1, 1, 1, 1, tables, tables * entries)
    data, entry = os.urandom(CLUSTER), 5 * CLUSTER
    if packed:
        compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
        data = compressor.compress(os.urandom(30 << 10).ljust(CLUSTER, b"x")) + compressor.flush()
        entry |= 1 << 62 | (len(data) - 1) // 512 << (62 - 8)
    clusters = [
        fields + struct.pack(">QQQII", 0, 0, 0, 6, 104),
        struct.pack(">Q", 2 * CLUSTER),
        counts,
        struct.pack(">Q", 4 * CLUSTER) * tables,
        struct.pack(">Q", entry) * entries,
        data,
    ]
    path.write_bytes(b"".join(cluster.ljust(CLUSTER, b"\0") for cluster in clusters))
    return path


def _converted(path: Path, form: str, *options: str) -> bytearray:
    raw = path.with_name("content")
    with raw.open("wb") as file:
        file.write(os.urandom(4 * MIB))
        file.truncate(64 * MIB)
    tool("qemu-img", "convert", "-f", "raw", "-O", form, *options, raw, path)
    raw.unlink()
    return bytearray(path.read_bytes())


def make_shared_vmdk(path: Path, subformat: str) -> Path:
    """Let all grains of a VMDK image lie in one place."""
    image = _converted(path, "vmdk", "-o", f"subformat={subformat}")
    capacity, grain = struct.unpack_from("<QQ", image, 12)
    (count,) = struct.unpack_from("<I", image, 44)
    for directory in filter(None, struct.unpack_from("<QQ", image, 48)):
        (table,) = struct.unpack_from("<I", image, directory * 512)
        (first,) = struct.unpack_from("<I", image, table * 512)
        struct.pack_into(f"<{count}I", image, table * 512, *[first] * count)
        tables = capacity // (grain * count)
        struct.pack_into(f"<{tables}I", image, directory * 512, *[table] * tables)
    path.write_bytes(image)
    return path


def make_shared_vhd(path: Path) -> Path:
    """Let all blocks of a VHD image lie in one place."""
    image = _converted(path, "vpc", "-o", "force_size=on")
    table, _version, count = struct.unpack_from(">QII", image, 512 + 16)
    (first,) = struct.unpack_from(">I", image, table)
    struct.pack_into(f">{count}I", image, table, *[first] * count)
    path.write_bytes(image)
    return path


def make_shared_vhdx(path: Path) -> Path:
    """Let all blocks of a VHDX image lie in one place."""
    image = _converted(path, "vhdx", "-o", "block_size=1M")
    table = vhdx_table(bytes(image))
    struct.pack_into("<64Q", image, table, *[struct.unpack_from("<Q", image, table)[0]] * 64)
    path.write_bytes(image)
    return path


def vhdx_table(image: bytes) -> int:
    """Return where a VHDX image has its block allocation table."""
    wanted = uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
    entry = image.index(wanted, 192 << 10)
    return int(struct.unpack_from("<Q", image, entry + 16)[0])


SHARED: dict[str, Callable[[Path], Path]] = {
    "qcow2": lambda path: make_shared_qcow2(path, 2),
    "qcow2-packed": lambda path: make_shared_qcow2(path, 2, packed=True),
    "vmdk-sparse": lambda path: make_shared_vmdk(path, "monolithicSparse"),
    "vmdk-stream": lambda path: make_shared_vmdk(path, "streamOptimized"),
    "vhd": make_shared_vhd,
    "vhdx": make_shared_vhdx,
}
