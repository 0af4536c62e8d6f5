# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What a machine's life leaves behind: logs, histories, mail, temporary files, caches, dumps."""

from __future__ import annotations

import re

from ansible_collections.voc.cluster.plugins.module_utils._generalize.operation import Operation
from ansible_collections.voc.cluster.plugins.module_utils._generalize.sweep import Sweep

# Login records: who writes them does not make them (man 5 wtmp).
_RECORDS = ("wtmp", "btmp", "lastlog", "faillog", "tallylog", "utmp", "wtmp.db")
_ROTATED = re.compile(r".*(\.\d+(\.\w+)?|\.(gz|xz|bz2|zst|old)|-\d{8}(\.\w+)?)")

_HISTORIES = (
    *(".bash_history", ".sh_history", ".ksh_history", ".zsh_history", ".zhistory", ".ash_history", ".history"),
    *(".histfile", ".tcsh_history", ".local/share/fish/fish_history", ".local/state/bash/history"),
    *(".python_history", ".node_repl_history", ".irb_history", ".Rhistory", ".lesshst", ".viminfo", ".wget-hsts"),
    *(".mysql_history", ".psql_history", ".sqlite_history", ".rediscli_history", ".mongorc_history", ".dbshell"),
)
_QUEUES = (
    "active",
    "bounce",
    "corrupt",
    "defer",
    "deferred",
    "flush",
    "hold",
    "incoming",
    "maildrop",
    "saved",
    "trace",
)


def _logs(sweep: Sweep) -> None:
    for path in sweep.inside("/var/log/journal"):
        if re.fullmatch(r".*/[0-9a-f]{32}(\.[\w-]+)?", path):
            sweep.remove_tree(path)
    for path, entry in sweep.walk("/var/log").items():
        if entry.kind != "file":
            continue
        name = path.rpartition("/")[2]
        owner = (entry.attributes.uid, entry.attributes.gid)
        # A service that is not root could not make its file again.
        if not _ROTATED.fullmatch(name) and (name in _RECORDS or owner != (0, 0)):
            sweep.empty(path)
        else:
            sweep.remove(path)
    sweep.empty("/var/run/utmp", "/run/utmp")


def _histories(sweep: Sweep) -> None:
    for home in sweep.homes():
        sweep.remove(*(f"{home}/{name}" for name in _HISTORIES))


def _mail(sweep: Sweep) -> None:
    for folder in ("/var/mail", "/var/spool/mail"):
        # Mailboxes belong to their users, who could not make them.
        sweep.empty(*sweep.inside(folder))
    for queue in _QUEUES:
        sweep.clear(f"/var/spool/postfix/{queue}")
    for folder in ("/var/spool/mqueue", "/var/spool/clientmqueue", "/var/spool/exim4/input", "/var/spool/exim/input"):
        sweep.clear(folder)


def _temporary_files(sweep: Sweep) -> None:
    for folder in ("/tmp", "/var/tmp"):
        sweep.clear(folder)


def _package_cache(sweep: Sweep) -> None:
    sweep.remove_matching("/var/cache/apt", r".*\.bin")
    sweep.remove_matching("/var/cache/apt/archives", r".*\.deb")
    sweep.remove_matching("/var/cache/apt/archives/partial", r".*")
    for folder in ("/var/cache/yum", "/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/PackageKit"):
        sweep.clear(folder)
    for name in ("packages", "raw", "solv", "solvfiles"):
        sweep.clear(f"/var/cache/zypp/{name}")
    sweep.remove_matching("/var/cache/apk", r".*\.(apk|tar\.gz)")
    sweep.remove_matching("/var/cache/pacman/pkg", r".*\.pkg\.tar.*")
    sweep.remove("/var/lib/pacman/db.lck")


def _package_lists(sweep: Sweep) -> None:
    sweep.clear("/var/lib/apt/lists", keep=("lock", "partial", "auxfiles"))
    sweep.remove_matching("/var/lib/pacman/sync", r".*\.(db|files)(\.sig)?")


def _rpm_locks(sweep: Sweep) -> None:
    for folder in ("/var/lib/rpm", "/usr/lib/sysimage/rpm"):
        sweep.remove_matching(folder, r"__db\.\d+|\.rpm\.lock")


def _device_caches(sweep: Sweep) -> None:
    for path in ("/etc/blkid.tab", "/etc/blkid/blkid.tab", "/run/blkid/blkid.tab"):
        sweep.remove(path, f"{path}.old")
    sweep.remove_tree("/dev/.udev")
    sweep.remove_tree("/dev/.initramfs")


def _crash_dumps(sweep: Sweep) -> None:
    folders = ("/var/crash", "/var/lib/systemd/coredump", "/var/spool/abrt", "/var/tmp/abrt")
    for folder in (*folders, "/var/cache/abrt-di", "/var/lib/apport/coredump", "/var/lib/kdump/crash"):
        sweep.clear(folder)


def _cron_spool(sweep: Sweep) -> None:
    for folder in ("/var/spool/cron/crontabs", "/var/spool/cron/tabs", "/var/spool/cron/atjobs", "/var/spool/at"):
        sweep.remove_matching(folder, r"(?!\.SEQ$).*")
    sweep.remove_matching("/var/spool/cron", r".*")


OPERATIONS = (
    Operation("logs", "they speak of another machine; login records are emptied, rotated files removed", _logs),
    Operation("histories", "they tell what was typed, which may hold passwords", _histories),
    Operation("mail", "it is somebody's, or would be sent once by each instance", _mail),
    Operation("temporary-files", "they are of programs that have ended, and may hold anything", _temporary_files),
    Operation("package-cache", "it is large and soon stale", _package_cache),
    Operation("package-lists", "they are soon stale", _package_lists, default=False),
    Operation("rpm-locks", "they are of programs that have ended", _rpm_locks),
    Operation("device-caches", "they name the disks of another machine", _device_caches),
    Operation("crash-dumps", "they hold the memory of programs, with what was secret in it", _crash_dumps),
    Operation("cron-spool", "the jobs of users would run once on each instance", _cron_spool, default=False),
)

__all__ = ["OPERATIONS"]
