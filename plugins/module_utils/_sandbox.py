# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Runs a guest's own programs, which may be hostile, apart from the builder.

Namespaces of their own (the network only when asked for), only the
capabilities that package managers need, no new privileges, no device nodes,
a private /dev, /proc, /run and /tmp, an empty environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Limits, Runner
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, GuestTree

GUEST_PROGRAMS = Limits(seconds=3600, memory=16 << 30)

# Without MKNOD, SYS_ADMIN, NET_ADMIN, SYS_PTRACE and SYS_MODULE, root in the
# guest's tree reaches no device, mount, process or kernel interface of the host.
_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"),
    *("CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP", "CAP_SYS_CHROOT"),
)
_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "SYSTEMD_OFFLINE": "1",
}
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")

# Files here belong to root and ask for no capability: writing /proc/sys/kernel/core_pattern
# would be running programs as the builder's root. bwrap 0.8 leaves /proc/sys writable.
_KERNEL_SETTINGS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# invoke-rc.d's contract: 101 forbids every action on every service.
_NO_SERVICES = b"#!/bin/sh\nexit 101\n"


@dataclass(frozen=True)
class Sandbox:
    """A guest's tree, mounted at `root`, in which its programs can be run."""

    runner: Runner
    root: str
    network: bool

    def run(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> Completed:
        """Run a guest program to its end.

        Raises:
            ToolError: it failed, or exceeded its limits.
        """
        # bwrap itself is process 1 in there, and guests can read that one's environment.
        return self.runner.run([*self._prefix(environment or {}), *argv], limits=GUEST_PROGRAMS, bare=True)

    def _prefix(self, environment: Mapping[str, str]) -> list[str]:
        variables = {**_ENVIRONMENT, **(_proxies() if self.network else {}), **environment}
        return [
            *("bwrap", "--die-with-parent", "--new-session"),
            *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *([] if self.network else ["--unshare-net"]),
            *("--bind", self.root, "/", "--dev", "/dev", "--proc", "/proc"),
            *(word for path in _KERNEL_SETTINGS for word in ("--ro-bind-try", path, path)),
            *("--tmpfs", "/run", "--dir", "/run/lock", "--perms", "1777", "--tmpfs", "/tmp"),
            *("--cap-drop", "ALL"),
            *(word for capability in _CAPABILITIES for word in ("--cap-add", capability)),
            "--clearenv",
            *(word for name, value in variables.items() for word in ("--setenv", name, value)),
            *("--chdir", "/", "--"),
        ]


@contextmanager
def sandbox(runner: Runner, root: str, *, network: bool) -> Iterator[Sandbox]:
    """Prepare a mounted guest for running its programs, and undo that afterwards.

    The guest's resolver is the builder's meanwhile, and services are not
    started. What the guest's programs themselves replaced is left to them.
    """
    files = MountedTree(root)
    with ExitStack() as stack:
        stack.enter_context(_stand_in(files, "/usr/sbin/policy-rc.d", _NO_SERVICES, 0o755))
        if network and os.path.exists("/etc/resolv.conf"):
            with open("/etc/resolv.conf", "rb") as file:
                stack.enter_context(_stand_in(files, "/etc/resolv.conf", file.read(), 0o644))
        yield Sandbox(runner, root, network)


@contextmanager
def _stand_in(files: GuestTree, path: str, content: bytes, mode: int) -> Iterator[None]:
    """Put a file of ours in a guest file's place for a while."""
    real = tree.resolve(files, path, follow=False)
    before = files.lstat(real)
    kept = files.read(real) if before and before.kind == "file" else b""
    target = files.readlink(real) if before and before.kind == "symlink" else ""
    plan = Plan(files)
    if before and before.kind == "symlink":
        plan.remove(real)
    plan.write(real, content, Attributes(mode))
    plan.apply()
    try:
        yield
    finally:
        now = files.lstat(real)
        if now and now.kind == "file" and files.read(real) == content:
            plan = Plan(files)
            if before is None:
                plan.remove(real)
            elif before.kind == "symlink":
                plan.symlink(real, target)
            else:
                plan.write(real, kept, before.attributes)
            plan.apply()


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in _PROXIES if name in os.environ}


__all__ = ["GUEST_PROGRAMS", "Sandbox", "sandbox"]
