"""SIGKILL at any moment: nothing is left, nothing published is harmed, and the next run finishes.

The moments are random; VOC_CRASH_SEED=N repeats those that a failure printed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils import _release
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest.ext import ExtTree
from ansible_collections.voc.cluster.plugins.module_utils._image import contents, filesystems
from ansible_collections.voc.cluster.plugins.module_utils._release import Manifest
from ansible_collections.voc.cluster.tests.unit.bundles import KERNEL, MODULES, make_bundle
from ansible_collections.voc.cluster.tests.unit.images import EFI_DISK_ROOT, make_efi_disk

from .drivers import whole
from .machine import left_behind, loop_devices, mounts, processes, tool

pytestmark = pytest.mark.root

ROOT = Path(__file__).resolve().parents[2]
VICTIM = Path(__file__).with_name("crash_victim.py")
ROUNDS = 8
SERIES, KILLS = 3, 3  # the next run is killed too, some times, before one is left alone
SECONDS = 120
MIB = 1 << 20
GUEST = {
    "/etc/os-release": "ID=debian\nVERSION_ID=13\n",
    "/etc/fstab": "/dev/sda1 / ext4 noatime 0 1\n",
    "/boot/vmlinuz-6.1.0": "kernel",
    "/boot/initrd.img-6.1.0": "initramfs",
    "/usr/lib/modules/6.1.0/modules.dep": "",
    "/data": "some content\n" * 50_000,
}


def make_guest(make_partition: Callable[..., Path], more: Mapping[str, str | bytes] | None = None) -> Path:
    """Return a partition image with a guest that is large enough to be worked on."""
    return make_partition({**GUEST, **(more or {})}, fill=lambda root: (root / "lib").symlink_to("usr/lib"))


@pytest.fixture
def moments() -> Iterator[random.Random]:
    seed = int(os.environ.get("VOC_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VOC_CRASH_SEED={seed}")
    return random.Random(seed)


@dataclass(frozen=True)
class Work:
    """Something for the victim to do, to files below a folder; see crash_victim.py."""

    folder: Path
    arguments: tuple[str | Path, ...]

    def start(self) -> subprocess.Popen[str]:
        """Start the victim and wait until it begins to work."""
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".collections"), "TMPDIR": str(temporary)}
        argv = [sys.executable, VICTIM, *self.arguments]
        victim = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
        assert victim.stdout
        assert victim.stdout.readline() == "begun\n"
        return victim

    def finish(self) -> float:
        """Let the victim do all of its work; return the seconds that took."""
        with self.start() as victim:
            begin = time.monotonic()
            said, _nothing = victim.communicate(timeout=SECONDS)
            assert victim.returncode == 0, said
            return time.monotonic() - begin

    def kill(self, after: float) -> None:
        """Kill the victim some time after it began, and wait until all that it held is gone."""
        folders = (ROOT, Path("/mnt"))

        def look() -> set[str]:
            return loop_devices((self.folder,)) | mounts(folders) | processes()

        before = look()
        with self.start() as victim:
            time.sleep(after)
            victim.kill()
        assert left_behind(look, before) == set(), f"killed {after:.3f} s after it began"


def module(folder: Path, name: str, **options: object) -> Work:
    """Return a module's work."""
    return Work(folder, ("module", name, json.dumps(options, default=str)))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy(source: Path, target: Path) -> Path:
    """Copy an image, holes and all."""
    tool("cp", "--sparse=always", source, target)
    return target


def assert_nothing_beside(image: Path) -> None:
    """Let no hidden file of work in progress lie beside an image that is finished."""
    assert not list(image.parent.glob(".*"))


def ends(work: Work, untouched: Path, image: Path, moments: random.Random) -> Iterator[None]:
    """Kill work on a fresh copy several times in a row and then let it end, again and again; yield at each end."""
    copy(untouched, image)
    lasts = work.finish()
    for _series in range(SERIES):
        copy(untouched, image)
        for _kill in range(KILLS):
            work.kill(moments.uniform(0, lasts))
        work.finish()
        yield


