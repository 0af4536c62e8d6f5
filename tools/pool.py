# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster on one machine: a network namespace, a head node in a container, instances in QEMU.

Nothing outside the namespace is reached or changed. What was started is ended by its
number, which stands in a file of the cluster's folder. Standard library only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import boot

BRIDGE = "cluster"
HEAD_SECONDS = 120
END_SECONDS = 60
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the cluster's files are")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="make the network and start the head node")
    up.add_argument("--tree", required=True, help="the head node's root, from make-head-tree; it is not changed")
    up.add_argument("--name", required=True, help="the head node's host name")
    up.add_argument("--address", required=True, help="the head node's address, with its prefix: 10.10.0.1/16")
    up.add_argument("--key", required=True, help="an ssh public key that may log in to it as root")
    start = commands.add_parser("start", help="start an instance of a release")
    start.add_argument("name")
    start.add_argument("--release", required=True, help="the release's folder")
    network = start.add_mutually_exclusive_group(required=True)
    network.add_argument("--mac", help="on the cluster's network, with this MAC")
    network.add_argument("--nat", action="store_true", help="behind a network address translation of its own")
    start.add_argument("--firmware", choices=["bios", "uefi"], default="bios", help="what starts it; bios by default")
    power = commands.add_parser("off", help="press an instance's power button")
    power.add_argument("name")
    commands.add_parser("proxy", help="connect standard input and output to the head node's ssh server")
    commands.add_parser("down", help="end all of it")
    options = parser.parse_args()
    cluster = Cluster(options.folder.resolve())
    if options.command == "up":
        cluster.up(options.tree, options.name, options.address, options.key)
    elif options.command == "start":
        cluster.start(options.name, options.release, options.firmware, options.mac)
    elif options.command == "off":
        cluster.press_power_button(options.name)
    elif options.command == "proxy":
        cluster.proxy()
    else:
        cluster.down()


