# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This plugin util is PRIVATE to the collection: it may change without notice.

"""What plugins that work out addresses share: the way from their options to a scheme."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ansible.errors import AnsibleError

from ansible_collections.voc.cluster.plugins.module_utils._addressing import Scheme, make_scheme
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError, InputError

SETTINGS = ("mode", "prefix", "pattern", "group_bits", "slot_bits")


def scheme_from(get_option: Callable[[str], t.Any]) -> Scheme:
    """Return the scheme that a plugin's options describe; they are those of the doc fragment.

    Raises:
        ImageError: they contradict each other.
    """
    return make_scheme(**{name: get_option(name) for name in SETTINGS}, slots=get_option("max_slots"))


def flattened(terms: Sequence[t.Any]) -> list[str]:
    """Return names that are given one by one or as lists, as one list.

    Raises:
        InputError: one is not text.
    """
    names: list[str] = []
    for term in terms:
        for name in term if isinstance(term, (list, tuple)) else (term,):
            if not isinstance(name, str):
                raise InputError(f"{name!r} is not a name", hint="put it in quotes")
            names.append(name)
    return names


@contextmanager
def told_to_ansible() -> Iterator[None]:
    """Let errors of the library fail a plugin with their one sentence."""
    try:
        yield
    except ImageError as error:
        raise AnsibleError(str(error)) from None


__all__ = ["SETTINGS", "flattened", "scheme_from", "told_to_ansible"]
