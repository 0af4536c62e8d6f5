from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import INSPECT, Conversation, Limits, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import DamagedImageError, InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest import batch
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import change_guest
from ansible_collections.voc.cluster.plugins.module_utils._guest.debugfs import Session
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
from ansible_collections.voc.cluster.tests.unit.images import (
    EFI_DISK_ROOT,
    MIB,
    assert_clean,
    debugfs,
    make_disk,
    make_efi_disk,
    make_ext,
    plant,
    whole,
)

FILES: dict[str, str | bytes] = {f"/etc/{number}": f"{number}\n" * 500 for number in range(6)}


class KilledError(Exception):
    """The batch was killed."""


class Killer(PopenRunner):
    """Lets the kernel kill debugfs in the middle of a batch: at the first byte beyond `limit` of any file."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    @contextmanager
    def converse(self, argv: Sequence[str], limits: Limits = INSPECT) -> Iterator[Conversation]:
        if "-w" not in argv:
            with super().converse(argv, limits) as conversation:
                yield conversation
            return
        with super().converse(argv, replace(limits, file_size=self._limit)) as conversation:
            yield _Doomed(conversation)


class _Doomed(Conversation):
    """Ends this process's part, too, when debugfs is killed, or else when it has done all."""

    def __init__(self, inner: Conversation) -> None:
        self._inner = inner

    def ask(self, request: bytes, end: bytes) -> tuple[bytes, bytes]:
        try:
            answer = self._inner.ask(request, end)
        except ToolError:
            raise KilledError from None
        if b'open "' in request:
            raise KilledError
        return answer


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_ext(tmp_path / "part", plant(tmp_path / "tree", FILES), size=4 * MIB)


def options(image: Path) -> dict[str, object]:
    return {"image": str(image), "access": "auto", "root": None}


def edit(plan: Plan) -> None:
    """Remove, replace and make files, and lengthen what is there."""
    for number in range(3):
        plan.remove(f"/etc/{number}")
        plan.write(f"/etc/{number + 3}", plan.read(f"/etc/{number + 3}") + b"more\n")
        plan.write(f"/new/{'n' * 200}{number}", os.urandom(100_000))


def content(runner: Runner, volume: Volume) -> dict[str, bytes]:
    with ExtTree(runner, volume) as files:
        return {f"/etc/{name}": files.read(f"/etc/{name}") for name in files.listdir("/etc")}


# Where debugfs is by then: before it marks the filesystem, before its first change, between, at the end.
@pytest.mark.parametrize("limit", [0, 3000, 150 << 10, 350 << 10, 64 * MIB])
@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_a_batch_that_was_killed_is_taken_back_and_done_again(
    kind: str, limit: int, runner: Runner, tmp_path: Path
) -> None:
    image = make_ext(tmp_path / "part", plant(tmp_path / "tree", FILES), size=4 * MIB, kind=kind)
    before = content(runner, whole(image))
    after = {f"/etc/{number}": before[f"/etc/{number}"] + b"more\n" for number in range(3, 6)}
    with pytest.raises(KilledError):
        change_guest(Killer(limit), options(image), edit, apply=True)
    if limit == 0:
        assert content(runner, whole(image)) == before
    elif limit == 64 * MIB:
        assert content(runner, whole(image)) == after
    else:
        with pytest.raises(DamagedImageError, match="a run was killed while it changed it"):
            filesystems.verify(runner, whole(image))
        batch.repair(runner, whole(image))
        assert content(runner, whole(image)) == before
        assert_clean(image)
        change_guest(runner, options(image), edit, apply=True)
        assert content(runner, whole(image)) == after
        assert not list(tmp_path.glob(".*"))
    filesystems.verify(runner, whole(image))


def test_the_next_change_takes_back_what_was_killed(runner: Runner, image: Path, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk", image)
    with pytest.raises(KilledError):
        change_guest(Killer(MIB + (200 << 10)), options(disk), edit, apply=True)
    told = change_guest(runner, options(disk), edit, apply=True)
    assert [change["action"] for change in told["changes"]].count("remove") == 3
    assert_clean(disk, MIB)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("offset", [0, MIB])
def test_a_batch_that_fails_changes_nothing(runner: Runner, image: Path, tmp_path: Path, offset: int) -> None:
    before = content(runner, whole(image))
    volume = Volume(str(make_disk(tmp_path / "disk", image)), MIB, image.stat().st_size) if offset else whole(image)

    def work(session: Session) -> None:
        session.do(["rm /etc/1"])
        session.do([f"write {image} /etc/2", "mkdir /new"])

    with ExitStack() as stack, pytest.raises(ToolError, match="debugfs failed: "):
        batch.run(runner, volume, work, stack)
    assert content(runner, volume) == before
    filesystems.verify(runner, volume)
    assert_clean(Path(volume.path), offset)
    assert not list(tmp_path.glob(".*"))


def test_a_filesystem_that_lies_far_back_is_changed_but_not_taken_back(
    runner: Runner, image: Path, tmp_path: Path
) -> None:
    disk = make_efi_disk(tmp_path / "disk", image)
    volume = Volume(str(disk), EFI_DISK_ROOT, image.stat().st_size)
    untouched = disk.read_bytes()
    with pytest.raises(KilledError):
        change_guest(Killer(EFI_DISK_ROOT + (200 << 10)), options(disk), edit, apply=True)
    for _time in range(2):
        with pytest.raises(DamagedImageError, match="cannot be taken back; make the working image"):
            change_guest(runner, options(disk), edit, apply=True)
    disk.write_bytes(untouched)
    assert change_guest(runner, options(disk), edit, apply=True)["changed"]
    filesystems.verify(runner, volume)
    assert_clean(disk, EFI_DISK_ROOT)
    assert not list(tmp_path.glob(".*"))


def test_damage_beyond_repair_says_where_to_begin_again(runner: Runner, image: Path) -> None:
    debugfs(image, "clri <2>", write=True)
    debugfs(image, "set_super_value state 0", write=True)
    with pytest.raises(DamagedImageError, match="make the working image from its source again"):
        batch.repair(runner, whole(image))


@pytest.mark.parametrize("trace", ["feature needs_recovery", "set_super_value state 0", "set_super_value state 3"])
def test_a_guest_that_crashed_is_repaired_by_who_changes_it_and_by_nobody_else(
    runner: Runner, image: Path, trace: str
) -> None:
    debugfs(image, trace, write=True)
    before = image.read_bytes()
    told = change_guest(runner, options(image), edit, apply=False)
    assert image.read_bytes() == before
    with ExtTree(runner, whole(image)) as files, pytest.raises(InputError, match="not unmounted cleanly"):
        files.apply([])
    done = change_guest(runner, options(image), edit, apply=True)
    assert done["changes"] == told["changes"]
    filesystems.verify(runner, whole(image))
