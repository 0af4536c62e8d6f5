# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Runs a guest's own programs, which may be hostile, apart from the builder.

Namespaces of their own (a network that leads outside only when asked for), only the
capabilities that package managers need, no new privileges, no device nodes, a private
/dev, /proc, /run and /tmp, an empty environment, and no system call that none of them needs.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Limits, Runner, find
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._read_only import read_only
from ansible_collections.voc.cluster.plugins.module_utils._seccomp import write_filter
from ansible_collections.voc.cluster.plugins.module_utils._stand_ins import StandIn, forget, places
from ansible_collections.voc.cluster.plugins.module_utils._user_network import resolver, user_network

GUEST_PROGRAMS = Limits(seconds=3600, memory=16 << 30)

# Without MKNOD, SYS_ADMIN, NET_ADMIN, SYS_PTRACE and SYS_MODULE, root in the
# guest's tree reaches no device, mount, process or kernel interface of the host.
_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"),
    *("CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP", "CAP_SYS_CHROOT"),
)
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": SEARCH_PATH,
    "SYSTEMD_OFFLINE": "1",
}
_PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy")

# Files here belong to root and ask for no capability: writing /proc/sys/kernel/core_pattern
# would be running programs as the builder's root. bwrap 0.8 leaves /proc/sys writable.
_KERNEL_SETTINGS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_RESOLVER = "/etc/resolv.conf"
# The builder's would get into the guest's files. This one is found without a resolver, which there is none of
# without a network: HTCondor's package, for one, asks for it 40 times, three seconds apart.
_HOSTNAME = "127.0.0.1"
# invoke-rc.d's contract: 101 forbids every action on every service.
_NO_SERVICES = StandIn("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n", 0o755)
_OBEYS_POLICY = "/usr/bin/dpkg"

# A plugin of rpm 4.19 and newer wants namespaces for scripts, and no script runs when it gets none.
_RPM_MACROS = "/root/.rpmmacros"
_NO_NAMESPACES = b"%__transaction_unshare %{nil}\n"
_WANTS_NAMESPACES = "/usr/lib/rpm/macros.d/macros.transaction_unshare"

# bwrap mounts the builder's own devices, and the guest's root has the rights of the builder's to
# their permission bits.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")

# The descriptors by which bwrap reads files; POSIX shells open those up to 9.
_VARIABLES, _FILTER, _FIRST_STAND_IN = 3, 4, 5


@dataclass(frozen=True)
class Lasting:
    """What outlives a program of the guest, for those that are run after it.

    Attributes:
        processes: a descriptor of this process's for the PID namespace that they share.
        folders: folders of the builder for those of the guest that are covered, by their real paths there.
        tools: a folder of the builder, and the guest path below ``/run`` at which it can be read.
        hostname: the name that they take their machine's to be.
    """

    processes: int
    folders: Mapping[str, str]
    tools: tuple[str, str]
    hostname: str


