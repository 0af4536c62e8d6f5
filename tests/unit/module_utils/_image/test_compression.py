"""Each compression in both directions: damage, bombs, holes."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    ImageError,
    ToolError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import compression
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import probe
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import MIB

KINDS = list(compression.ENDINGS)
TOOLS = {"gzip": "gzip", "bzip2": "bzip2", "xz": "xz", "zstd": "zstd"}


def _packed(kind: str, content: bytes, path: Path) -> Path:
    path.write_bytes(subprocess.run([TOOLS[kind], "-c", "-1"], input=content, capture_output=True, check=True).stdout)
    return path


def _unpack(runner: Runner, kind: str, path: Path, maximum: int = 64 * MIB) -> Path:
    target = path.with_name("out")
    target.write_bytes(b"")
    compression.unpack(runner, str(path), kind, str(target), maximum)
    return target


@pytest.mark.parametrize("kind", KINDS)
def test_content_survives_and_zeros_become_holes(kind: str, runner: Runner, tmp_path: Path) -> None:
    content = os.urandom(100_000) + bytes(16 * MIB) + b"end"
    target = _unpack(runner, kind, _packed(kind, content, tmp_path / "a b'"))
    assert target.read_bytes() == content
    assert target.stat().st_blocks * 512 < 2 * MIB
    assert sorted(os.listdir(tmp_path)) == ["a b'", "out"]


def _with_a_long_window(path: Path, content: bytes) -> Path:
    """Pack as zstd does when it may look back 2 GiB and does not know how much will come."""
    with path.open("wb") as file:
        subprocess.run(["zstd", "-q", "-c", "--long=31"], input=content, stdout=file, check=True)
    return path


def test_the_longest_window_of_zstd_is_no_damage(runner: Runner, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    assert _unpack(runner, "zstd", _with_a_long_window(tmp_path / "a", content)).read_bytes() == content


def test_too_little_memory_is_no_damage(tmp_path: Path) -> None:
    class Small(PopenRunner):
        def execute(self, argv, limits, *others):
            return super().execute(argv, replace(limits, memory=1 << 30), *others)

    with pytest.raises(ToolError, match=r"a: zstd got too little memory to unpack it; raise limits: memory"):
        _unpack(Small(), "zstd", _with_a_long_window(tmp_path / "a", b"content"))


@pytest.mark.parametrize("kind", KINDS)
def test_packing_and_unpacking_gives_the_same(kind: str, runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a"
    content = os.urandom(5000) + bytes(MIB)
    path.write_bytes(content)
    compression.pack(runner, str(path), kind)
    assert probe(str(path)).compression == kind
    assert os.listdir(tmp_path) == ["a"]
    assert _unpack(runner, kind, path).read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_joined_streams_are_joined(kind: str, runner: Runner, tmp_path: Path) -> None:
    first = _packed(kind, b"a" * 70000, tmp_path / "a").read_bytes()
    path = tmp_path / "a"
    path.write_bytes(first + _packed(kind, b"b" * 3, tmp_path / "b").read_bytes())
    assert _unpack(runner, kind, path).read_bytes() == b"a" * 70000 + b"bbb"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [5, 0.5, 0.99])
def test_a_file_that_ends_too_early_is_refused(kind: str, left: float, runner: Runner, tmp_path: Path) -> None:
    path = _packed(kind, os.urandom(50_000), tmp_path / "a")
    os.truncate(path, left if left > 1 else int(path.stat().st_size * left))
    with pytest.raises(DamagedImageError, match=rf"a: the {kind} data .*; fetch the image again"):
        _unpack(runner, kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_content_is_noticed(kind: str, runner: Runner, tmp_path: Path) -> None:
    if kind == "zstd":
        path = tmp_path / "a"
        subprocess.run(["zstd", "-q", "--check", "-o", path], input=os.urandom(50_000), check=True)
    else:
        path = _packed(kind, os.urandom(50_000), tmp_path / "a")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(DamagedImageError, match=rf"the {kind} data is damaged"):
        _unpack(runner, kind, path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_is_stopped_at_the_maximum(kind: str, runner: Runner, tmp_path: Path) -> None:
    path = _packed(kind, bytes(64 * MIB), tmp_path / "a")
    with pytest.raises(UnsafeImageError, match=f"unpacks to more than {4 * MIB} bytes; raise max_virtual_size"):
        _unpack(runner, kind, path, 4 * MIB)
    assert sum(file.stat().st_blocks * 512 for file in tmp_path.iterdir()) < 8 * MIB


def test_a_window_that_needs_much_memory_is_refused(runner: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a"
    # A frame that asks for a window of 2.25 GiB: no single segment, exponent 21, an eighth of it more.
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes([0x00, (21 << 3) + 1]) + b"\x01\x00\x00")
    with pytest.raises(UnsafeImageError, match="zstd needs more than 2048 MiB of memory to unpack it; pack it anew"):
        _unpack(runner, "zstd", path)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["gzip", "bzip2"]), st.binary(max_size=300), st.integers(0, 60), st.integers(0, 255))
def test_damage_gives_the_content_or_an_error(runner, tmp_path_factory, kind, content, at, value) -> None:
    path = _packed(kind, content, tmp_path_factory.mktemp("damaged") / "a")
    data = bytearray(path.read_bytes())
    data[min(at, len(data) - 1)] = value
    path.write_bytes(data)
    try:
        target = _unpack(runner, kind, path, MIB)
    except ImageError:
        return
    assert target.read_bytes() in (content, b"")
