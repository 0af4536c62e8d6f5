# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""Which system calls a guest's programs may not make: those that no package's script needs.

Most of them ask for a capability that the sandbox does not give; a filter stops them before
the kernel's own code, where its bugs are, is reached. libseccomp knows the numbers.
"""

from __future__ import annotations

import ctypes
import errno
import os

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError

# seccomp.h of libseccomp; its interface has been stable since 2.0.
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000  # with the error number below
_MASKED_EQUAL = 7
_UNKNOWN = -1  # __NR_SCMP_ERROR

# Programs of the older architecture that a kernel runs, too (linux/audit.h).
_COMPATIBLE = {"x86_64": 0x40000003, "aarch64": 0x40000028}

DENIED = (
    # other files, devices and kernels
    *("mount", "umount", "umount2", "pivot_root", "mount_setattr", "open_tree", "open_tree_attr", "move_mount"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "swapon", "swapoff", "quotactl", "quotactl_fd"),
    *("init_module", "finit_module", "delete_module", "create_module", "kexec_load", "kexec_file_load", "reboot"),
    *("iopl", "ioperm", "acct", "nfsservctl", "uselib", "vhangup", "syslog"),
    # namespaces, and so capabilities of their own
    *("unshare", "setns"),
    # other programs
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise"),
    # keys are the builder's: no namespace parts them
    *("keyctl", "add_key", "request_key"),
    # large parts of the kernel that strangers have broken before
    *("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("fanotify_init", "lookup_dcookie", "vm86", "vm86old", "mbind", "set_mempolicy", "migrate_pages", "move_pages"),
    # the builder's clock
    *("settimeofday", "clock_settime", "clock_settime64", "stime"),
)

# sched.h: CLONE_NEW* for mount, cgroup, UTS, IPC, user, PID, net and time.
_NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00000080)
# sys/socket.h: AF_ALG is the kernel's cryptography, and AF_VSOCK leads to hypervisors and other guests in any
# network namespace.
_FAMILIES = (38, 40)
# asm/ioctls.h: TIOCSTI and TIOCLINUX put words into the mouth of whoever sits at the terminal.
_TERMINAL = (0x5412, 0x541C)


class _Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp``: an argument of a call, under a mask, has a value."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


class _Filter:
    """A filter of libseccomp's."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libseccomp.so.2")
        except OSError:
            raise ToolError(
                "the library libseccomp is not installed", hint="install the package libseccomp2 on the builder"
            ) from None
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(_ALLOW)))

    def add_architecture(self, token: int) -> None:
        self._check(self._library.seccomp_arch_add(self._context, ctypes.c_uint32(token)))

    def refuse(self, call: str, error: int, *comparisons: _Comparison) -> None:
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number == _UNKNOWN:  # newer than the library
            return
        array = (_Comparison * len(comparisons))(*comparisons)
        action = ctypes.c_uint32(_REFUSE | error)
        self._check(
            self._library.seccomp_rule_add_array(self._context, action, number, ctypes.c_uint(len(comparisons)), array)
        )

    def export(self, descriptor: int) -> None:
        self._check(self._library.seccomp_export_bpf(self._context, descriptor))

    def close(self) -> None:
        self._library.seccomp_release(self._context)

    @staticmethod
    def _check(result: int) -> None:
        if result < 0:
            raise ToolError(f"libseccomp failed: {os.strerror(-result)}", hint="install a newer libseccomp")


def write_filter(descriptor: int) -> None:
    """Write the filter to a file, as bwrap's ``--seccomp`` reads it.

    Raises:
        ToolError: libseccomp is missing, or cannot express it.
    """
    rules = _Filter()
    try:
        # Before the other architecture is added: 32-bit x86 hides a socket's family from filters (man 2 socketcall),
        # and all its sockets would be refused.
        for family in _FAMILIES:
            rules.refuse("socket", errno.EAFNOSUPPORT, _Comparison(0, _MASKED_EQUAL, 0xFFFFFFFF, family))
        other = _COMPATIBLE.get(os.uname().machine)
        if other is not None:
            rules.add_architecture(other)
        for call in DENIED:
            rules.refuse(call, errno.EPERM)
        for flag in _NEW_NAMESPACES:
            rules.refuse("clone", errno.EPERM, _Comparison(0, _MASKED_EQUAL, flag, flag))
        # A filter cannot see its flags; C libraries fall back to clone.
        rules.refuse("clone3", errno.ENOSYS)
        for request in _TERMINAL:
            rules.refuse("ioctl", errno.EPERM, _Comparison(1, _MASKED_EQUAL, 0xFFFFFFFF, request))
        rules.export(descriptor)
    finally:
        rules.close()


__all__ = ["DENIED", "write_filter"]
