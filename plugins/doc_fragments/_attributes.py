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
      - While a module changes it, other modules that change or publish it refuse it. A module that changes it takes the
        file itself, and no link to it.
    type: path
    required: true
"""

    ROOT = r"""
options:
  root:
    description:
      - The number of the partition with the root filesystem.
      - Without it the root is the one filesystem of its kind, or the one of several that holds a system. Others belong
        where the guest's fstab mounts them, and so they are one tree here.
    type: int
"""

    OUTPUT = r"""
options:
  subformat:
    description:
      - The kind of image, where a format has several. The first is the default.
      - V(monolithicSparse) and V(streamOptimized) for vmdk; V(dynamic) and V(fixed) for vhd and vhdx.
    type: str
  compress:
    description: Compress the clusters of a qcow2 image.
    type: bool
    default: false
  compression:
    description: Compress the whole file. Without it the file is not compressed.
    type: str
    choices: [gzip, bzip2, xz, zstd]
  qcow2:
    description: Options of qcow2 images.
    type: dict
    suboptions:
      cluster_size:
        description: The size of a cluster, for example V(64k).
        type: str
      compat:
        description: V(0.10) for readers of the time before 2011.
        type: str
        choices: ["0.10", "1.1"]
      compression_type:
        description: How clusters are compressed. Readers before QEMU 5.1 know V(zlib) alone.
        type: str
        choices: [zlib, zstd]
      preallocation:
        description: What is allocated at once.
        type: str
        choices: ["off", metadata, falloc, full]
"""

    ACCESS = r"""
options:
  access:
    description:
      - How the files in the image are reached.
      - V(ext) uses e2fsprogs on the image file. It needs no root, no loop device and no mount.
      - V(mounted) mounts the image for this module alone. It needs root.
      - V(auto) takes V(ext) where the guest's filesystems are ext2, ext3 or ext4, and else V(mounted). An ordinary user
        reaches those that are ext.
    type: str
    choices: [auto, ext, mounted]
    default: auto
"""

    LIMITS = r"""
options:
  limits:
    description:
      - Higher limits for each program that this module starts, where the work is larger than usual. Lower ones than the
        defaults have no effect, apart from O(limits.reserve).
      - The defaults are for programs that change or convert images; those that only look at one have a minute and 1G.
    type: dict
    default: {}
    suboptions:
      seconds:
        description: How long it may take. The default is 14400, and 3600 for the guest's own programs.
        type: int
      cpu:
        description: How many seconds of a processor it may use, over all its threads. The default is 86400.
        type: int
      memory:
        description: How much memory it may have. The default is V(4G), and V(16G) for the guest's own programs.
        type: str
      output:
        description: How much it may write to its standard output. The default is V(64M).
        type: str
      reserve:
        description: How much must stay free on filesystems of the builder that are written to. The default is V(64M).
        type: str
"""

    PROGRESS = r"""
options:
  progress:
    description:
      - A file in which the module says how far it is while it works, as one line.
      - It is set for you, so that a task that takes long prints a percentage every few seconds.
    type: path
"""
