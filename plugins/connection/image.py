# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image
short_description: Run tasks inside an offline image
version_added: 0.1.0
author: the voc.cluster authors (@voc-cluster)
description:
  - Runs the tasks of ordinary roles and playbooks inside an image that has no running system, in the session that
    M(voc.cluster.image_session) has opened on the builder. The image is the host of the inventory.
  - The builder is reached by the builder's own connection, with the builder's own variables. Both C(local) and C(ssh)
    serve.
  - Each command is a sandbox of its own. The guest's programs see the guest's files and processes, and nothing of the
    builder.
  - Files are copied in and out by programs that run in the guest, so that a link in the guest leads to nowhere else.
  - C(ansible_python_interpreter) is the session's, whatever it is for other hosts. Unless you set them,
    C(ansible_remote_tmp) and C(ansible_async_dir) are such that nothing of Ansible's own stays in the image.
options:
  image:
    description: The image of the session, the same path on the builder that M(voc.cluster.image_session) was given.
    type: str
    required: true
    vars:
      - name: image_work
  builder:
    description: The host of the inventory on which the session is open.
    type: str
    default: localhost
    vars:
      - name: image_builder
  builder_become:
    description: Whether the session is entered by C(sudo -n), because the builder's user is not root.
    type: bool
    default: false
    vars:
      - name: image_builder_become
  remote_user:
    description: The guest's user who runs what is not told to C(become) another one.
    type: str
    choices: [root]
    default: root
  pipelining:
    description: Send modules to the guest's Python directly, which saves several commands for each task.
    type: bool
    default: true
    env:
      - name: ANSIBLE_PIPELINING
    ini:
      - section: connection
        key: pipelining
      - section: defaults
        key: pipelining
    vars:
      - name: ansible_pipelining