@pytest.mark.parametrize(("source", "form"), [("partition.img", "qcow2"), ("partition.img.gz", "raw")])
def test_a_killed_conversion_leaves_the_source_and_no_half_image(
    source: str, form: str, make_partition: Callable[..., Path], tmp_path: Path, moments: random.Random
) -> None:
    partition = make_guest(make_partition, {"/noise": moments.randbytes(16 * MIB)})
    tool("gzip", "-1", "-k", partition)
    before = digest(tmp_path / source)
    target = tmp_path / "target"
    work = module(tmp_path, "image_convert", src=tmp_path / source, dest=target, format=form)

    def assert_equal() -> None:
        tool("qemu-img", "compare", "-f", "raw", "-F", form, partition, target)

    lasts = work.finish()
    for _round in range(6):
        target.unlink(missing_ok=True)
        work.kill(moments.uniform(0, lasts))
        assert digest(tmp_path / source) == before
        if target.exists():
            assert_equal()
    target.unlink(missing_ok=True)
    work.finish()
    assert_equal()


def test_a_killed_layout_leaves_the_source_and_no_half_disk(
    runner: Runner, make_partition: Callable[..., Path], tmp_path: Path, moments: random.Random
) -> None:
    source = make_guest(make_partition)
    before = digest(source)
    target = tmp_path / "disk.raw"
    options = {"table": "gpt", "esp": "40M", "size": "1G", "force": True}
    work = module(tmp_path, "image_layout", src=source, dest=target, **options)

    def assert_whole() -> None:
        *_others, root = contents.look(str(target)).regions
        filesystems.verify(runner, root.volume)

    lasts = work.finish()
    for _round in range(ROUNDS):
        target.unlink(missing_ok=True)
        work.kill(moments.uniform(0, lasts))
        assert digest(source) == before
        if target.exists():
            assert_whole()
    work.finish()
    assert_whole()


@pytest.mark.parametrize("access", ["ext", "mounted"])
def test_a_killed_edit_is_done_wholly_by_the_run_that_ends(
    access: str, runner: Runner, make_partition: Callable[..., Path], tmp_path: Path, moments: random.Random
) -> None:
    untouched = make_guest(make_partition, {f"/old/{number}": "old" for number in range(4)})
    folder = tmp_path / "work"
    folder.mkdir()
    image = folder / "image"
    text = tmp_path / "text"
    text.write_text("text\n" * 100_000)
    edits: list[dict[str, dict[str, str | Path]]] = [
        {"file": {"path": f"/{part}/{number}", "source": text}} for part in ("old", "new") for number in range(4)
    ]
    edits += [{"fstab": {"source": "nfs:/x", "path": "/x", "type": "nfs"}}, {"absent": {"path": "/data"}}]
    work = module(folder, "image_edit", image=image, access=access, edits=edits)
    for _end in ends(work, untouched, image, moments):
        filesystems.verify(runner, whole(image))
        with ExtTree(runner, whole(image)) as files:
            assert files.lstat("/data") is None
            assert files.read("/etc/fstab").decode() == f"{GUEST['/etc/fstab']}nfs:/x /x nfs defaults 0 0\n"
            for part in ("old", "new"):
                names = [str(number) for number in range(4)]
                assert sorted(files.listdir(f"/{part}")) == sorted(names)
            assert files.read("/new/3") == files.read("/old/3") == text.read_bytes()
        assert_nothing_beside(image)


def test_a_killed_boot_set_up_is_done_by_the_run_that_ends(
    make_partition: Callable[..., Path], tmp_path: Path, moments: random.Random
) -> None:
    untouched = make_efi_disk(tmp_path / "untouched", make_guest(make_partition))
    folder = tmp_path / "work"
    folder.mkdir()
    image = folder / "image"
    work = module(folder, "image_boot", image=image, firmware="both", drivers=[])
    look = module(folder, "image_info", path=image, verify=True, firmware="both")
    for _end in ends(work, untouched, image, moments):
        tool("e2fsck", "-f", "-n", f"{image}?offset={EFI_DISK_ROOT}")
        assert_nothing_beside(image)
    look.finish()


