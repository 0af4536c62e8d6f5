from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest import descend

Opener = Callable[[int, str], int]


@pytest.fixture(params=["openat2", "walk"])
def opener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opener:
    """Return the function on a kernel that has openat2, and on one that has not."""
    if request.param == "walk":

        def absent(*_arguments: object) -> int:
            raise OSError(errno.ENOSYS, "not implemented")

        monkeypatch.setattr(descend, "_openat2", absent)
    return descend.open_folder


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root/a b/c").mkdir(parents=True)
    (tmp_path / "root/file").write_text("")
    (tmp_path / "root/inside").symlink_to("a b")
    (tmp_path / "root/outside").symlink_to(tmp_path)
    (tmp_path / "root/a b/up").symlink_to("../..")
    (tmp_path / "root/magic").symlink_to("/proc/self/root")
    descriptor = os.open(tmp_path / "root", os.O_PATH)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("path", ["/", "/a b", "/a b/c"])
def test_directories_are_opened(opener: Opener, root: int, tmp_path: Path, path: str) -> None:
    found = opener(root, path)
    try:
        assert os.path.samestat(os.fstat(found), os.stat(tmp_path / "root" / path.strip("/")))
    finally:
        os.close(found)


@pytest.mark.parametrize(
    "path", ["/none", "/file", "/file/x", "/inside", "/inside/c", "/outside", "/a b/up", "/magic", "/magic/etc", "/.."]
)
def test_nothing_else_is(opener: Opener, root: int, path: str) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="Errno"):
        opener(root, path)
    assert os.listdir("/proc/self/fd") == before


def test_a_path_of_any_length_is_followed(opener: Opener, root: int) -> None:
    here = os.open(".", os.O_PATH, dir_fd=root)
    for _step in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    found = opener(root, "/" + "/".join(["d" * 200] * 30))
    assert os.path.samestat(os.fstat(found), os.fstat(here))
    os.close(found)
    os.close(here)
