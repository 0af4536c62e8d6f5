"""What else than an image may stand at the path of an image: FIFOs, folders, devices, links."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.tests.unit.attacks.hostile import VERBS, Attack
from ansible_collections.voc.cluster.tests.unit.images import MIB, make_disk, make_ext


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


PLACES: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "folder": os.mkdir,
    "socket": _socket,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "nothing": lambda path: path.symlink_to("/no/such/file"),
    "loop": lambda path: path.symlink_to(path.name),
    "below-a-file": lambda path: path.symlink_to("/etc/passwd/x"),
    "empty": Path.touch,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_image_is_refused_and_not_waited_for(
    verb: str, place: str, attack: Attack, tmp_path: Path, out: Path
) -> None:
    PLACES[place](tmp_path / "image")
    result = attack(verb, **VERBS[verb](str(tmp_path / "image"), out))
    if (verb, place) == ("image_release_info", "empty"):  # an empty source has a digest
        return
    assert result["failed"]
    assert str(tmp_path / "image") in result["msg"]
    assert not (out / "out").exists()


def test_a_fifo_beside_the_source_is_refused(attack: Attack, tmp_path: Path, out: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    image = make_ext(tmp_path / "part", size=MIB)
    for kind in ("boot", "data", "swap"):
        extra = [{"type": kind, "src": str(tmp_path / "fifo")}]
        result = attack("image_layout", src=str(image), dest=str(out / "out"), partitions=extra)
        assert result["msg"] == f"{tmp_path}/fifo: it is not a regular file; give the path of an image file."
    result = attack("image_kernel", image=str(image), bundle=str(tmp_path / "fifo"))
    assert "it is not a regular file" in result["msg"]
    result = attack(
        "image_release_info", name="a", releases=str(out), src=str(image), files={"key": str(tmp_path / "fifo")}
    )
    assert "it is not a regular file" in result["msg"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_link_to_an_image_is_followed_or_refused(verb: str, attack: Attack, tmp_path: Path, out: Path) -> None:
    """A working image that is changed is the file itself: a link could be turned to another one."""
    disk = make_disk(tmp_path / "disk", make_ext(tmp_path / "part", size=MIB))
    before = disk.read_bytes()
    (tmp_path / "image").symlink_to(disk)
    result = attack(verb, **VERBS[verb](str(tmp_path / "image"), out))
    assert "symbolic links" not in result.get("msg", "")  # the kernel's words
    assert disk.read_bytes() == before
    assert (tmp_path / "image").is_symlink()
