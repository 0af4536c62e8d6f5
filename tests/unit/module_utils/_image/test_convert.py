from __future__ import annotations

import gzip
import os
from contextlib import suppress
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
from ansible_collections.voc.cluster.plugins.module_utils._image import compression, convert, formats
from ansible_collections.voc.cluster.plugins.module_utils._image.output import Output
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner

GRAIN = 64 << 10


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Make a sparse image with a little content."""
    path = tmp_path / "source.raw"
    with path.open("wb") as file:
        file.truncate(8 * MIB)
        for offset in (0, 3 * MIB, 8 * MIB - GRAIN):
            file.seek(offset)
            file.write(os.urandom(GRAIN))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Name a target in a folder that does not exist yet."""
    return tmp_path / "work" / "disk"


def _gzip(raw: Path) -> Path:
    path = raw.with_suffix(".gz")
    path.write_bytes(gzip.compress(raw.read_bytes()))
    return path


def _assert_nothing_left(out: Path) -> None:
    assert not out.parent.exists() or os.listdir(out.parent) == []


def test_raw_is_copied_with_its_holes(runner: Runner, raw: Path, out: Path) -> None:
    convert.convert(ScriptedRunner(), str(raw), str(out), Output())
    assert out.read_bytes() == raw.read_bytes()
    assert out.stat().st_blocks == raw.stat().st_blocks


def test_raw_to_qcow2_and_back_is_the_same_and_sparse(runner: Runner, raw: Path, out: Path) -> None:
    qcow2, again = out.with_name("a.qcow2"), out.with_name("a.raw")
    convert.convert(runner, str(raw), str(qcow2), Output("qcow2"))
    assert convert.examine(str(qcow2), declared="qcow2").virtual_size == 8 * MIB
    convert.convert(runner, str(qcow2), str(again), Output())
    assert again.read_bytes() == raw.read_bytes()
    assert again.stat().st_blocks <= raw.stat().st_blocks
    assert sorted(os.listdir(out.parent)) == ["a.qcow2", "a.raw"]


def test_a_qcow2_target_can_be_compressed(runner: Runner, tmp_path: Path, out: Path) -> None:
    raw = tmp_path / "text"
    raw.write_bytes(b"all the same " * 80660)
    plain, small = out.with_name("plain"), out.with_name("small")
    convert.convert(runner, str(raw), str(plain), Output("qcow2"))
    convert.convert(runner, str(raw), str(small), Output("qcow2", compress=True))
    assert small.stat().st_size < plain.stat().st_size


def test_gzip_is_unpacked_with_holes(raw: Path, out: Path) -> None:
    convert.convert(ScriptedRunner(), str(_gzip(raw)), str(out), Output())
    assert out.read_bytes() == raw.read_bytes()
    assert out.stat().st_blocks <= raw.stat().st_blocks
    assert os.listdir(out.parent) == [out.name]


@pytest.mark.parametrize("packed", [False, True])
def test_a_converted_image_belongs_to_its_user_alone(packed: bool, raw: Path, out: Path) -> None:
    convert.convert(ScriptedRunner(), str(_gzip(raw) if packed else raw), str(out), Output())
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.parent.stat().st_mode & 0o777 == 0o700


def test_the_members_of_a_gzip_file_are_joined(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"a" * 1000) + gzip.compress(bytes(MIB)) + gzip.compress(b"b"))
    convert.convert(ScriptedRunner(), str(path), str(out), Output())
    assert out.read_bytes() == b"a" * 1000 + bytes(MIB) + b"b"


def test_text_inside_gzip_is_raw_and_a_descriptor_is_refused(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"just words\n"))
    convert.convert(ScriptedRunner(), str(path), str(out), Output())
    assert out.read_bytes() == b"just words\n"
    out.unlink()
    path.write_bytes(gzip.compress(b"# Disk DescriptorFile\nRW 8 FLAT /etc/shadow 0\n".ljust(1024)))
    with pytest.raises(UnsafeImageError, match=r"a\.gz: the VMDK image only describes other files"):
        convert.convert(ScriptedRunner(), str(path), str(out), Output())
    _assert_nothing_left(out)


def test_qcow2_inside_gzip_is_converted(runner: Runner, raw: Path, out: Path) -> None:
    qcow2 = raw.with_suffix(".qcow2")
    tool("qemu-img", "convert", "-O", "qcow2", raw, qcow2)
    convert.convert(runner, str(_gzip(qcow2)), str(out), Output(), declared="qcow2")
    assert out.read_bytes() == raw.read_bytes()
    assert os.listdir(out.parent) == [out.name]


def test_an_overlay_inside_gzip_is_refused(raw: Path, out: Path) -> None:
    overlay = raw.with_suffix(".overlay")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", overlay)
    packed = _gzip(overlay)
    with pytest.raises(UnsafeImageError, match="backing file") as caught:
        convert.convert(ScriptedRunner(), str(packed), str(out), Output())
    assert caught.value.where == str(packed)
    _assert_nothing_left(out)


def test_gzip_inside_gzip_is_refused(raw: Path, out: Path) -> None:
    path = raw.with_suffix(".gz.gz")
    path.write_bytes(gzip.compress(_gzip(raw).read_bytes()))
    with pytest.raises(InputError, match="compressed twice"):
        convert.convert(ScriptedRunner(), str(path), str(out), Output())
    _assert_nothing_left(out)


