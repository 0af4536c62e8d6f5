"""Images made for UEFI, and for BIOS and UEFI, boot in QEMU to a login prompt."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._boot import bootable, direct, initramfs, kernel
from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import system
from ansible_collections.voc.cluster.plugins.module_utils._guest.access import locate, open_guest
from ansible_collections.voc.cluster.plugins.module_utils._image import filesystems
from ansible_collections.voc.cluster.plugins.module_utils._packages.execute import Order, manage
from ansible_collections.voc.cluster.tests.unit.images import make_efi_disk

from .machine import tool
from .playbooks import contextualize, releases

pytestmark = [pytest.mark.root, pytest.mark.boot]

ROOT = Path(__file__).resolve().parents[2]
BOOT_SECONDS = 420
CONSOLE = ["console=ttyS0,115200n8"]
DRIVERS = ["virtio_blk", "virtio_net", "virtio_pci", "virtio_scsi", "ahci", "nvme"]


@pytest.fixture(scope="session")
def partition(runner: Runner, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample with a kernel in it."""
    image = tmp_path_factory.mktemp("kernel") / "partition.img"
    tool("cp", "--sparse=always", sample, image)
    manage(runner, locate(runner, str(image)), Order("present", ("linux-image-cloud-amd64",)), apply=True)
    return image


def make_bootable(runner: Runner, disk: Path, firmware: str) -> None:
    seen = bootable.examine(runner, str(disk))
    with open_guest(runner, seen.spread) as files:
        bootable.apply(bootable.plan_boot(runner, seen, files, CONSOLE, firmware=firmware, drivers=DRIVERS))


@contextmanager
def running(disk: Path, firmware: str, folder: Path) -> Iterator[Path]:
    """Boot a raw disk as a release would be; give the file of its serial console."""
    (disk.parent / "manifest.json").write_text(json.dumps({"file": disk.name, "format": "raw"}))
    with running_release(disk, firmware, folder) as log:
        yield log


@contextmanager
def running_release(image: Path, firmware: str, folder: Path) -> Iterator[Path]:
    """Boot a release by `make boot`'s own program; give the file of its serial console."""
    argv = [sys.executable, ROOT / "tools/boot.py", image, "--firmware", firmware, "--port=0", "--background", folder]
    subprocess.run(argv, check=True)
    number = int((folder / "qemu.pid").read_text())
    try:
        yield folder / "serial.log"
    finally:
        os.kill(number, signal.SIGKILL)


def console_until(log: Path, wanted: bytes) -> bytes:
    """Wait for a word on the serial console and return all that it says by then."""
    deadline = time.monotonic() + BOOT_SECONDS
    while wanted not in (said := log.read_bytes()):
        assert time.monotonic() < deadline, f"no {wanted!r} in {BOOT_SECONDS} s; the console says {said[-2000:]!r}"
        time.sleep(0.5)
    return said


@pytest.mark.parametrize(
    ("table", "made_for", "started_by"), [("dos", "uefi", "uefi"), ("gpt", "both", "bios"), ("gpt", "both", "uefi")]
)
def test_an_image_boots_to_a_login_prompt(
    runner: Runner, partition: Path, tmp_path: Path, table: str, made_for: str, started_by: str
) -> None:
    disk = make_efi_disk(tmp_path / "disk.raw", partition, table)
    make_bootable(runner, disk, made_for)
    with running(disk, started_by, tmp_path / "machine") as log:
        said = console_until(log, b"login:")
    assert b"Linux version" in said
    # The kernel says "efi: EFI v2.70 by ..." when UEFI has started it.
    assert (b"efi: EFI v" in said) == (started_by == "uefi")


def test_a_release_for_large_sectors_boots_on_them(sample: Path, kernel_bundle: Path, tmp_path: Path) -> None:
    play = contextualize(
        tmp_path / "build",
        sample,
        site_hypervisor={"firmware": "uefi", "sector_size": 4096},
        site_kernel_bundle=str(kernel_bundle),
        site_packages=[],
    )
    assert play.status == 0, play.output
    (manifest,) = releases(tmp_path / "build")
    image = tmp_path / "build/releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    with running_release(image, "uefi", tmp_path / "machine") as log:
        said = console_until(log, b"login:")
    assert re.search(rb"\[vda\] \d+ 4096-byte logical blocks", said)


@pytest.mark.parametrize("access", ["ext", "mounted"])
def test_a_flavour_without_a_driver_is_named(runner: Runner, partition: Path, access: str) -> None:
    with open_guest(runner, locate(runner, str(partition)), access) as files:
        (installed,) = kernel.choose(system.inspect(files), "disk")
        wanted = [*DRIVERS, "e1000", "mptspi"]
        with pytest.raises(GuestError) as caught:
            initramfs.require(runner, files, installed, wanted, "disk")
    assert str(caught.value) == (
        f"disk: the kernel {installed.version} has no driver e1000, mptspi; install linux-image-amd64 instead."
    )


def test_a_partition_image_boots_by_its_kernel_alone(runner: Runner, partition: Path, tmp_path: Path) -> None:
    spread = locate(runner, str(partition))
    volume = spread.root.volume
    line = kernel.command_line(filesystems.require_uuid(filesystems.require_ext(volume), volume), CONSOLE)
    with open_guest(runner, spread) as files:
        (installed,) = kernel.choose(system.inspect(files), "disk")
        direct.export(files, installed, line, str(tmp_path), apply=True)
    log = tmp_path / "serial.log"
    argv = [
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max,-cx16", "-smp", "2", "-m", "1024", "-nic", "none"),
        *("-drive", f"file={partition},format=raw,if=virtio,snapshot=on", "-display", "none"),
        *("-kernel", tmp_path / "vmlinuz", "-initrd", tmp_path / "initramfs"),
        *("-append", (tmp_path / "cmdline").read_text().strip(), "-serial", f"file:{log}"),
    ]
    log.touch()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as machine:
        try:
            # It has the fstab of another machine still, whose swap the boot waits for.
            console_until(log, b"EXT4-fs (vda): mounted filesystem")
            console_until(log, b"systemd[1]: Hostname set to")
        finally:
            machine.kill()
