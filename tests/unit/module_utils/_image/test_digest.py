from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._image import digest

PIECE = 1 << 20
SIZES = st.integers(0, 5 * PIECE + 1) | st.sampled_from([PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE])


def of(path: Path | str) -> str:
    with open(path, "rb") as file:
        return digest.of_file(file.fileno())


def by_definition(content: bytes) -> str:
    pieces = enumerate((content[start : start + PIECE] for start in range(0, len(content), PIECE)), 1)
    lines = [f"{number}:{hashlib.sha256(piece).hexdigest()}" for number, piece in pieces if piece != bytes(PIECE)]
    return hashlib.sha256("".join(f"{line}\n" for line in [len(content), *lines]).encode()).hexdigest()


@given(size=SIZES, places=st.lists(st.integers(0, 5 * PIECE), max_size=4))
def test_holes_and_zeros_are_the_same(size: int, places: list[int]) -> None:
    content = bytearray(size)
    with tempfile.NamedTemporaryFile() as sparse:
        sparse.truncate(size)
        for place in places:
            if place < size:
                content[place] = 7
                os.pwrite(sparse.fileno(), b"\7", place)
        assert digest.of_file(sparse.fileno()) == by_definition(content)


def test_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(2 * PIECE))
    before = of(path)
    path.write_bytes(bytes(2 * PIECE) + b"\0")
    assert of(path) != before
    path.write_bytes(bytes(2 * PIECE - 1) + b"\1")
    assert of(path) != before


def test_anybody_can_work_it_out(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(os.urandom(PIECE) + bytes(PIECE) + os.urandom(100))
    assert digest.__doc__
    command = digest.__doc__.partition("By hand:")[2].replace("IMAGE", '"$1"')
    shown = subprocess.run(["sh", "-c", command, "sh", path], check=True, capture_output=True, text=True)
    assert shown.stdout.split()[0] == of(path)


def test_a_huge_hole_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.touch()
    os.truncate(path, 1 << 42)  # read, this would take an hour
    assert len(of(path)) == 64