def test_truncated_gzip_is_refused(raw: Path, out: Path) -> None:
    path = _gzip(raw)
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(DamagedImageError, match="ends too early"):
        convert.convert(ScriptedRunner(), str(path), str(out), Output())
    _assert_nothing_left(out)


def test_a_wrong_checksum_is_refused(raw: Path, out: Path) -> None:
    path = _gzip(raw)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedImageError, match="gzip data is damaged"):
        convert.convert(ScriptedRunner(), str(path), str(out), Output())
    _assert_nothing_left(out)


def test_a_bomb_is_stopped_at_the_maximum(tmp_path: Path, out: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(64 * MIB), 1))
    with pytest.raises(UnsafeImageError, match="unpacks to more than"):
        convert.convert(ScriptedRunner(), str(path), str(out), Output(), max_virtual_size=4 * MIB)
    _assert_nothing_left(out)


@settings(max_examples=50)
@given(st.binary(max_size=200), st.integers(0, 40), st.integers(0, 255))
def test_damaged_gzip_gives_the_content_or_an_error(tmp_path_factory, content: bytes, at: int, value: int) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    data = bytearray(gzip.compress(content))
    data[min(at, len(data) - 1)] = value
    path, target = folder / "a.gz", folder / "out"
    path.write_bytes(data)
    target.touch()
    try:
        compression.unpack(ScriptedRunner(), str(path), "gzip", str(target), MIB)
    except ImageError:
        return
    assert target.read_bytes() == content


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3 * GRAIN)), max_size=12))
def test_runs_of_zeros_anywhere_survive(tmp_path_factory, runs: list[tuple[bool, int]]) -> None:
    folder = tmp_path_factory.mktemp("runs")
    content = b"".join((bytes if zero else lambda count: b"x" * count)(length) for zero, length in runs)
    (folder / "a.gz").write_bytes(gzip.compress(content, 1))
    (folder / "out").touch()
    compression.unpack(ScriptedRunner(), str(folder / "a.gz"), "gzip", str(folder / "out"), 16 * MIB)
    assert (folder / "out").read_bytes() == content


def test_a_qcow2_image_that_was_cut_short_is_refused(runner: Runner, raw: Path, out: Path) -> None:
    qcow2 = raw.with_suffix(".qcow2")
    tool("qemu-img", "convert", "-O", "qcow2", raw, qcow2)
    os.truncate(qcow2, qcow2.stat().st_size - 2 * GRAIN)
    with pytest.raises(DamagedImageError, match="qcow2 image is cut short"):
        convert.convert(runner, str(qcow2), str(out), Output())
    _assert_nothing_left(out)


def test_another_format_than_declared_is_refused(raw: Path, out: Path) -> None:
    with pytest.raises(UnsafeImageError, match="declared to be qcow2"):
        convert.convert(ScriptedRunner(), str(raw), str(out), Output(), declared="qcow2")
    _assert_nothing_left(out)


def test_a_raw_image_above_the_maximum_is_refused(raw: Path) -> None:
    with pytest.raises(UnsafeImageError, match="more than the maximum"):
        convert.examine(str(raw), max_virtual_size=MIB)


def test_a_compressed_image_has_no_virtual_size_yet(raw: Path) -> None:
    assert convert.examine(str(_gzip(raw))).virtual_size is None


@pytest.mark.parametrize("target_format", formats.FORMATS)
@pytest.mark.parametrize("packed", [False, True])
def test_the_source_is_not_touched(runner: Runner, raw: Path, out: Path, packed: bool, target_format: str) -> None:
    path = _gzip(raw) if packed else raw
    before, content = path.stat(), path.read_bytes()
    convert.convert(runner, str(path), str(out), Output(target_format))
    assert path.read_bytes() == content
    assert (path.stat().st_mtime_ns, path.stat().st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)


def test_a_source_that_is_swapped_between_check_and_use_is_noticed(runner: Runner, raw: Path, out: Path) -> None:
    """The swapped file is an overlay, which qemu-img would follow: it was not what was checked."""
    qcow2, overlay = raw.with_suffix(".qcow2"), raw.with_suffix(".overlay")
    tool("qemu-img", "convert", "-O", "qcow2", raw, qcow2)
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", raw, "-F", "raw", overlay)

    class Swapping(PopenRunner):
        def run(self, argv, **options):  # type: ignore[no-untyped-def]
            with suppress(FileNotFoundError):  # two threads come by here, and one of them does it
                overlay.replace(qcow2)
            return super().run(argv, **options)

    with pytest.raises(UnsafeImageError, match="changed while it was read"):
        convert.convert(Swapping(), str(qcow2), str(out), Output())
    _assert_nothing_left(out)


def test_the_source_is_not_taken_for_the_target(raw: Path) -> None:
    link = raw.with_name("link")
    link.symlink_to(raw)
    content = raw.read_bytes()
    for target in (raw, link):
        with pytest.raises(InputError, match="is the source itself"):
            convert.convert(ScriptedRunner(), str(raw), str(target), Output("qcow2"))
    assert raw.read_bytes() == content


def test_a_name_like_a_protocol_is_only_a_name(
    runner: Runner, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    raw.rename(tmp_path / "nbd:unix")
    convert.convert(runner, "nbd:unix", "json:{}", Output("qcow2"))
    assert convert.examine("json:{}").virtual_size == 8 * MIB