class Cluster:
    """What stands in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # An interface's or a namespace's name is short; two folders must not meet.
        self.namespace = "voc-" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
        self.resolver = folder / "resolv.conf"

    def up(self, tree: str, name: str, address: str, key: str) -> None:
        if os.getuid() != 0:
            sys.exit("pool: only root can make network namespaces.")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not Path("/run/netns", self.namespace).exists():
            run("ip", "netns", "add", self.namespace)
            self.ip("link", "set", "lo", "up")
            self.ip("link", "add", BRIDGE, "type", "bridge")
            self.ip("address", "add", address, "dev", BRIDGE)
            self.ip("link", "set", BRIDGE, "up")
        self.resolver.write_text(f"nameserver {address.partition('/')[0]}\n", encoding="ascii")
        if not self.pid("head"):
            self.start_head(tree, name, key)
        deadline = time.monotonic() + HEAD_SECONDS
        while not self.head_init() or self.in_head("systemctl is-system-running") not in ("running", "degraded"):
            if time.monotonic() > deadline:
                log = (self.folder / "head.log").read_text(errors="replace")[-2000:]
                sys.exit(f"pool: the head node did not start in {HEAD_SECONDS} s; it says:\n{log}")
            time.sleep(0.2)
        self.in_head("ssh-keygen -A; mkdir -p /run/sshd")

    def start_head(self, tree: str, name: str, key: str) -> None:
        exports = self.folder / "export"
        exports.mkdir(exist_ok=True)
        hostname = self.folder / "hostname"
        hostname.write_text(f"{name}\n", encoding="ascii")
        command = [
            *("systemd-nspawn", "--quiet", "--keep-unit", "--register=no", "--boot", f"--directory={tree}"),
            # What it writes is gone when it ends. What it exports cannot lie on an overlay.
            *("--volatile=overlay", f"--bind={exports}:/export"),
            *(f"--bind-ro={hostname}:/etc/hostname", "--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *(f"--network-namespace-path=/run/netns/{self.namespace}", "--capability=CAP_NET_ADMIN"),
            # An NFS server in user space opens files by their handles.
            "--system-call-filter=open_by_handle_at",
            f"--bind-ro={Path(key).resolve()}:/root/.ssh/authorized_keys",
        ]
        with (self.folder / "head.log").open("wb") as log:
            head = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.remember("head", head.pid)

    def start(self, name: str, release: str, firmware: str, mac: str | None) -> None:
        if self.pid(name):
            return
        image, disk_format = boot.find_release(release)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        overlay = folder / "disk.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", disk_format, "-b", str(image), str(overlay))
        accelerator = "kvm" if boot.kvm_boots(image, disk_format, firmware) else "tcg"
        command = [
            *("ip", "netns", "exec", self.namespace, *([] if mac else self.head_resolves())),
            *(boot.QEMU, "-accel", accelerator, "-cpu", boot.cpu(accelerator), "-smp", "1", "-m", "768"),
            *boot.firmware(firmware),
            *("-drive", f"file={overlay},format=qcow2,if=virtio"),
            *("-nic", self.tap(name, mac) if mac else "user,model=virtio-net-pci"),
            *("-display", "none", "-serial", f"file:{folder / 'serial.log'}"),
            *("-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"),
            *("-daemonize", "-pidfile", str(folder / "qemu.pid")),
        ]
        (folder / "started").write_text(f"{time.time()}\n", encoding="ascii")
        run(*command)
        self.remember(name, int((folder / "qemu.pid").read_text()))

    def tap(self, name: str, mac: str) -> str:
        """Make an interface of an instance's on the cluster's network, and return QEMU's option for it."""
        # Interfaces have names of at most 15 characters.
        tap = f"tap{hashlib.sha256(name.encode()).hexdigest()[:8]}"
        self.ip("tuntap", "add", tap, "mode", "tap")
        self.ip("link", "set", tap, "master", BRIDGE, "up")
        return f"tap,model=virtio-net-pci,ifname={tap},script=no,downscript=no,mac={mac}"

    def head_resolves(self) -> list[str]:
        """Return what starts a program that sees the head as its name server, as QEMU's own network does then.

        ip starts programs in a mount namespace of their own.
        """
        script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
        return ["sh", "-c", script, "sh", str(self.resolver)]

    def press_power_button(self, name: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / name / "qmp"))
            stream = connection.makefile("rw")
            stream.readline()
            for request in ("qmp_capabilities", "system_powerdown"):
                stream.write(json.dumps({"execute": request}) + "\n")
                stream.flush()
                stream.readline()

    def proxy(self) -> None:
        command = self.enter_head("/usr/sbin/sshd", "-i")
        os.execvp(command[0], command)

    def down(self) -> None:
        """End all that runs, also what was started just before its starter was killed and stands in no file."""
        self.end_head()
        for file in sorted(self.folder.glob("*.pid")):
            end(int(file.read_text().split()[0]), file.read_text().split()[1])
            file.unlink()
        if Path("/run/netns", self.namespace).exists():
            for pid in run("ip", "netns", "pids", self.namespace).split():
                end(int(pid), started(int(pid)), signal.SIGKILL)
            run("ip", "netns", "delete", self.namespace)

    def end_head(self) -> None:
        """Let the kernel end the container's init and with it all its processes: nothing in it is to be kept.

        An orderly shutdown stops them first, and with them the nsenter of a connection, which then reaps nobody.
        """
        init = self.head_init()
        if init is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(init, signal.SIGKILL)

    def head_init(self) -> int | None:
        """Return the container's init, which is the one child of systemd-nspawn's, once it is there."""
        pid = self.pid("head")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if pid else []
        return int(children[0]) if children else None

    def ip(self, *words: str) -> None:
        run("ip", "-netns", self.namespace, *words)

    def enter_head(self, *command: str) -> list[str]:
        """Return what runs a command in the container."""
        init = self.head_init()
        if init is None:
            sys.exit("pool: the head node does not run.")
        return ["nsenter", f"--target={init}", "--all", "--", "env", "-i", f"PATH={PATH}", *command]

    def in_head(self, script: str) -> str:
        """Run a script in the container and return what it prints, nothing while that is not there yet."""
        with contextlib.suppress(OSError):
            command = self.enter_head("sh", "-c", script)
            return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
        return ""

    def remember(self, name: str, pid: int) -> None:
        (self.folder / f"{name}.pid").write_text(f"{pid} {started(pid)}\n", encoding="ascii")

    def pid(self, name: str) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            pid, start = (self.folder / f"{name}.pid").read_text().split()
            if started(int(pid)) == start:
                return int(pid)
        return None


def started(pid: int) -> str:
    """Return when a process was started, in the kernel's ticks: a number may come back as another's."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def end(pid: int, start: str, *signals: signal.Signals) -> None:
    """End a process by each signal in turn, and wait for it; by default after a while without asking."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if started(pid) != start:
            return
        for number in signals or (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], END_SECONDS)[0]:
                return
    finally:
        os.close(handle)


def run(*command: str) -> str:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"pool: {' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
