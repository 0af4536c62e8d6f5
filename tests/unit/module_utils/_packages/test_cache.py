"""The cache gives a guest only what the guest's own index names, whoever put it there."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._packages.cache import Cache

ARCHIVES = "/var/cache/apt/archives"
CONTENT = b"a package\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WANTED = {"a_1_all.deb": DIGEST}


def make_guest(folder: Path, name: str, content: bytes | None) -> MountedTree:
    archives = folder / name / ARCHIVES.lstrip("/")
    archives.mkdir(parents=True)
    if content is not None:
        (archives / "a_1_all.deb").write_bytes(content)
    return MountedTree(str(folder / name))


def test_what_one_guest_downloaded_another_gets(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    assert cache.take(make_guest(tmp_path, "one", CONTENT), ARCHIVES, WANTED) == ["a_1_all.deb"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [DIGEST]
    other = make_guest(tmp_path, "other", None)
    assert cache.give(other, ARCHIVES, WANTED) == ["a_1_all.deb"]
    assert other.read(f"{ARCHIVES}/a_1_all.deb") == CONTENT
    assert cache.take(other, ARCHIVES, WANTED) == []


def test_a_guest_cannot_put_anything_under_anothers_digest(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    assert cache.take(make_guest(tmp_path, "hostile", b"poison\n"), ARCHIVES, WANTED) == []
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_file_is_given_to_nobody_and_thrown_away(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    (tmp_path / DIGEST).write_bytes(b"half")
    assert cache.give(make_guest(tmp_path, "guest", None), ARCHIVES, WANTED) == []
    assert not (tmp_path / DIGEST).exists()


def test_what_killed_runs_left_half_is_removed_and_what_others_copy_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    for name, age in ((".new-old", 48 * 3600), (".new-fresh", 60), (DIGEST[::-1], 48 * 3600)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    Cache(str(folder)).take(make_guest(tmp_path, "guest", None), ARCHIVES, {})
    assert {path.name for path in folder.iterdir()} == {".new-fresh", DIGEST[::-1]}


def test_a_link_is_no_package(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "cache"))
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    guest = make_guest(tmp_path, "guest", None)
    (tmp_path / "guest" / ARCHIVES.lstrip("/") / "a_1_all.deb").symlink_to(secret)
    assert cache.take(guest, ARCHIVES, WANTED) == []