@dataclass(frozen=True)
class Sandbox:
    """A guest's tree, mounted at `root`, in which its programs can be run.

    Attributes:
        network: the path of the network namespace that they are in; None for one without any way out.
        folders: the guest's folders that are covered by empty ones: real paths, and permission bits.
        stand_ins: what is mounted over the guest's own files.
        given: files and folders of the builder's that can be read, and the paths at which they are seen.
        lasting: what its programs share with those that were run before them.
    """

    runner: Runner
    root: str
    network: str | None = None
    folders: tuple[tuple[str, str], ...] = ()
    stand_ins: tuple[StandIn, ...] = ()
    given: tuple[tuple[str, str], ...] = ()
    lasting: Lasting | None = None

    def run(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        directory: str = "/",
        data: bytes | None = None,
        limits: Limits = GUEST_PROGRAMS,
        accept: Collection[int] = (0,),
    ) -> Completed:
        """Run a guest program to its end.

        Args:
            directory: where it starts, a path of the guest's.
            data: what it reads as its standard input.

        Raises:
            ToolError: it failed with a status that is not in `accept`, or exceeded its limits.
        """
        name = f"the guest's {argv[0]}"
        # bwrap itself is process 1 in there, and guests can read that one's environment.
        with self.command(argv, environment, directory=directory) as command:
            return self.runner.run(command, limits=limits, data=data, accept=accept, bare=True, name=name)

    @contextmanager
    def command(
        self, argv: Sequence[str], environment: Mapping[str, str] | None = None, *, directory: str = "/"
    ) -> Iterator[list[str]]:
        """Give the command line that runs a guest program, for whoever starts it by other means.

        It must be started as root on this machine, with an empty environment, while this lasts,
        and by a process in the mount namespace of this one. When the process that it is dies,
        all that was started by it dies too.

        Raises:
            InputError: a word or a variable cannot be handed to a program.
        """
        variables = {**_ENVIRONMENT, **(_proxies() if self.network else {}), **(environment or {})}
        _require_words([*argv, directory, *variables, *variables.values()])
        with ExitStack() as stack:
            # In a command line every user of the builder could read the variables.
            words = (word for name, value in variables.items() for word in ("--setenv", name, value))
            files = [_handed(stack, b"".join(os.fsencode(word) + b"\0" for word in words)), _handed(stack)]
            write_filter(files[1])
            files += [_handed(stack, one.content) for one in self.stand_ins]
            files += [self.lasting.processes] if self.lasting else []
            enter = [find("nsenter"), f"--net={self.network}", "--"] if self.network else []
            # Until it has set everything up, bwrap's child does not notice when bwrap dies. As a whole they
            # are in a PID namespace that ends with its first process.
            whole = [] if self.lasting else [find("unshare"), "--pid", "--kill-child", "--"]
            yield [*_opening(files), *whole, *enter, find("bwrap"), *self._options(directory), *argv]

    def _options(self, directory: str) -> list[str]:
        return [
            *("--die-with-parent", "--new-session"),
            *(["--pidns", str(self.last_descriptor)] if self.lasting else ["--unshare-pid"]),
            *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *([] if self.network else ["--unshare-net"]),
            *("--bind", self.root, "/", "--dev", "/dev", "--proc", "/proc"),
            *(word for path in _KERNEL_SETTINGS for word in ("--ro-bind-try", path, path)),
            *self._folder_options(),
            *(word for source, path in self.given for word in ("--ro-bind", source, path)),
            *self._stand_in_options(),
            *("--cap-drop", "ALL"),
            *(word for capability in _CAPABILITIES for word in ("--cap-add", capability)),
            *("--seccomp", str(_FILTER), "--clearenv", "--args", str(_VARIABLES)),
            *("--chdir", directory, "--"),
        ]

    @property
    def last_descriptor(self) -> int:
        """The highest that a program is started with; bwrap leaves that of a PID namespace open."""
        return _FIRST_STAND_IN + len(self.stand_ins) - (0 if self.lasting else 1)

    def _folder_options(self) -> Iterator[str]:
        if self.lasting is None:
            yield from (word for path, mode in self.folders for word in ("--perms", mode, "--tmpfs", path))
            yield from ("--hostname", _HOSTNAME)
            return
        yield from (word for path, source in self.lasting.folders.items() for word in ("--bind", source, path))
        yield from ("--ro-bind", *self.lasting.tools, "--hostname", self.lasting.hostname)

    def _stand_in_options(self) -> Iterator[str]:
        for descriptor, one in enumerate(self.stand_ins, _FIRST_STAND_IN):
            yield from ("--perms", f"{one.mode:04o}", "--ro-bind-data", str(descriptor), one.path)


