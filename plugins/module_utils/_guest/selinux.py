# Copyright (c) 2026, the voc.cluster authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This module util is PRIVATE to the collection: it may change without notice.

"""SELinux labels of what is new in a guest, as the guest's own policy wants them, without any program of it.

Files that exist keep their labels. New ones would have none and be out of reach for
confined services, so they get what the policy's file contexts say (man 5 file_contexts):
the last line whose pattern matches the whole path wins, those without special
characters before all others, as libselinux decides it. The patterns are a stranger's, so
they get a limited time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.voc.cluster.plugins.module_utils import _cpu_time
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._guest import tree
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.plugins.module_utils._guest.tree import View

CONFIG = "/etc/selinux/config"
AUTORELABEL = "/.autorelabel"
XATTR = "security.selinux"

# In the order in which libselinux reads them: later ones win.
_FILES = ("file_contexts", "file_contexts.homedirs", "file_contexts.local")
_KINDS = {"--": "file", "-d": "directory", "-l": "symlink", "-b": "other", "-c": "other", "-p": "other", "-s": "other"}
_PLAIN = re.compile(r"(?:[^\\.^$?*+|\[({]|\\.)*")
_NONE = "<<none>>"
_SECONDS = 10  # of this process: thousands of labels of a real policy take less than one
_CONTEXT = re.compile(r"[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+:[A-Za-z0-9_.-]+(:[A-Za-z0-9_.,:-]+)?")


@dataclass(frozen=True)
class Rule:
    """A line of file contexts.

    Attributes:
        stem: what every path that matches begins with.
        kind: the only kind of file that matches; None for all.
        context: None for files that are not labelled.
        exact: whether the pattern is one path.
    """

    pattern: str
    stem: str
    kind: str | None
    context: str | None
    exact: bool


class Policy:
    """What a guest's policy says of files.

    Args:
        rules: in their order; later ones win.
        aliases: paths that are treated as if they began with another path.
    """

    def __init__(self, rules: Iterable[Rule], aliases: Sequence[tuple[str, str]] = ()) -> None:
        self._aliases = aliases
        self._exact: dict[str, list[Rule]] = {}
        self._patterns: list[Rule] = []
        self._by_folder: dict[str, list[Rule]] = {}
        for rule in rules:
            if rule.exact:
                self._exact.setdefault(rule.stem, []).append(rule)
            else:
                self._patterns.append(rule)

    def label(self, path: str, kind: str) -> str | None:
        """Return the context of a real path; None where the policy has none.

        Raises:
            ValueError: a pattern that may match cannot be read.
        """
        path = self._without_alias(path)
        for rule in reversed(self._exact.get(path, ())):
            if rule.kind in (None, kind):
                return rule.context
        for rule in self._candidates(tree.parent(path)):
            if rule.kind in (None, kind) and _matches(rule, path):
                return rule.context
        return None

    def _candidates(self, folder: str) -> list[Rule]:
        """Return the patterns that can match what is in a folder, the last first: few of the thousands there are."""
        if folder not in self._by_folder:
            inside = folder.rstrip("/") + "/"
            self._by_folder[folder] = [
                rule
                for rule in reversed(self._patterns)
                if rule.stem.startswith(inside) or inside.startswith(rule.stem)
            ]
        return self._by_folder[folder]

    def _without_alias(self, path: str) -> str:
        for prefix, other in self._aliases:
            if path == prefix or path.startswith(f"{prefix}/"):
                return other + path[len(prefix) :]
        return path


def _matches(rule: Rule, path: str) -> bool:
    if not path.startswith(rule.stem):
        return False
    try:
        return re.fullmatch(rule.pattern, path) is not None
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


def policy_type(view: View) -> str | None:
    """Return the name of the policy that a guest enforces or watches (man 5 selinux_config); None without one."""
    told = {}
    for line in (tree.read_text(view, CONFIG) or "").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            told[key.strip()] = value.strip()
    if told.get("SELINUX", "").lower() not in ("enforcing", "permissive"):
        return None
    name = told.get("SELINUXTYPE", "targeted")
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else None


@dataclass(frozen=True)
class Contexts:
    """The file contexts of a guest's policy, as text, not looked into yet."""

    rules: Sequence[str]
    aliases: Sequence[str]

    def policy(self) -> Policy:
        """Return what they say."""
        return Policy(
            [rule for text in self.rules for rule in parse_rules(text)],
            [pair for text in self.aliases for pair in parse_aliases(text)],
        )


