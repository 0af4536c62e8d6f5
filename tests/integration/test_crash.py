"""SIGKILL at any moment: nothing is left, nothing published is harmed, and the next run finishes.

The moments are random; VOC_CRASH_SEED=N repeats those that a failure printed.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._release import Manifest

from .machine import left_behind, loop_devices, mounts, processes, tool

pytestmark = pytest.mark.root

ROOT = Path(__file__).resolve().parents[2]
VICTIM = Path(__file__).with_name("crash_victim.py")
ROUNDS = 8
SECONDS = 120


@pytest.fixture
def moments() -> Iterator[random.Random]:
    seed = int(os.environ.get("VOC_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VOC_CRASH_SEED={seed}")
    return random.Random(seed)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start the victim and wait until it begins to work."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
    argv = [sys.executable, VICTIM, *arguments]
    victim = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
    assert victim.stdout
    assert victim.stdout.readline() == "begun\n"
    return victim


def finish(*arguments: str | Path) -> float:
    """Let the victim do all of its work; return the seconds that took."""
    with start(*arguments) as victim:
        begin = time.monotonic()
        assert victim.wait(SECONDS) == 0
        return time.monotonic() - begin


def kill(after: float, *arguments: str | Path) -> None:
    """Kill the victim some time after it began, and wait until all that it held is gone."""
    folders = (ROOT, Path("/mnt"))
    image = (Path(arguments[1]),)

    def look() -> set[str]:
        return loop_devices(image) | mounts(folders) | processes()

    before = look()
    with start(*arguments) as victim:
        time.sleep(after)
        victim.kill()
    assert left_behind(look, before) == set(), f"killed {after:.3f} s after it began"


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_a_killed_layout_leaves_the_source_and_no_half_disk(
    runner: Runner, sample: Path, tmp_path: Path, moments: random.Random
) -> None:
    before = digest(sample)
    target = tmp_path / "disk.raw"

    def assert_whole() -> None:
        (region,) = contents.look(runner, str(target)).regions
        filesystems.verify(runner, region.volume)

    lasts = finish("layout", sample, target)
    for _round in range(ROUNDS):
        target.unlink(missing_ok=True)
        kill(moments.uniform(0, lasts), "layout", sample, target)
        if target.exists():
            assert_whole()
    assert digest(sample) == before
    finish("layout", sample, target)
    assert_whole()


def test_a_killed_sandbox_leaves_no_mount_and_no_program(sample: Path, tmp_path: Path, moments: random.Random) -> None:
    image = tmp_path / "guest.img"
    tool("cp", "--sparse=always", sample, image)
    lasts = finish("sandbox", image, "true")
    for _round in range(ROUNDS):
        # The guest's programs ignore what they can ignore.
        command = ("sh", "-c", "trap '' HUP INT TERM; setsid sleep 600 & sleep 600")
        kill(moments.uniform(0, 2 * lasts), "sandbox", image, *command)
    finish("sandbox", image, "true")
    tool("e2fsck", "-f", "-n", image)


def test_a_killed_publication_leaves_the_releases_whole(sample: Path, tmp_path: Path, moments: random.Random) -> None:
    releases = tmp_path / "releases"

    def current() -> tuple[Path, Manifest]:
        found = _release.read_current(str(releases), "worker")
        assert found
        return Path(found[0]), found[1]

    lasts = finish("publish", sample, releases)
    first, manifest = current()
    for _round in range(ROUNDS):
        before = current()
        kill(moments.uniform(0, lasts), "publish", sample, releases)
        assert digest(first / manifest.file) == manifest.sha256
        after = current()
        # The link has moved only if the new release is whole.
        assert after == before or digest(after[0] / after[1].file) == after[1].sha256
    finish("publish", sample, releases)
    last, manifest = current()
    assert last != first
    assert digest(last / manifest.file) == manifest.sha256
    folders = {path for path in (releases / "worker").iterdir() if not path.is_symlink()}
    assert all((folder / "manifest.json").exists() for folder in folders)
