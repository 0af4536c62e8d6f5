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
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MountedTree, private_mounts
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import Attributes, GuestTree
from ansible_collections.voc.cluster.plugins.module_utils._overlaid import bind, cover
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
_KERNEL_SETTINGS = (
    *("/proc/asound", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/mtrr", "/proc/sys"),
    *("/proc/sysrq-trigger", "/proc/tty"),
)
# These reach the builder's disks and firmware (CVE-2017-16539, CVE-2018-10892), or tell of its memory, keys and
# processes. Which of them there are depends on its kernel.
_HIDDEN_FOLDERS = ("/proc/acpi", "/proc/scsi")
_HIDDEN_FILES = (
    *("/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/timer_list"),
    "/proc/timer_stats",
)

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

# A folder of every guest's, where nothing is seen of what lies in it: bwrap mounts its own over it.
_STORE = "/proc"

# The descriptors by which bwrap reads files, and that of a PID namespace, which it leaves open.
_VARIABLES, _FILTER, PROCESSES = 3, 4, 5


@dataclass(frozen=True)
class Lasting:
    """What outlives a program of the guest, for those that are run after it.

    Attributes:
        processes: a descriptor of this process's for the PID namespace that they share.
        hostname: the name that they take their machine's to be.
    """

    processes: int
    hostname: str


@dataclass(frozen=True)
class Sandbox:
    """A guest's tree, mounted at `root` with all that its programs shall see in it, where they can be run.

    Attributes:
        network: the path of the network namespace that they are in; None for one without any way out.
        lasting: what its programs share with those that were run before them.
    """

    runner: Runner
    root: str
    network: str | None = None
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
            files += [self.lasting.processes] if self.lasting else []
            enter = [find("nsenter"), f"--net={self.network}", "--"] if self.network else []
            # Until it has set everything up, bwrap's child does not notice when bwrap dies. As a whole they
            # are in a PID namespace that ends with its first process.
            whole = [] if self.lasting else [find("unshare"), "--pid", "--kill-child", "--"]
            yield [*_opening(files), *whole, *enter, find("bwrap"), *self._options(directory), *argv]

    def _options(self, directory: str) -> list[str]:
        # A link of the guest's can lead bwrap to the builder. So no path here is the guest's but /dev and /proc, and
        # those no program can replace that sees something mounted there (man 2 rename, EBUSY), as each of them does.
        return [
            *("--die-with-parent", "--new-session"),
            *(["--pidns", str(PROCESSES)] if self.lasting else ["--unshare-pid"]),
            *("--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
            *([] if self.network else ["--unshare-net"]),
            *("--bind", self.root, "/", "--dev", "/dev", "--proc", "/proc"),
            *(word for path in _KERNEL_SETTINGS for word in ("--ro-bind-try", path, path)),
            *(word for path in _there(_HIDDEN_FOLDERS) for word in ("--tmpfs", path, "--remount-ro", path)),
            *(word for path in _there(_HIDDEN_FILES) for word in ("--dev-bind", os.devnull, path)),
            *("--hostname", self.lasting.hostname if self.lasting else _HOSTNAME),
            *("--cap-drop", "ALL"),
            *(word for capability in _CAPABILITIES for word in ("--cap-add", capability)),
            *("--seccomp", str(_FILTER), "--clearenv", "--args", str(_VARIABLES)),
            *("--chdir", directory, "--"),
        ]


@contextmanager
def sandbox(runner: Runner, root: str, *, network: bool, given: Sequence[tuple[str, str]] = ()) -> Iterator[Sandbox]:
    """Prepare a mounted guest for running its programs; nothing of the preparation stays.

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
    folders = dict(_folders(files))
    forget(files, [_RESOLVER, _RPM_MACROS, _NO_SERVICES.path])
    with ExitStack() as stack:
        wanted = _stand_ins(files, network)
        stand_ins = stack.enter_context(places(files, wanted, list(folders)))
        stack.enter_context(private_mounts())  # all mounts from here on end with it
        runner.run(["mount", "--make-rprivate", "/"])
        # For a moment bwrap itself is a process like the guest's, and shows its file in /proc.
        for path in map(os.path.realpath, (*_DEVICES, find("bwrap"))):
            bind(path, "/", path, devices=True)
        _cover(root, folders)
        for source, path in given:
            give(root, source, path)
        _stand_in(root, stand_ins)
        way = stack.enter_context(user_network(runner)) if network else None
        yield Sandbox(runner, root, way)


def give(root: str, source: str, path: str) -> None:
    """Let a guest's programs read something of the builder's; it ends with the sandbox.

    Args:
        source: a file or folder of the builder.
        path: at or below `given_folder`. None of the guest's programs may run meanwhile.

    Raises:
        ToolError: it cannot be mounted there.
    """
    _make_folder(root, path)
    bind(source, root, path)


def _cover(root: str, folders: Mapping[str, int]) -> None:
    """Put empty folders in memory over the guest's own."""
    for path, mode in folders.items():
        _make_folder(root, path)
        cover(root, path, mode)
    run = tree.resolve(MountedTree(root), "/run")
    if run in folders:  # programs lock their state there
        _make_folder(root, f"{run}/lock")


def _make_folder(root: str, path: str) -> None:
    plan = Plan(MountedTree(root))
    if plan.lstat(path) is None:
        plan.make_directory(path, Attributes(0o755))
        plan.apply()


def _stand_in(root: str, stand_ins: Sequence[StandIn]) -> None:
    """Put files over the guest's own; those below a folder that is covered are made."""
    cover(root, _STORE, 0o700)
    plan = Plan(MountedTree(root))
    for number, one in enumerate(stand_ins):
        plan.write(f"{_STORE}/{number}", one.content, Attributes(one.mode))
        if plan.lstat(one.path) is None:
            plan.write(one.path, b"")
    plan.apply()
    for number, one in enumerate(stand_ins):
        bind(f"{root}{_STORE}/{number}", root, one.path)


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


def _folders(files: GuestTree) -> Iterator[tuple[str, int]]:
    """Give the real paths of the guest's folders that are covered, with the permission bits of what covers them."""
    for path in ("/dev", "/proc"):
        entry = files.lstat(path)
        if entry is None or entry.kind != "directory":
            raise GuestError("it is not a directory, so no program of the guest can be run", where=path)
    for path, mode in (("/run", 0o755), ("/tmp", 0o1777)):
        real, entry = tree.lookup(files, path)
        if entry and entry.kind == "directory" and real != "/":
            yield real, mode


def _there(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]


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


__all__ = ["GUEST_PROGRAMS", "PROCESSES", "SEARCH_PATH", "Lasting", "Sandbox", "give", "given_folder", "sandbox"]