@contextmanager
def sandbox(runner: Runner, root: str, *, network: bool, given: Sequence[tuple[str, str]] = ()) -> Iterator[Sandbox]:
    """Prepare a mounted guest for running its programs; nothing of the preparation stays.

    This process must have a mount namespace of its own.

    Where the network is asked for it leads outside by the builder's, and the guest's programs
    see a resolver that works there. Services are not started. Both files are mounted over the
    guest's own, which are never written.

    Args:
        given: files and folders of the builder's that can be read, and the paths at which they are seen: at or
            below `given_folder`, in the order in which they are mounted.

    Raises:
        GuestError: the guest lacks a folder that programs need, or has something else in its place.
        ToolError: a program is missing.
        InputError: the user is not root.
    """
    files = MountedTree(root)
    folders = tuple(_folders(files))
    forget(files, [_RESOLVER, _RPM_MACROS, _NO_SERVICES.path])
    with ExitStack() as stack:
        # For a moment bwrap itself is a process like the guest's, and shows its file in /proc.
        stack.enter_context(read_only(runner, [*_DEVICES, os.path.realpath(find("bwrap"))]))
        wanted = _stand_ins(files, network)
        stand_ins = stack.enter_context(places(files, wanted, [real for real, _mode in folders]))
        path = stack.enter_context(user_network(runner)) if network else None
        yield Sandbox(runner, root, path, folders, tuple(stand_ins), tuple(given))


def given_folder(root: str) -> str:
    """Return a path at which a guest's programs can be given something; nothing stands there in the guest.

    Raises:
        GuestError: the guest has neither /run nor /tmp.
    """
    for real, _mode in _folders(MountedTree(root)):
        return f"{real}/voc-cluster"
    raise GuestError("the guest has neither /run nor /tmp", hint="make one of them")


def _stand_ins(files: GuestTree, network: bool) -> list[StandIn]:
    """Return what a guest's programs shall see in place of its own files."""
    wanted = []
    if tree.exists(files, _OBEYS_POLICY):
        wanted.append(_NO_SERVICES)
    if tree.exists(files, _WANTS_NAMESPACES):
        own = (tree.read_text(files, _RPM_MACROS) or "").encode("utf-8", "surrogateescape")
        wanted.append(StandIn(_RPM_MACROS, own + b"\n" + _NO_NAMESPACES))
    if network:
        with open(_RESOLVER, encoding="utf-8", errors="replace") as file:
            wanted.append(StandIn(_RESOLVER, resolver(file.read()).encode()))
    return wanted


def _folders(files: GuestTree) -> Iterator[tuple[str, str]]:
    """Give the real paths of the guest's folders that are covered, with the permission bits of what covers them.

    bwrap would make what is missing in the guest, and follow a link out of it to do so.
    """
    for path in ("/dev", "/proc"):
        entry = files.lstat(path)
        if entry is None or entry.kind != "directory":
            raise GuestError("it is not a directory, so no program of the guest can be run", where=path)
    for path, mode in (("/run", "0755"), ("/tmp", "1777")):
        real, entry = tree.lookup(files, path)
        if entry and entry.kind == "directory" and real != "/":
            yield real, mode
            if path == "/run":  # programs lock their state there
                yield f"{real}/lock", mode


def _require_words(words: Iterable[str]) -> None:
    """See to it that no word ends where the sandbox would take what follows for an option of its own."""
    if any("\0" in word for word in words):
        raise InputError("no program can be given a null character", hint="see its arguments and its environment")


def _opening(files: Sequence[int]) -> list[str]:
    """Return what starts a program with our files open at 3 and above, though its starter passes no descriptor on."""
    opened = " ".join(f'{number}<"${at}"' for at, number in enumerate(range(3, 3 + len(files)), 1))
    script = f'exec {opened}; shift {len(files)}; exec "$@"'
    return ["sh", "-c", script, "sandbox", *(f"/proc/{os.getpid()}/fd/{file}" for file in files)]


def _handed(stack: ExitStack, content: bytes = b"") -> int:
    """Return a descriptor of a file in memory that others can open as long as the stack lasts."""
    descriptor = os.memfd_create("voc-sandbox")
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    return descriptor


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in _PROXIES if name in os.environ}


__all__ = ["GUEST_PROGRAMS", "SEARCH_PATH", "Lasting", "Sandbox", "given_folder", "sandbox"]
