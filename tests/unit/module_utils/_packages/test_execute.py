from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, SpaceError
from ansible_collections.voc.cluster.plugins.module_utils._packages.execute import Order, choose, failure
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import Step
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree
from ansible_collections.voc.cluster.tests.unit.runners import completed

FETCH = Step(("apt-get", "update"), network=True)


@pytest.mark.parametrize(
    "said",
    [
        b"E: The repository 'http://old.example jessie Release' no longer has a Release file.\n",
        b"E: Failed to fetch http://old.example/dists/x/InRelease  404  Not Found [IP: 192.0.2.1 80]\n",
        b"Cannot find a valid baseurl for repo: base/6/x86_64\n",
        b"Error: Failed to download metadata for repo 'appstream': All mirrors were tried\n",
    ],
)
def test_sources_that_are_gone_are_told_in_one_sentence(said: bytes) -> None:
    error = failure(FETCH, completed(100, errors=said))
    assert isinstance(error, GuestError)
    assert "cannot get what its package sources name" in str(error)
    assert "archive" in str(error)


def test_a_full_image_is_told() -> None:
    error = failure(Step(("dpkg",)), completed(1, errors=b"dpkg: error: write: No space left on device\n"))
    assert isinstance(error, SpaceError)
    assert "larger disk" in str(error)


def test_any_other_failure_is_told_in_the_managers_own_words() -> None:
    error = failure(FETCH, completed(100, errors=b"E: Unable to locate package zsh\n"))
    assert "the guest's apt-get failed with status 100: E: Unable to locate package zsh" in str(error)


@pytest.mark.parametrize(
    ("path", "name", "program"),
    [
        ("/usr/bin/dnf", "dnf", "dnf"),
        ("/usr/bin/dnf5", "dnf", "dnf5"),
        ("/usr/bin/yum", "yum", "yum"),
        ("/sbin/apk", "apk", "apk"),
    ],
)
def test_the_program_is_the_one_that_the_guest_has(path: str, name: str, program: str) -> None:
    assert choose(MemoryTree({path: ""}), name, Order("present", ("a",))).program == program
