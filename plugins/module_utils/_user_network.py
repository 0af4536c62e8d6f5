# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""A network for a guest's programs that leads outside, and not to what the builder keeps to itself.

In the builder's own network namespace they would reach its abstract sockets (multipathd's,
iscsid's, which trust root) and what listens on its loopback. slirp4netns connects a
namespace of their own with the outside, as an ordinary program of the builder would: what listens
on the builder's other addresses can be reached.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.voc.cluster.plugins.module_utils._commands import Limits, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError

_CLONE_NEWNET = 0x40000000
_LIMITS = Limits(seconds=30, memory=4 << 30)

# Where slirp4netns answers for the builder's resolver (man 1 slirp4netns).
_NAME_SERVER = "10.0.2.3"


@contextmanager
def user_network(runner: Runner) -> Iterator[str]:
    """Give the path of a network namespace that is connected as long as this lasts, and as this process lives.

    Raises:
        ToolError: slirp4netns is not installed, or could not do it.
        InputError: the user may not make one.
    """
    namespace = _new_namespace()
    path = f"/proc/{os.getpid()}/fd/{namespace}"
    argv = [
        *("slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox"),
        *("--ready-fd=1", "--netns-type=path", path, "tap0"),
    ]
    try:
        with runner.converse(argv, _LIMITS) as slirp:
            slirp.ask(b"", b"1")
            yield path
    finally:
        os.close(namespace)


def _new_namespace() -> int:
    """Return a descriptor of a new network namespace; a thread that ends has made it, and this process stays out."""
    made: list[int | OSError] = []
    libc = ctypes.CDLL(None, use_errno=True)

    def make() -> None:
        try:
            if libc.unshare(_CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            made.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    (result,) = made
    if not isinstance(result, OSError):
        return result
    if result.errno == errno.EPERM:
        raise InputError("a network for the guest needs root", hint="run the builder as root") from result
    raise InputError(
        f"no network can be made for the guest ({result.strerror})",
        hint="see the builder's limits on open files and on network namespaces (user.max_net_namespaces)",
    ) from result


def resolver(builders: str) -> str:
    """Return the resolv.conf of that network: the builder's own, with the name server that is reached from there."""
    kept = [line for line in builders.splitlines() if line.split()[:1] in (["search"], ["domain"], ["options"])]
    return "".join(f"{line}\n" for line in [*kept, f"nameserver {_NAME_SERVER}"])


__all__ = ["resolver", "user_network"]
