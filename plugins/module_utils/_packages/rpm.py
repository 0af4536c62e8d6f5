# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""What all managers of RPM packages share: the database, which rpm itself is asked for, and keys in it.

The database is Berkeley DB, ndb or SQLite by the age of the guest, and only the first two
are read by nothing but rpm: so rpm answers for all, in the sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import Manager, Repository, Step

KEY = "gpg-pubkey"  # under this name rpm keeps the keys that it trusts
# What is read of the site's repositories is kept under their names; it would count in later
# runs, whoever signed it then.
_OURS = "voc-cluster-"
_FOLDERS = ("dnf/", "libdnf5/", "zypp/raw/", "zypp/solv/", "zypp/packages/", "yum/*/*/")
REMOVE_CACHES = Step(("sh", "-c", "rm -rf " + " ".join(f"/var/cache/{folder}{_OURS}*" for folder in _FOLDERS)))

_FORMAT = r"%{NAME}\t%{EPOCH}\t%{VERSION}-%{RELEASE}\n"


class RpmManager(Manager):
    """The part that does not depend on who downloads."""

    suffixes = (".rpm",)

    def query(self) -> Step:
        return Step(("rpm", "-qa", "--queryformat", _FORMAT))

    def parse_query(self, text: str) -> dict[str, str]:
        """Return what is installed; of a name that is there more than once, as kernels are, all versions."""
        found: dict[str, list[str]] = {}
        for line in text.splitlines():
            name, _tab, rest = line.partition("\t")
            epoch, tab, version = rest.partition("\t")
            if name and tab and name != KEY:
                known = epoch not in ("(none)", "0", "")
                found.setdefault(name, []).append(f"{epoch}:{version}" if known else version)
        return {name: " ".join(sorted(versions)) for name, versions in found.items()}

    def is_version(self, version: str, wanted: str) -> bool:
        return any(super(RpmManager, self).is_version(one, wanted) for one in version.split())

    def before(self, repositories: Sequence[Repository], folder: str) -> list[Step]:
        keys = [f"{folder}/keys/{one.name}.asc" for one in repositories if one.key]
        return [Step(("rpm", "--import", *keys))] if keys else []


def keys() -> Step:
    """Return what asks for the keys that rpm trusts."""
    return Step(("rpm", "-qa", KEY))


def forget(names: Sequence[str]) -> list[Step]:
    """Return what removes keys, named as the answer to `keys` names them."""
    return [Step(("rpm", "-e", "--allmatches", "--", *names))] if names else []


def repository_file(repository: Repository, folder: str) -> bytes:
    """Return a repository as a file of yum.repos.d(5), which zypper reads, too."""
    lines = [f"[{_OURS}{repository.name}]", f"name={repository.name}", f"baseurl={repository.uri}", "enabled=1"]
    if repository.key is None:
        lines.append("gpgcheck=0")
    else:
        lines += ["gpgcheck=1", f"gpgkey=file://{folder}/keys/{repository.name}.asc"]
    return "".join(f"{line}\n" for line in lines).encode()


def guests_own(view: View, directory: str) -> dict[str, str]:
    """Return links for the guest's own repository files, by their names."""
    names = [name for name in tree.names_in(view, directory) if name.endswith(".repo")]
    return {f"repos/{name}": f"{directory}/{name}" for name in names}


def word(request_name: str, version: str | None, file: str | None, between: str) -> str:
    """Return a package as a manager's word."""
    return file or (f"{request_name}{between}{version}" if version else request_name)


__all__ = ["KEY", "REMOVE_CACHES", "RpmManager", "forget", "guests_own", "keys", "repository_file", "word"]
