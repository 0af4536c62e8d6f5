"""Real images of every format, and what is refused of each."""

from __future__ import annotations

import itertools
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    ImageError,
    InputError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import convert, formats
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import probe
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool
from ansible_collections.voc.cluster.tests.unit.runners import plain

KINDS = [(name, subformat) for name, known in formats.FORMATS.items() for subformat in (known.subformats or (None,))]
SIZE = 8 * MIB + 512  # no whole cluster, block or cylinder


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "disk.raw"
    with path.open("wb") as file:
        file.truncate(SIZE)
        for offset in (0, 3 * MIB, SIZE - 512):
            file.seek(offset)
            file.write(os.urandom(512))
    return path


@pytest.fixture(scope="module")
def images(raw: Path, tmp_path_factory: pytest.TempPathFactory, runner: Runner) -> dict[tuple[str, str | None], Path]:
    folder = tmp_path_factory.mktemp("images")
    made = {}
    for name, subformat in KINDS:
        made[name, subformat] = folder / f"{name}-{subformat}"
        convert.convert(runner, str(raw), str(made[name, subformat]), Output(name, subformat))
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_is_told_by_its_bytes_and_keeps_its_size(images, kind) -> None:
    assert probe(str(images[kind])).container == kind[0]
    assert formats.virtual_size(kind[0], str(images[kind])) == SIZE


