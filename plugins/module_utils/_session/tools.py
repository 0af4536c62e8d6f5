# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What Ansible needs inside a guest and may not find there: a recent Python, and a sudo that works.

It lies below /run, where the guest's own files end, and can only be read.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._overlaid import bind
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox

# Guest paths.
PLACE = "/run/voc-cluster"
PROGRAMS = f"{PLACE}/bin"
INTERPRETER = f"{PLACE}/python3"
WORK = "/run/ansible"  # for Ansible's own files, which else would stay in the image

_HOME = f"{PLACE}/python"

# A minimal Python lacks modules that Ansible imports, and says so.
_PROBE = "import sys, json, shutil, subprocess, tempfile, zipfile; print('python', *sys.version_info[:2])"
_ANSWER = re.compile(r"python (\d{1,3}) (\d{1,3})\s*")
_CANDIDATES = ("/usr/bin/python3", "/usr/local/bin/python3", "/usr/libexec/platform-python")

_GUESTS = """\
#!/bin/sh
exec {path} "$@"
"""
# Its own loader and libraries, because the guest's are others; no variable, because the guest's own
# Python programs would inherit it. By its name it finds its modules.
_BUILDERS = f"""\
#!/bin/sh
exec {_HOME}/loader --library-path {_HOME}/libraries {{name}}{_HOME}/bin/interpreter "$@"
"""
_LINKED = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
# glibc before 2.34 opens these by name, and names and users are looked up by them.
_BY_NAME = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2", "libgcc_s.so.1")

# Root changes users here without sudo, which refuses to run where no new privileges can be had.
_SUDO = """\
#!/bin/sh
# Stands in for sudo, for root: sudo refuses to run in here.
user=root
while [ $# -gt 0 ]; do
    case $1 in
        --user=*) user=${1#--user=} ;;
        --user | -*u) user=$2; shift ;;
        -u*) user=${1#-u} ;;
        -p | -g | -h | -C | -T | -D | -R) shift ;;
        --) shift; break ;;
        -*) ;;
        [A-Za-z_]*=*) export "${1?}" ;;
        *) break ;;
    esac
    shift
done
entry=$(getent passwd "$user") || { echo "sudo: unknown user $user" >&2; exit 1; }
HOME=$(echo "$entry" | cut -d : -f 6) USER=$user LOGNAME=$user SUDO_USER=root
export HOME USER LOGNAME SUDO_USER
exec runuser -u "$user" -- "$@"
"""


def oldest_python(ansible: str) -> tuple[int, int]:
    """Return the oldest Python that a version of ansible-core runs its modules with (its support matrix)."""
    return (3, 8) if tuple(map(int, ansible.split(".")[:2])) < (2, 20) else (3, 9)


def prepare(runner: Runner, box: Sandbox, folder: Path, oldest: tuple[int, int]) -> str:
    """Fill the folder that is to be at `PLACE` in the guest, and return whose Python is used.

    Args:
        oldest: the oldest Python that serves.

    Raises:
        GuestError: no program of the guest can be run here.
        ToolError: the builder's Python cannot be lent.
    """
    (folder / "bin").mkdir(parents=True)
    _write(folder / "bin" / "sudo", _SUDO)
    own = _guests_python(box, oldest)
    if own:
        _write(folder / "python3", _GUESTS.format(path=own))
        return "guest"
    _lend(runner, folder)
    return "builder"


def _guests_python(box: Sandbox, oldest: tuple[int, int]) -> str | None:
    """Return the path of a Python of the guest's that serves."""
    if box.run(["/bin/sh", "-c", ":"], accept=range(256)).status != 0:
        raise GuestError(
            "the guest's /bin/sh does not run here", hint="the guest must be of the builder's architecture"
        )
    for path in _CANDIDATES:
        done = box.run([path, "-I", "-c", _PROBE], accept=range(256))
        answer = _ANSWER.fullmatch(done.text) if done.status == 0 else None
        if answer and (int(answer[1]), int(answer[2])) >= oldest:
            return path
    return None


def _lend(runner: Runner, folder: Path) -> None:
    """Lay out this process's own Python so that it runs in any guest of this architecture."""
    home = folder / "python"
    python = os.path.realpath(sys.executable)
    modules = Path(sysconfig.get_path("stdlib"))
    libraries = _libraries(runner, [python, *map(str, modules.glob("lib-dynload/*.so"))])
    loader = next((path for path in libraries if Path(path).name.startswith("ld-")), None)
    if loader is None or not modules.is_relative_to(sys.base_prefix):
        raise GuestError(
            "it has no Python that serves, and the builder's cannot be lent", hint="install Python in the guest"
        )
    for path in (home / "bin", home / "libraries", home / "nothing"):
        path.mkdir(parents=True)
    shutil.copy(python, home / "bin" / "interpreter")
    shutil.copy(loader, home / "loader")
    for library in libraries - {loader}:
        shutil.copy(library, home / "libraries")
    _bind(modules, home / modules.relative_to(sys.base_prefix))
    if (modules / "site-packages").is_dir():
        _bind(home / "nothing", home / modules.relative_to(sys.base_prefix) / "site-packages")
    # Older loaders cannot be told; then only sys.executable is a program that does not start.
    told = b"--argv0" in runner.run([loader, "--help"], accept=range(256)).output
    _write(home / "bin" / "python3", _BUILDERS.format(name=f"--argv0 {_HOME}/bin/python3 " if told else ""))
    (folder / "python3").symlink_to("python/bin/python3")


def _libraries(runner: Runner, programs: Sequence[str]) -> set[str]:
    """Return the paths of all libraries that programs load, and of the loader."""
    linked = set(_LINKED.findall(runner.run(["ldd", *programs]).text))
    beside = {str(Path(path).parent / name) for path in linked for name in _BY_NAME}
    return linked | {path for path in beside if os.path.exists(path)}


def _bind(source: Path, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    bind(str(source), "/", os.path.realpath(place))


def _write(path: Path, script: str) -> None:
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)


__all__ = ["INTERPRETER", "PLACE", "PROGRAMS", "WORK", "oldest_python", "prepare"]
