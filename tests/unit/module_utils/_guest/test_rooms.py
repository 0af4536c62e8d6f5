from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Conversation, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import SpaceError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest import rooms
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import ComplaintError, Session
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.rooms import Extent, Room
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, HostFile, PutHostFile
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.tests.unit.images import MIB, assert_clean, debugfs, make_ext, plant, whole

SIZES = (0, 1, 1023, 1024, 4096, 4097, 100_000, 3 * MIB)

# debugfs 1.47
FRAGMENTED = b"""\
Level Entries       Logical        Physical Length Flags
 1/ 1   1/  3     0 -     1   7986 -   7987      2 Uninit
 1/ 1   2/  3     2 -   165   8066 -   8229    164 Uninit
 1/ 1   3/  3   166 -   166   8964 -   8964      1 Uninit
"""


def parts(path: Path, sizes: Sequence[int]) -> list[HostFile]:
    """Write one file of random content, but for a hole, and return parts of it, one after the other."""
    found = []
    with path.open("wb") as file:
        file.seek(4096)
        for size in sizes:
            data = os.urandom(size)
            found.append(HostFile(str(path), size, hashlib.sha256(data).hexdigest(), file.tell()))
            file.write(data)
    return found


def fragment(image: Path) -> None:
    """Let all free space be full of what was there, and its first part be in pieces."""
    junk = image.with_name("junk")
    junk.write_bytes(b"junk" * (2 * MIB // 4))
    for number in range(40):
        debugfs(image, f"write {image.with_name('small')} small{number}", write=True)
    debugfs(image, f"write {junk} junk", write=True)
    for name in ("junk", *(f"small{number}" for number in range(0, 40, 2))):
        debugfs(image, f"rm {name}", write=True)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("ext4", ()),
        (
            "ext4",
            (
                "-b",
                "1024",
            ),
        ),
        (
            "ext4",
            (
                "-O",
                "inline_data",
            ),
        ),
        (
            "ext4",
            (
                "-O",
                "bigalloc",
            ),
        ),
        (
            "ext4",
            (
                "-O",
                "^metadata_csum,^64bit",
            ),
        ),
        ("ext3", ()),
        (
            "ext2",
            (
                "-b",
                "1024",
            ),
        ),
    ],
)
def test_parts_of_a_file_are_put_into_any_ext(
    kind: str, options: tuple[str, ...], runner: Runner, tmp_path: Path
) -> None:
    image = make_ext(
        tmp_path / "part", plant(tmp_path / "tree", {"/etc/a": "a"}), size=16 * MIB, kind=kind, options=options
    )
    (tmp_path / "small").write_bytes(b"small" * 300)
    fragment(image)
    # debugfs 1.47 reads zeros behind the end of a file that its inode holds.
    sizes = [size for size in SIZES if size >= 60 or "inline_data" not in options]
    sources = parts(tmp_path / "archive", sizes)
    with ExtTree(runner, whole(image)) as files:
        files.apply(
            [
                PutHostFile(f"/etc/{number}", source, Attributes(0o640, 5, number), replaces=False)
                for number, source in enumerate(sources)
            ]
        )
        names = [f"/etc/{number}" for number in range(len(sources))]
        assert list(files.digests(names).values()) == [source.sha256 for source in sources]
        entries = [files.lstat(name) for name in names]
    assert [entry.attributes for entry in entries if entry] == [Attributes(0o640, 5, n) for n in range(len(sources))]
    filesystems.verify(runner, whole(image))
    assert_clean(image)


def test_nothing_that_was_in_a_block_before_stays_behind_the_end_of_a_file(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/a": "a"}), size=4 * MIB)
    (tmp_path / "small").write_bytes(b"small")
    fragment(image)
    with ExtTree(runner, whole(image)) as files:
        files.apply([PutHostFile("/short", parts(tmp_path / "archive", [1])[0], Attributes(), replaces=False)])
    block = int(debugfs(image, "bmap /short 0").split()[-1])
    size = filesystems.require_ext(whole(image)).block_size
    assert size
    content = image.read_bytes()[block * size : (block + 1) * size]
    assert content[1:] == bytes(size - 1)


def test_a_full_image_is_as_it_was(runner: Runner, tmp_path: Path) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", {"/a": "a"}), size=4 * MIB)
    source = parts(tmp_path / "archive", [5 * MIB])[0]
    with ExtTree(runner, whole(image)) as files:
        with pytest.raises(SpaceError, match="the image is full"):
            files.apply([PutHostFile("/large", source, Attributes(), replaces=False)])
        assert files.lstat("/large") is None
    assert_clean(image)


def test_extents_are_read() -> None:
    assert rooms.parse_extents(FRAGMENTED) == [Extent(0, 7986, 2), Extent(2, 8066, 164), Extent(166, 8964, 1)]
    assert rooms.parse_extents(FRAGMENTED.replace(b"Uninit", b"")) == []


class _Shows(Conversation):
    """Answers every request with the same extents."""

    def __init__(self, shown: bytes, errors: bytes = b"") -> None:
        self.shown, self.errors = shown, errors

    def ask(self, request: bytes, end: bytes) -> tuple[bytes, bytes]:
        del end
        return b"debugfs: " + request.split(b"#")[0] + self.shown, self.errors


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" 0/ 0   1/  1     1 -     1     10 -     10      1 Uninit\n",
        b" 0/ 0   1/  1     0 -     1     10 -     11      2 Uninit\n",
        b" 0/ 0   1/  1     0 -     0    256 -    256      1 Uninit\n",
    ],
)
def test_room_that_is_not_what_was_asked_for_is_not_written_to(line: bytes, tmp_path: Path) -> None:
    image = tmp_path / "part"
    image.write_bytes(bytes(MIB))
    room = Room('"/a"', parts(tmp_path / "archive", [4096])[0])
    with pytest.raises(ToolError, match="no proper room"):
        rooms.fill(Session(_Shows(line)), Volume(str(image), 0, MIB), 4096, [room])
    assert image.read_bytes() == bytes(MIB)


def test_what_debugfs_says_on_standard_error_is_a_complaint() -> None:
    assert Session(_Shows(b"", b"debugfs 1.47.0 (5-Feb-2023)\n")).ask(["ls"]) == [b""]
    with pytest.raises(ComplaintError, match="no such"):
        Session(_Shows(b"", b"debugfs 1.47.0 (5-Feb-2023)\nno such\n")).ask(["ls"])