notes:
  - C(become) works with C(sudo), also where the guest has none, and with C(su). C(runuser) must be in the guest for
    C(sudo).
  - M(ansible.builtin.service) and M(ansible.builtin.systemd_service) enable and disable. What would start, stop or
    reload a service is ignored with a warning, also in handlers. That holds for guests with systemd. In guests with
    sysvinit, whose scripts cannot know that nothing runs, what is started lives until the session ends.
  - What changes the running kernel is refused, because it is the builder's. Give C(ansible.posix.sysctl) the option
    C(reload=false), and C(ansible.posix.mount) the state C(present).
  - Facts are the guest's, with the exceptions that no program in a namespace can see otherwise. C(kernel),
    processors and memory are the builder's; M(voc.cluster.image_info) returns the guest's kernels.
    C(virtualization_type) is V(NA), because C(/sys) is empty in there.
  - In a session with a network C(/etc/resolv.conf) is the session's own, which can be read and neither changed nor
    replaced. Write the guest's with M(voc.cluster.image_edit), or in a session with
    O(voc.cluster.image_session#module:network=false). The same holds for C(/usr/sbin/policy-rc.d) in every guest with
    C(dpkg), and for C(/root/.rpmmacros) where C(rpm) would want namespaces.
  - A task whose program writes more than 64 MiB to its standard output, or to its standard error, fails.
  - What a guest's program returns as facts, Ansible puts over the variables of the inventory. In a play that goes on
    with other tasks for the same host, let M(ansible.builtin.meta) do C(clear_facts) when the guest has had its say,
    or set C(inject_facts_as_vars=false).
  - Where a role delegates to a host other than C(localhost), that host needs an C(ansible_connection) of its own,
    because the keyword C(connection) counts for delegated tasks, too.
  - To inspect an image with testinfra, open a session with O(voc.cluster.image_session#module:keep=true), and give
    testinfra C(ansible://HOST) with an inventory in which C(HOST) has C(ansible_connection=voc.cluster.image).
seealso:
  - module: voc.cluster.image_session
"""

EXAMPLES = r"""
# inventory: an image, and the machine on which it is worked on
#
#   [images]
#   starworker image_work=/var/lib/voc-cluster/work/starworker/disk.raw image_builder=build1
#
# With a session open, see M(voc.cluster.image_session):

- name: Run a role inside the image
  hosts: images
  connection: voc.cluster.image
  roles:
    - my.collection.worker
"""

import os
import shlex
import shutil
import typing as t
from collections.abc import Mapping

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

from ansible_collections.voc.cluster.plugins.module_utils._session import entry, records, tools
from ansible_collections.voc.cluster.plugins.plugin_utils._builder import builder_connection

display = Display()

_PIECE = 16 << 20  # bytes; a builder's connection keeps what it sends and gets in memory

# The builder cuts off what a guest's program says, which else could go on until memory or disk is full. The
# descriptors: 3 is its output, 4 its status, 5 the output that is left.
_CUT_OFF = """\
{ status=$(
    { { { "$@" 2>&1 >&3 3>&- 4>&- 5>&-; echo "$?" >&4; } | head -c %d >&2; } 3>&1 | head -c %d >&5; } 4>&1
); } 5>&1
exit "${status:-1}"
"""
_MOST = 64 << 20  # bytes, of what any command may say
_COMPLAINT = 4096  # bytes
_LONGEST_SIZE = 21  # bytes: its digits, and a newline

# Unless somebody has set them.
_DEFAULTS = {"ansible_remote_tmp": tools.WORK, "ansible_async_dir": tools.WORK}


class Connection(ConnectionBase):
    """Commands and files of a guest, through the session that is open on the builder."""

    transport = "voc.cluster.image"
    has_pipelining = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._hosts: Mapping[str, Mapping[str, t.Any]] = {}
        self._builder: ConnectionBase | None = None

    def _resolve_option_variables(self, variables: dict[str, t.Any], templar: t.Any) -> dict[str, t.Any]:
        # The only moment at which a connection sees more than its own variables, and at which
        # what it knows about its kind of host can still become the shell's and the modules'.
        self._hosts = variables.get("hostvars", {})
        # What an inventory says of all hosts is not meant for these.
        variables["ansible_python_interpreter"] = tools.INTERPRETER
        for name, value in _DEFAULTS.items():
            variables.setdefault(name, value)
        return super()._resolve_option_variables(variables, templar)

    def _connect(self) -> Connection:
        self._reach_builder()
        return self

    def _reach_builder(self) -> ConnectionBase:
        if self._builder is None:
            name = self.get_option("builder")
            if name not in self._hosts:
                raise AnsibleConnectionFailure(f"the builder {name!r} is not in the inventory; see image_builder")
            self._builder = builder_connection(name, self._hosts[name], self)
        self._connected = True
        return self._builder

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a shell command in the guest."""
        display.vvv(f"EXEC {cmd}", host=self.get_option("image"))
        status, output, errors = self._run(cmd, in_data, _MOST + 1, _MOST + 1)
        if max(len(output), len(errors)) > _MOST:
            raise AnsibleError(f"a command in {self.get_option('image')} was ended: it wrote more than {_MOST} bytes")
        return status, output, errors

    def _run(self, cmd: str, data: bytes | None, output: int, errors: int) -> tuple[int, bytes, bytes]:
        """Run a shell command in the guest; take at most so many bytes of what it writes."""
        words = ["/bin/sh", "-c", _CUT_OFF % (errors, output), "sh", *self._enter(cmd)]
        done: tuple[int, bytes, bytes] = self._reach_builder().exec_command(
            shlex.join(words), in_data=data, sudoable=False
        )
        self._require_open(done[0], done[2])
        return done

    @property
    def _script(self) -> str:
        return os.path.join(records.folder_of(self.get_option("image")), records.ENTER)

    def _enter(self, cmd: str) -> list[str]:
        """Return what runs a shell command in the guest, for the builder."""
        return [*(("sudo", "-n") if self.get_option("builder_become") else ()), "/bin/sh", self._script, cmd]

    def _require_open(self, status: int, errors: bytes) -> None:
        if _is_closed(status, errors, self._script):
            raise AnsibleConnectionFailure(
                f"no session of {self.get_option('image')} is open on {self.get_option('builder')}; "
                "open one with voc.cluster.image_session"
            )

    def put_file(self, in_path: str, out_path: str) -> None:
        """Write a file of the controller's to a path of the guest's."""
        if not os.path.exists(in_path):
            raise AnsibleFileNotFound(f"there is no file {in_path}")
        target = self._shell.quote(out_path)
        self._transfer(f": > {target}", None, out_path)
        with open(in_path, "rb") as file:
            while piece := file.read(_PIECE):
                self._transfer(f"cat >> {target}", piece, out_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Write a regular file of the guest's to a path of the controller's."""
        source = self._shell.quote(in_path)
        size = self._size(source, in_path)
        if size > shutil.disk_usage(os.path.dirname(os.path.abspath(out_path))).free:
            raise AnsibleError(f"{in_path} of the image has {size} bytes, and {out_path} has no room for them")
        with open(out_path, "wb") as file:
            while True:
                part = f"bs={_PIECE} count=1 skip={file.tell() // _PIECE}"
                piece = self._transfer(f"test -f {source} && dd if={source} {part}", None, in_path, most=_PIECE)
                file.write(piece)
                # What claims to be empty may have a content nevertheless, in /proc.
                if len(piece) < _PIECE or file.tell() >= size:
                    return

    def _size(self, source: str, path: str) -> int:
        """Return the size of a regular file, of which not more than that and one piece will be read."""
        told = self._transfer(f"test -f {source} && stat -L -c %s {source}", None, path, most=_LONGEST_SIZE)
        if not told.strip().isdigit():
            raise AnsibleError(f"{path} of the image could not be copied: its size is {told!r}")
        return int(told)

    def _transfer(self, command: str, data: bytes | None, path: str, *, most: int = _COMPLAINT) -> bytes:
        """Run a command that reads or writes a file; take at most `most` bytes of its output."""
        status, output, errors = self._run(f"/bin/sh -c {shlex.quote(command)}", data, most, _COMPLAINT)
        if status != 0:
            raise AnsibleError(f"{path} of the image could not be copied: {errors.decode(errors='replace').strip()}")
        return output

    def reset(self) -> None:
        """Forget the way to the builder; the session stays."""
        self.close()

    def close(self) -> None:
        """Close the way to the builder; the session stays."""
        if self._builder is not None:
            self._builder.close()
            self._builder = None
        self._connected = False


def _is_closed(status: int, errors: bytes, enter: str) -> bool:
    """Whether a command failed because there was nothing to enter: the script said so, or is not there itself."""
    said = errors.decode(errors="replace")
    return (status == entry.STATUS and entry.ENDED in said) or (status in (2, 127) and f"{enter}: " in said)


__all__ = ["Connection"]
