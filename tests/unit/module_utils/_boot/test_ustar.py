from __future__ import annotations

import contextlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._boot import ustar
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, ImageError, UnsafeImageError
from ansible_collections.voc.cluster.tests.unit.bundles import member

LONG = f"{'d' * 100}/{'e' * 50}/{'n' * 100}"


def _archive(*headers: tarfile.TarInfo, form: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for header in headers:
            archive.addfile(header, io.BytesIO(b"x" * header.size))
    return buffer.getvalue()


WHOLE = _archive(
    member("a", size=513),
    member("folder/", kind=tarfile.DIRTYPE),
    member("folder/link", kind=tarfile.SYMTYPE, target="../a"),
    member(LONG, size=1),
)


def _members(path: Path, data: bytes) -> list[ustar.Member]:
    path.write_bytes(data)
    with path.open("rb") as file:
        return list(ustar.members(file, "here"))


def test_members_are_told_with_the_place_of_their_content(tmp_path: Path) -> None:
    assert _members(tmp_path / "a", WHOLE) == [
        ustar.Member("a", "file", "", 512, 513),
        ustar.Member("folder/", "directory", "", 2048, 0),
        ustar.Member("folder/link", "symlink", "../a", 2560, 0),
        ustar.Member(LONG, "file", "", 3072, 1),
    ]


@pytest.mark.parametrize("length", [0, 511, 512, 1024, 1600])
def test_an_archive_cut_short_is_damaged(tmp_path: Path, length: int) -> None:
    with pytest.raises(DamagedImageError):
        _members(tmp_path / "a", WHOLE[:length])


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_directory_or_link_is_refused(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(UnsafeImageError, match="holds odd, which is neither a file"):
        _members(tmp_path / "a", _archive(member("odd", kind=kind, target="a")))


def test_later_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DamagedImageError, match="not a ustar archive; make it with tar --format=ustar"):
        _members(tmp_path / "a", _archive(member("a"), form=tarfile.GNU_FORMAT))
    with pytest.raises(UnsafeImageError):  # its header of its own for the long name
        _members(tmp_path / "a", _archive(member("n" * 200), form=tarfile.PAX_FORMAT))


@pytest.mark.parametrize("name", [b"a\nb", b"a\x1b[2J", b"\xff"])
def test_a_name_that_is_no_plain_text_is_refused(tmp_path: Path, name: bytes) -> None:
    spoilt = bytearray(_archive(member("n" * 10)))
    spoilt[: len(name)] = name
    spoilt[148:156] = b" " * 8
    spoilt[148:156] = b"%06o\0 " % sum(spoilt[:512])
    with pytest.raises(UnsafeImageError, match="not plain text"):
        _members(tmp_path / "a", bytes(spoilt))


@given(data=st.binary(max_size=2048))
def test_any_bytes_end_in_an_error_or_in_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    with contextlib.suppress(ImageError):
        assert _members(path, data) == []


@given(position=st.integers(0, 511), value=st.integers(0, 255), fits=st.booleans())
def test_a_changed_header_never_leads_out_of_the_archive(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, fits: bool
) -> None:
    spoilt = bytearray(WHOLE)
    spoilt[position] = value
    if fits:
        spoilt[148:156] = b" " * 8
        spoilt[148:156] = b"%06o\0 " % sum(spoilt[:512])
    try:
        found = _members(tmp_path_factory.getbasetemp() / "changed", bytes(spoilt))
    except ImageError:
        return
    assert all(0 < entry.offset <= entry.offset + entry.size <= len(WHOLE) for entry in found)
