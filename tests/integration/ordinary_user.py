"""Runs a program as a user to whom this machine gives nothing.

The user owns nothing but one folder, has no capability and can gain none. As in a container
of an execution environment there are no loop devices, no /dev/kvm and no network. A filter of
system calls forbids mounts, and namespaces of any kind: what a kernel allows differs from
machine to machine, and nothing may depend on it.

The clone and the Python environment may lie where only their owner can look, in /root for
example. They are shown to the user, read-only, in a mount namespace of the program's own:
that changes no permission on the machine, and nothing is copied. Root and bubblewrap are for
that alone; setpriv gives them up before the program starts.
"""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from .playbooks import PROGRAMS, ROOT

USER = 54321  # nobody's
SECONDS = 900

# linux/audit.h, asm/unistd_64.h, linux/seccomp.h, linux/sched.h
_X86_64 = 0xC000003E
_MOUNTS = (155, 165, 166, 428, 429, 430, 431, 432, 442)  # pivot_root, mount, umount2, open_tree ... mount_setattr
_NAMESPACES = (272, 308)  # unshare, setns
_CLONE, _CLONE3 = 56, 435
_NEW_NAMESPACE = 0x7E020000  # all CLONE_NEW* that clone knows
_ALLOW, _REFUSE, _ABSENT = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM; ENOSYS, for a libc goes on with clone then


def run_as_ordinary_user(
    argv: Sequence[str | Path], folder: Path, readable: Iterable[Path] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program in the clone's root; its home and temporary files are in `folder`, all that it can write to.

    Args:
        readable: more files and folders that it can read, wherever they are.
    """
    home, temporary = folder / "home", folder / "tmp"
    for own in (folder, home, temporary):
        own.mkdir(exist_ok=True)
        os.chown(own, USER, USER)
    shown = {ROOT, PROGRAMS.parent, Path(sys.base_prefix), *readable}
    above = {parent for path in (*shown, folder) for parent in path.parents}
    covered = {closed for path in (*shown, folder) for closed in _closed(path)} | {Path("/tmp")}
    environment = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "LANG": "C.UTF-8",
        "PATH": f"{PROGRAMS}:/usr/local/bin:/usr/bin:/bin",
        "ANSIBLE_NOCOLOR": "1",
    }
    with tempfile.TemporaryFile() as rules:
        rules.write(_filter())
        rules.seek(0)
        sandbox = [
            *("bwrap", "--ro-bind", "/", "/"),
            *(word for path in sorted(covered) for word in ("--perms", "0755", "--tmpfs", path)),
            *(word for path in sorted(above) for word in ("--perms", "0755", "--dir", path)),
            *("--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", "--proc", "/proc"),
            *(word for path in sorted(shown) for word in ("--ro-bind", path, path)),
            *("--bind", folder, folder, "--chdir", ROOT),
            *("--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--new-session"),
            *("--clearenv", *(word for item in environment.items() for word in ("--setenv", *item))),
            *("--seccomp", str(rules.fileno())),
        ]
        nobody = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--bounding-set=-all"]
        nobody += ["--inh-caps=-all", "--no-new-privs", "--"]
        return subprocess.run(
            [*map(str, sandbox), *nobody, *map(str, argv)],
            pass_fds=[rules.fileno()],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


def _closed(path: Path) -> list[Path]:
    """Return the first folder above `path` that others may not enter, if there is one."""
    return [folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH][:1]


def _filter() -> bytes:
    """Return a program of the kernel's packet filter (linux/filter.h) over a system call (struct seccomp_data)."""
    load, equal, any_bit, end = 0x20, 0x15, 0x45, 0x06
    refused = (*_MOUNTS, *_NAMESPACES)
    lines = [
        *((load, 0, 0, 4), (equal, 1, 0, _X86_64), (end, 0, 0, _REFUSE), (load, 0, 0, 0)),
        *(line for call in refused for line in ((equal, 0, 1, call), (end, 0, 0, _REFUSE))),
        *((equal, 0, 1, _CLONE3), (end, 0, 0, _ABSENT)),
        *((equal, 0, 3, _CLONE), (load, 0, 0, 16), (any_bit, 0, 1, _NEW_NAMESPACE), (end, 0, 0, _REFUSE)),
        (end, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("<HBBI", *line) for line in lines)
