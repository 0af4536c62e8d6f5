from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import (
    DamagedImageError,
    ImageError,
    InputError,
    UnsafeImageError,
)
from ansible_collections.voc.cluster.plugins.module_utils._image import safety
from ansible_collections.voc.cluster.plugins.module_utils._image.probe import Probe
from ansible_collections.voc.cluster.tests.unit.images import MIB, tool

LIMIT = 1 << 40
_FEATURES = 72  # where a version 3 header has its incompatible features


def _create(path: Path, *options: str, size: str | None = "4M") -> bytes:
    tool("qemu-img", "create", "-q", "-f", "qcow2", *options, path, *([size] if size else []))
    return path.read_bytes()[: safety.QCOW2_HEADER]


def _check(header: bytes) -> safety.Qcow2Header:
    parsed = safety.parse_qcow2(header, "x.qcow2")
    safety.check_qcow2(parsed, "x.qcow2")
    safety.check_virtual_size(parsed.virtual_size, "x.qcow2", LIMIT)
    return parsed


def _with_features(header: bytes, bits: int) -> bytes:
    return header[:_FEATURES] + struct.pack(">Q", bits) + header[_FEATURES + 8 :]


@pytest.mark.parametrize(("compat", "version"), [("0.10", 2), ("1.1", 3)])
def test_a_plain_image_of_either_version_is_accepted(compat: str, version: int, tmp_path: Path) -> None:
    parsed = _check(_create(tmp_path / "a", "-o", f"compat={compat}"))
    assert (parsed.version, parsed.virtual_size) == (version, 4 * MIB)


@pytest.mark.parametrize("option", ["compression_type=zstd", "extended_l2=on", "lazy_refcounts=on"])
def test_features_without_danger_are_accepted(option: str, tmp_path: Path) -> None:
    assert _check(_create(tmp_path / "a", "-o", option)).version == 3


def test_a_backing_file_is_refused(tmp_path: Path) -> None:
    _create(tmp_path / "base")
    header = _create(tmp_path / "a", "-b", str(tmp_path / "base"), "-F", "qcow2", size=None)
    with pytest.raises(UnsafeImageError, match="has a backing file; flatten it"):
        _check(header)


def test_a_data_file_is_refused(tmp_path: Path) -> None:
    header = _create(tmp_path / "a", "-o", f"data_file={tmp_path / 'data'}")
    with pytest.raises(UnsafeImageError, match="keeps its data in another file"):
        _check(header)


def test_an_encrypted_image_is_refused(tmp_path: Path) -> None:
    header = _create(tmp_path / "a")
    luks = struct.pack(">I", 2)  # its crypt_method; making a real one takes seconds
    with pytest.raises(InputError, match="is encrypted"):
        _check(header[:32] + luks + header[36:])


def test_an_image_that_is_marked_corrupt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedImageError, match="marked corrupt"):
        _check(_with_features(_create(tmp_path / "a"), 1 << 1))


def test_a_dirty_image_is_accepted(tmp_path: Path) -> None:
    assert _check(_with_features(_create(tmp_path / "a"), 1)).incompatible == 1


@given(st.integers(5, 63))
def test_unknown_features_are_refused(bit: int) -> None:
    header = b"QFI\xfb" + struct.pack(">I", 3) + bytes(16) + struct.pack(">Q", MIB) + bytes(72)
    with pytest.raises(UnsafeImageError, match=f"unknown features {1 << bit:#x}"):
        _check(_with_features(header, 1 << bit))


def test_a_virtual_size_above_the_maximum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeImageError, match=r"more than the maximum of \d+; raise max_virtual_size"):
        _check(_create(tmp_path / "a", size="2T"))
    assert _check(_create(tmp_path / "b", size="1T")).virtual_size == LIMIT


def test_a_virtual_size_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedImageError, match="virtual size is 0"):
        _check(_create(tmp_path / "a", size="0"))


@pytest.mark.parametrize(("compat", "cut"), [("0.10", 71), ("1.1", 103), ("1.1", 4)])
def test_a_header_that_is_cut_short_is_refused(compat: str, cut: int, tmp_path: Path) -> None:
    header = _create(tmp_path / "a", "-o", f"compat={compat}")
    with pytest.raises(DamagedImageError, match="cut short"):
        _check(header[:cut])


def test_version_1_and_versions_nobody_defined_are_refused() -> None:
    with pytest.raises(InputError, match="version 1"):
        _check(b"QFI\xfb" + struct.pack(">I", 1) + bytes(96))
    with pytest.raises(DamagedImageError, match="no version 4"):
        _check(b"QFI\xfb" + struct.pack(">I", 4) + bytes(96))


@given(st.binary(max_size=120))
def test_any_header_is_accepted_or_refused(rest: bytes) -> None:
    try:
        parsed = _check(b"QFI\xfb" + rest)
    except ImageError:
        return
    assert 0 < parsed.virtual_size <= LIMIT
    assert not parsed.has_backing_file
    assert not parsed.encrypted


def test_another_format_than_the_declared_one_is_refused() -> None:
    with pytest.raises(UnsafeImageError, match="declared to be raw but its bytes are those of qcow2"):
        safety.check_declared(Probe(None, "qcow2", 1, 1), "raw", "x")
    safety.check_declared(Probe(None, "qcow2", 1, 1), "qcow2", "x")
    safety.check_declared(Probe(None, "qcow2", 1, 1), None, "x")