def test_a_killed_kernel_is_put_in_wholly_by_the_run_that_ends(
    runner: Runner, make_partition: Callable[..., Path], tmp_path: Path, moments: random.Random
) -> None:
    modules = {f"{MODULES}/kernel/{number}.ko": moments.randbytes(20_000) for number in range(20)}
    boot = {f"boot/vmlinuz-{KERNEL}": moments.randbytes(MIB), f"boot/initrd.img-{KERNEL}": moments.randbytes(2 * MIB)}
    bundle = make_bundle(tmp_path / "bundle", {**boot, **modules, f"{MODULES}/modules.dep": b""})
    untouched = make_guest(make_partition)
    folder = tmp_path / "work"
    folder.mkdir()
    image = folder / "image"
    work = module(folder, "image_kernel", image=image, bundle=bundle, force=True)
    for _end in ends(work, untouched, image, moments):
        volume = whole(image)
        filesystems.verify(runner, volume)
        with ExtTree(runner, volume) as files:
            found = files.digests([f"/{name}" for name in (*boot, *modules)])
        expected = {name: hashlib.sha256(data).hexdigest() for name, data in {**boot, **modules}.items()}
        assert found == {f"/{name}": value for name, value in expected.items()}


def test_a_killed_sandbox_leaves_no_mount_and_no_program(sample: Path, tmp_path: Path, moments: random.Random) -> None:
    image = tmp_path / "guest.img"
    tool("cp", "--sparse=always", sample, image)
    calm = Work(tmp_path, ("sandbox", image, "true"))
    # The guest's programs ignore what they can ignore.
    stubborn = Work(tmp_path, ("sandbox", image, "sh", "-c", "trap '' HUP INT TERM; setsid sleep 600 & sleep 600"))
    lasts = calm.finish()
    for _round in range(ROUNDS):
        stubborn.kill(moments.uniform(0, 2 * lasts))
    calm.finish()
    tool("e2fsck", "-f", "-n", image)


def test_a_killed_package_manager_goes_on_in_the_next_run(
    sample: Path, runner: Runner, tmp_path: Path, moments: random.Random
) -> None:
    folder, image = tmp_path / "deb", tmp_path / "guest.img"
    (folder / "DEBIAN").mkdir(parents=True)
    control = "Package: site-tools\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n"
    (folder / "DEBIAN" / "control").write_text(control)
    (folder / "DEBIAN" / "postinst").write_text("#!/bin/sh\nsleep 0.3\n")
    (folder / "DEBIAN" / "postinst").chmod(0o755)
    (folder / "opt").mkdir()
    (folder / "opt" / "data").write_bytes(moments.randbytes(4 * MIB))
    package = tmp_path / "site-tools.deb"
    tool("dpkg-deb", "--root-owner-group", "--build", folder, package)
    options = json.dumps({"image": str(image), "name": [str(package)], "update_cache": False})
    work = Work(tmp_path, ("module", "image_packages", options))
    for _end in ends(work, sample, image, moments):
        volume = whole(image)
        filesystems.verify(runner, volume)
        with ExtTree(runner, volume) as files:
            assert "Package: site-tools\nStatus: install ok installed" in files.read("/var/lib/dpkg/status").decode()
            for path in ("/etc/resolv.conf", "/usr/sbin/policy-rc.d", "/run/voc-cluster", "/boot/given"):
                assert files.lstat(path) is None


def test_a_killed_publication_leaves_the_releases_whole(sample: Path, tmp_path: Path, moments: random.Random) -> None:
    releases = tmp_path / "releases"

    def current() -> tuple[Path, Manifest]:
        found = _release.read_current(str(releases), "worker")
        assert found
        return Path(found[0]), found[1]

    work = Work(tmp_path, ("publish", sample, releases))
    lasts = work.finish()
    first, manifest = current()
    for _round in range(ROUNDS):
        before = current()
        work.kill(moments.uniform(0, lasts))
        assert digest(first / manifest.file) == manifest.sha256
        after = current()
        # The link has moved only if the new release is whole.
        assert after == before or digest(after[0] / after[1].file) == after[1].sha256
    work.finish()
    last, manifest = current()
    assert last != first
    assert digest(last / manifest.file) == manifest.sha256
    folders = {path for path in (releases / "worker").iterdir() if not path.is_symlink()}
    assert all((folder / "manifest.json").exists() for folder in folders)
