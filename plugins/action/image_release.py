# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.voc.cluster.plugins.plugin_utils._progress import ProgressAction


class ActionModule(ProgressAction):
    """Runs image_release and shows how far it is."""
