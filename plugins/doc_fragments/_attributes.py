# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This doc fragment is PRIVATE to the collection: it may change without notice.

"""What modules of the collection say about check mode and diff mode."""

from __future__ import annotations


class ModuleDocFragment:
    """The standard attributes."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change without changing it.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) would change, when C(--diff) is given.
  platform:
    description: Where the module runs.
    support: full
    platforms: Linux
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - This module changes nothing.
  diff_mode:
    support: N/A
    details:
      - This module changes nothing.
"""

    IMAGE = r"""
options:
  image:
    description:
      - The working image, a raw file on the builder. See M(voc.cluster.image_convert) for other formats.
    type: path
    required: true
"""

    ACCESS = r"""
options:
  access:
    description:
      - How the files in the image are reached.
      - V(ext) uses e2fsprogs on the image file. It needs no root, no loop device and no mount.
      - V(mounted) mounts the image for this module alone. It needs root.
      - V(auto) takes V(ext) where the filesystem is ext2, ext3 or ext4, and else V(mounted).
    type: str
    choices: [auto, ext, mounted]
    default: auto
"""
