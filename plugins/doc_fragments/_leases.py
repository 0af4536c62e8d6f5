# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This doc fragment is PRIVATE to the collection: it may change without notice.

"""The options that say where leases are kept."""

from __future__ import annotations


class ModuleDocFragment:
    """Of the modules that work with leases."""

    DOCUMENTATION = r"""
options:
  database:
    description:
      - Where leases are kept. The path of a file on the host for SQLite, which should be on a local filesystem, or a
        URL of PostgreSQL, such as V(postgresql://voc@db.example.org/voc). The URL is shown in results, so the password
        belongs into O(database_password).
    type: str
    default: /var/lib/voc-cluster/leases.db
  database_password:
    description: The password for PostgreSQL. Without it, what its client library finds in the host's own files.
    type: str
requirements:
  - python3-psycopg2, for PostgreSQL
"""
