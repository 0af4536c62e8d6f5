# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot a release in QEMU and throw away what it writes. Standard library only.

Without --background the serial console is this terminal; Ctrl-a x ends it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QEMU = "qemu-system-x86_64"
KVM_TRIAL_SECONDS = 10
ROOT = Path(__file__).resolve().parent.parent

# Code and memory of a UEFI without Secure Boot, by the packages that bring them: Debian's
# ovmf, and edk2-ovmf of Fedora and its family.
UEFI = (
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
)


def main() -> None:
    options = parse_arguments()
    image, disk_format = find_release(options.release)
    for program, package in ((QEMU, "qemu-system-x86"), ("qemu-img", "qemu-utils")):
        if not any((Path(folder) / program).exists() for folder in os.get_exec_path()):
            sys.exit(f"boot: {program} is not installed; install the package {package}.")
    port = options.port or free_port()
    accelerator = "kvm" if kvm_boots(image, disk_format, options.firmware) else "tcg"
    command = [
        *qemu(image, disk_format, accelerator),
        *firmware(options.firmware),
        *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *(word for number, disk in enumerate(options.disk) for word in more_disk(number, disk)),
    ]
    if options.background:
        folder = Path(options.background)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ssh.port").write_text(f"{port}\n", encoding="ascii")
        command += ["-display", "none", "-serial", f"file:{folder / 'serial.log'}"]
        command += ["-daemonize", "-pidfile", str(folder / "qemu.pid")]
        sys.exit(subprocess.run(command, check=False).returncode)
    print(f"Booting {image} ({accelerator}).")
    print(f"Log in:  ssh -p {port} -i build/ssh/id_ed25519 root@127.0.0.1")
    print("End it:  Ctrl-a x", flush=True)
    os.execvp(QEMU, [*command, "-nographic"])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", nargs="?", help="a release's image file or folder; the newest by default")
    parser.add_argument("--port", type=int, default=2222, help="on 127.0.0.1, for the guest's ssh; 0 for any")
    parser.add_argument("--firmware", choices=["bios", "uefi"], default="bios", help="what starts it; bios by default")
    parser.add_argument("--disk", action="append", default=[], metavar="SERIAL=FILE", help="one more disk, a raw file")
    parser.add_argument("--background", metavar="FOLDER", help="where qemu.pid, serial.log and ssh.port go")
    return parser.parse_args()


def find_release(given: str | None) -> tuple[Path, str]:
    """Return the image of a release and its format, as its manifest has them."""
    if given:
        folder = Path(given) if Path(given).is_dir() else Path(given).parent
    else:
        found = [path.parent for path in ROOT.glob("build/releases/*/*/manifest.json") if not path.parent.is_symlink()]
        if not found:
            sys.exit("boot: there is no release yet; run make contextualize.")
        folder = max(found, key=lambda release: release.name)  # which begins with the time
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except OSError as error:
        sys.exit(f"boot: {folder} is not a release: {error.strerror}.")
    return folder.resolve() / manifest["file"], manifest["format"]


def qemu(image: Path, disk_format: str, accelerator: str) -> list[str]:
    drive = f"file={str(image).replace(',', ',,')},format={disk_format},if=virtio,snapshot=on"
    sectors = (
        [("logical_block_size", 4096), ("physical_block_size", 4096)] if has_large_sectors(image, disk_format) else []
    )
    return [
        *(QEMU, "-accel", accelerator, "-cpu", cpu(accelerator), "-smp", "2", "-m", "1024", "-drive", drive),
        *(word for name, size in sectors for word in ("-global", f"virtio-blk-device.{name}={size}")),
    ]


def cpu(accelerator: str) -> str:
    """Return the processor of a guest: cmpxchg16b as QEMU 7 emulates it kills Linux 6.12 with a double fault."""
    return "host" if accelerator == "kvm" else "max,-cx16" if qemu_major() < 8 else "max"


def more_disk(number: int, given: str) -> list[str]:
    """Return QEMU's options for another disk; what is written to it is thrown away, too.

    A BIOS starts the disk with the lowest address, which is the release's.
    """
    serial, equals, path = given.partition("=")
    if not equals:
        sys.exit(f"boot: {given} is not a disk; give SERIAL=FILE.")
    drive = f"file={path.replace(',', ',,')},format=raw,if=none,id=disk-{serial},snapshot=on"
    return ["-drive", drive, "-device", f"virtio-blk-pci,drive=disk-{serial},serial={serial},addr={0x10 + number:#x}"]


def has_large_sectors(image: Path, disk_format: str) -> bool:
    """Say whether an image has a GPT for sectors of 4096 bytes: its header is in the second one.

    An image that cannot be read is QEMU's to complain about.
    """
    with tempfile.TemporaryDirectory() as folder:
        head = Path(folder) / "head"
        command = ["qemu-img", "dd", "-f", disk_format, "-O", "raw", "bs=4096", "count=2", f"if={image}", f"of={head}"]
        done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return done.returncode == 0 and head.read_bytes()[4096:4104] == b"EFI PART"


def firmware(name: str) -> list[str]:
    """Return QEMU's options for a firmware; what it writes to its memory is thrown away, too."""
    if name == "bios":
        return []
    for code, memory in UEFI:
        if Path(code).exists() and Path(memory).exists():
            return [
                *("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}"),
                *("-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={memory}"),
            ]
    sys.exit("boot: there is no UEFI for QEMU; install the package ovmf.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def qemu_major() -> int:
    words = subprocess.run([QEMU, "--version"], check=True, capture_output=True, text=True).stdout.split()
    return int(words[words.index("version") + 1].split(".")[0])


def kvm_boots(image: Path, disk_format: str, firmware_name: str) -> bool:
    """Say whether a kernel starts under KVM here: /dev/kvm may exist and yet run no guest."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with tempfile.TemporaryDirectory() as folder:
        log, words = Path(folder) / "serial.log", Path(folder) / "words.log"
        command = [*qemu(image, disk_format, "kvm"), *firmware(firmware_name)]
        command += ["-nic", "none", "-display", "none", "-serial", f"file:{log}"]
        with words.open("wb") as output:
            trial = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + KVM_TRIAL_SECONDS
            while time.monotonic() < deadline and trial.poll() is None:
                if log.exists() and b"Linux version" in log.read_bytes():
                    return True
                if b"KVM internal error" in words.read_bytes():
                    return False
                time.sleep(0.1)
            return False
        finally:
            trial.kill()
            trial.wait()


if __name__ == "__main__":
    main()