def read_contexts(view: View, name: str) -> Contexts | None:
    """Read the file contexts of a guest's policy, or None where it has none."""
    folder = f"/etc/selinux/{name}/contexts/files"
    texts = [tree.read_text(view, f"{folder}/{file}") for file in _FILES]
    if texts[0] is None:
        return None
    aliases = (tree.read_text(view, f"{folder}/file_contexts.{file}") for file in ("subs", "subs_dist"))
    return Contexts([text for text in texts if text is not None], [text for text in aliases if text is not None])


def parse_rules(text: str) -> list[Rule]:
    """Read lines of file contexts; those that cannot be read are passed over."""
    rules = []
    for line in text.split("\n"):
        words = line.split()
        if len(words) in (2, 3) and not words[0].startswith("#"):
            kind = words[1] if len(words) == 3 else ""
            context = words[-1]
            if kind in ("", *_KINDS) and (context == _NONE or _CONTEXT.fullmatch(context)):
                rules.append(_rule(words[0], _KINDS.get(kind), None if context == _NONE else context))
    return rules


def _rule(pattern: str, kind: str | None, context: str | None) -> Rule:
    plain = _PLAIN.match(pattern)
    head = plain.group() if plain else ""
    exact = len(head) == len(pattern)
    if pattern[len(head) : len(head) + 1] in ("?", "*", "{"):  # the character before it is part of what is special
        head = head[: -2 if head[-2:-1] == "\\" else -1]
    if "|" in pattern and "|" in re.sub(r"\([^()]*\)", "", re.sub(r"\\.", "", pattern)):
        head = ""
    stem = re.sub(r"\\(.)", r"\1", head) if "\\" in head else head
    return Rule(pattern, stem, kind, context, exact)


def parse_aliases(text: str) -> list[tuple[str, str]]:
    """Read pairs of paths (file_contexts.subs): what begins with the first is treated as the second."""
    words = (line.split() for line in text.split("\n"))
    return [
        (pair[0].rstrip("/"), "" if pair[1] == "/" else pair[1].rstrip("/"))
        for pair in words
        if len(pair) == 2 and pair[0].startswith("/") and pair[1].startswith("/") and pair[0] != "/"
    ]


def label_new(plan: Plan) -> None:
    """Give all that a plan makes new the label that the guest's policy wants.

    Where that cannot be told, the guest is asked to label everything at its next boot.
    """
    new = list(_new(plan.changes()))
    name = policy_type(plan) if new else None
    if name is None:
        return
    try:
        labels = _labels(plan, name, new)
    except (ValueError, GuestError) as error:
        plan.write(AUTORELABEL, b"")
        plan.note(f"the policy {name} of SELinux cannot be read ({error}): the guest labels its files at its next boot")
        return
    for path, label in labels.items():
        if label is not None:
            plan.set_xattr(path, XATTR, label.encode() + b"\0")


def _labels(view: View, name: str, new: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    contexts = read_contexts(view, name)
    if contexts is None:
        raise ValueError("it has no file contexts")
    with _cpu_time.at_most(_SECONDS):
        policy = contexts.policy()
        return {path: policy.label(path, kind) for path, kind in new}


def _new(changes: Sequence[tree.Change]) -> Iterable[tuple[str, str]]:
    for change in changes:
        if isinstance(change, (tree.PutFile, tree.PutHostFile)) and not change.replaces:
            yield change.path, "file"
        elif isinstance(change, tree.PutDirectory):
            yield change.path, "directory"
        elif isinstance(change, tree.PutSymlink):
            yield change.path, "symlink"


__all__ = [
    "AUTORELABEL",
    "CONFIG",
    "XATTR",
    "Contexts",
    "Policy",
    "Rule",
    "label_new",
    "parse_aliases",
    "parse_rules",
    "policy_type",
    "read_contexts",
]