@pytest.mark.parametrize(("source", "target"), list(itertools.product(KINDS, KINDS)))
def test_content_is_equal_after_every_pair_of_conversions(
    images, raw: Path, runner: Runner, tmp_path: Path, source, target
) -> None:
    out, back = tmp_path / "out", tmp_path / "back"
    convert.convert(runner, str(images[source]), str(out), Output(*target), declared=source[0])
    convert.convert(runner, str(out), str(back), Output(), declared=target[0])
    content = back.read_bytes()
    assert content[:SIZE] == raw.read_bytes()
    assert not any(content[SIZE:])
    assert back.stat().st_blocks * 512 <= raw.stat().st_blocks * 512 + 256 * 1024


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind[0] not in ("raw", "qcow2")])
def test_an_image_that_was_cut_short_is_refused(images, runner: Runner, tmp_path: Path, kind) -> None:
    path = tmp_path / "cut"
    path.write_bytes(images[kind].read_bytes())
    os.truncate(path, path.stat().st_size // 2)
    if probe(str(path)).container == "raw":  # only the end of a fixed VHD says what it is
        return
    with pytest.raises(ImageError):
        convert.convert(runner, str(path), str(tmp_path / "out"), Output(), declared=kind[0])
    assert not (tmp_path / "out").exists()


def _patched(image: Path, path: Path, offset: int, data: bytes) -> str:
    content = bytearray(image.read_bytes())
    offset %= len(content)
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("subformat", ["monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_vmdk_descriptors_of_other_files_are_refused(raw: Path, tmp_path: Path, subformat: str) -> None:
    path = tmp_path / "a.vmdk"
    tool("qemu-img", "convert", "-O", "vmdk", "-o", f"subformat={subformat}", raw, path)
    with pytest.raises(UnsafeImageError, match="only describes other files; flatten it"):
        formats.virtual_size("vmdk", str(path))


def test_a_vmdk_with_a_parent_is_refused(images, tmp_path: Path) -> None:
    base = tmp_path / "base.vmdk"
    base.write_bytes(images["vmdk", "monolithicSparse"].read_bytes())
    tool("qemu-img", "create", "-q", "-f", "vmdk", "-b", base, "-F", "vmdk", tmp_path / "a.vmdk")
    with pytest.raises(UnsafeImageError, match="has a parent"):
        formats.virtual_size("vmdk", str(tmp_path / "a.vmdk"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b" SPARSE ", b" FLAT   "),
        (b'createType="monolithicSparse"', b'createType="monolithicFlat"  '),
        (b"# Extent description\n", b'RW 8 FLAT "/etc/shadow"\n'[:21]),
    ],
)
def test_a_vmdk_whose_descriptor_names_other_extents_is_refused(images, tmp_path: Path, old: bytes, new: bytes) -> None:
    content = images["vmdk", "monolithicSparse"].read_bytes()
    assert old in content
    (tmp_path / "a").write_bytes(content.replace(old, new, 1))
    with pytest.raises(UnsafeImageError):
        formats.virtual_size("vmdk", str(tmp_path / "a"))


def test_a_vmdk_without_capacity_is_refused(images, tmp_path: Path) -> None:
    path = _patched(images["vmdk", "monolithicSparse"], tmp_path / "a", 12, bytes(8))
    with pytest.raises(UnsafeImageError, match="keeps its data in other files"):
        formats.virtual_size("vmdk", path)


def test_a_vmdk_whose_footer_disagrees_is_refused(images, tmp_path: Path) -> None:
    stream = images["vmdk", "streamOptimized"]
    header = bytearray(stream.read_bytes()[:512])
    header[56:64] = b"\xff" * 8  # the directory is at the end
    footer = bytearray(header)
    footer[12:20] = bytes(8)
    path = tmp_path / "a"
    path.write_bytes(bytes(header) + stream.read_bytes()[512:] + bytes(512) + bytes(footer) + bytes(512))
    with pytest.raises(DamagedImageError, match="footer differs"):
        formats.virtual_size("vmdk", str(path))


@pytest.mark.parametrize(("offset", "data"), [(0x4C, struct.pack("<I", 4)), (0x1A8, b"x" * 16), (0x1B8, b"x" * 16)])
def test_a_vdi_difference_is_refused(images, tmp_path: Path, offset: int, data: bytes) -> None:
    with pytest.raises(UnsafeImageError, match="is a difference to another one"):
        formats.virtual_size("vdi", _patched(images["vdi", None], tmp_path / "a", offset, data))


def test_a_vhd_difference_is_refused(images, tmp_path: Path) -> None:
    path = _patched(images["vhd", "dynamic"], tmp_path / "a", 60, struct.pack(">I", 4))
    _patched(Path(path), Path(path), -512 + 60, struct.pack(">I", 4))
    with pytest.raises(UnsafeImageError, match="is a difference to another one"):
        formats.virtual_size("vhd", path)


def test_a_vhd_whose_ends_disagree_is_refused(images, tmp_path: Path) -> None:
    path = _patched(images["vhd", "dynamic"], tmp_path / "a", 48, struct.pack(">Q", 1 << 50))
    with pytest.raises(DamagedImageError, match="footer differs"):
        formats.virtual_size("vhd", path)


def test_a_vhd_with_a_wrong_checksum_is_refused(images, tmp_path: Path) -> None:
    path = _patched(images["vhd", "fixed"], tmp_path / "a", -512 + 48, struct.pack(">Q", 1 << 50))
    with pytest.raises(DamagedImageError, match="wrong checksum"):
        formats.virtual_size("vhd", path)


def _by_another(source: Path, path: Path, creator: bytes) -> Path:
    """Make a VHD as another program than QEMU would: its geometry says less than the whole size."""
    content = bytearray(source.read_bytes())
    for place in range(0, len(content), 512):
        if content[place : place + 8] == b"conectix":
            struct.pack_into("4s", content, place + 28, creator)
            struct.pack_into(">HBB", content, place + 56, SIZE // 512 // (4 * 17), 4, 17)
            struct.pack_into(">I", content, place + 64, 0)
            struct.pack_into(">I", content, place + 64, ~sum(content[place : place + 512]) & 0xFFFFFFFF)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("creator", [b"vbox", b"vpc ", b"win ", b"tap\0", b"qem2", b"\0\0\0\0"])
@pytest.mark.parametrize("subformat", formats.FORMATS["vhd"].subformats)
@pytest.mark.parametrize("target", ["raw", "qcow2"])
def test_a_vhd_of_any_creator_keeps_its_end(
    images, raw: Path, runner: Runner, tmp_path: Path, subformat: str, creator: bytes, target: str
) -> None:
    path = _by_another(images["vhd", subformat], tmp_path / "a,b=c", creator)
    convert.convert(runner, str(path), str(tmp_path / "out"), Output(target))
    if target != "raw":
        convert.convert(runner, str(tmp_path / "out"), str(tmp_path / "raw"), Output())
    assert (tmp_path / ("out" if target == "raw" else "raw")).read_bytes() == raw.read_bytes()


def test_a_disk_of_which_qemu_reads_less_is_refused(images, tmp_path: Path) -> None:
    class Short(PopenRunner):
        def execute(self, argv, *others):
            words = [word.replace("=current_size", "=chs") for word in plain(argv)]
            return super().execute(words, *others)

    path = _by_another(images["vhd", "fixed"], tmp_path / "a", b"vbox")
    with pytest.raises(DamagedImageError, match=f"has a disk of {SIZE} bytes, but qemu-img reads 8355840") as caught:
        convert.convert(Short(), str(path), str(tmp_path / "out"), Output())
    assert caught.value.where == str(path)
    assert os.listdir(tmp_path) == ["a"]


def test_a_vhdx_that_was_not_closed_is_refused(images, tmp_path: Path) -> None:
    path = images["vhdx", "dynamic"]
    for place in (64 << 10, 128 << 10):
        path = Path(_patched(path, tmp_path / "a", place + 48, b"x" * 16))
    with pytest.raises(DamagedImageError, match="not closed cleanly"):
        formats.virtual_size("vhdx", str(path))


def test_formats_nobody_asked_for_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"QED\0" + bytes(1000))
    with pytest.raises(InputError, match="the format qed is not supported"):
        convert.examine(str(tmp_path / "a"))


def test_shared_clusters_are_refused(images, runner: Runner, tmp_path: Path) -> None:
    """A small file whose tables all point to one cluster reads as a huge disk full of data."""
    path = tmp_path / "a"
    path.write_bytes(images["vdi", None].read_bytes())
    (blocks,) = struct.unpack_from("<I", path.read_bytes(), 0x154)
    _patched(path, path, blocks, struct.pack("<II", 0, 0))
    with pytest.raises(DamagedImageError, match="vdi image is inconsistent"):
        convert.convert(runner, str(path), str(tmp_path / "out"), Output())


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(KINDS[1:]),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=16)), max_size=6),
)
def test_any_header_is_accepted_or_refused(images, tmp_path_factory, kind, patches) -> None:
    content = bytearray(images[kind].read_bytes())
    for offset, data in patches:
        content[offset : offset + len(data)] = data
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(content)
    try:
        assert formats.virtual_size(kind[0], str(path)) >= 0
    except ImageError:
        return
