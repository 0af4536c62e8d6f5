"""What users ask for, and what is left to be done of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._packages import model
from ansible_collections.voc.cluster.plugins.module_utils._packages.apt import Apt
from ansible_collections.voc.cluster.plugins.module_utils._packages.dnf import Dnf
from ansible_collections.voc.cluster.plugins.module_utils._packages.model import Change, Request, Step
from ansible_collections.voc.cluster.plugins.module_utils._packages.pacman import Pacman

VERSIONS = st.dictionaries(st.text(min_size=1), st.text(min_size=1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bash", Request("bash")),
        ("libstdc++6:i386", Request("libstdc++6:i386")),
        ("@development-tools", Request("@development-tools")),
        ("condor=24.*", Request("condor", "24.*")),
        ("openssl=1:3.0.7-2.el9", Request("openssl", "1:3.0.7-2.el9")),
        ("*", Request("*")),
        ("/srv/a b/x_1.deb", Request("/srv/a b/x_1.deb", file="/srv/a b/x_1.deb")),
        ("/usr/bin/perl", Request("/usr/bin/perl")),
    ],
)
def test_a_package_is_read(text: str, expected: Request) -> None:
    assert model.parse_request(text, [".deb"]) == expected


@pytest.mark.parametrize("text", ["", "-y", "--root=/", "a b", "a;b", "a=", "a=-x", "a\nb", "=1", "**", "a`b`", "$(x)"])
def test_what_is_no_package_never_becomes_a_word_of_a_command(text: str) -> None:
    with pytest.raises(InputError, match="is not a package"):
        model.parse_request(text, [".deb"])


@pytest.mark.parametrize("text", ["openssh-server-", "openssh-server:amd64-", "bash=5.2-", "bash-=5.2"])
def test_no_package_is_removed_where_one_is_wanted(text: str) -> None:
    """apt removes what a name with a dash at its end names, unless there is a package of that very name."""
    with pytest.raises(InputError, match="is not a package"):
        model.parse_request(text, [".deb"])


def test_a_plus_belongs_to_a_name() -> None:
    assert model.parse_request("g++", [".deb"]).name == "g++"


@given(st.text())
def test_whatever_is_accepted_is_no_option_and_one_word(text: str) -> None:
    try:
        request = model.parse_request(text, [])
    except InputError:
        return
    assert not request.name.startswith("-")
    assert request.name.split() == [request.name]
    assert not (request.version or "").startswith("-")
    assert not request.name.endswith("-") or request.file


@pytest.mark.parametrize(
    ("installed", "wanted", "same"),
    [
        ("1:2.3-4.el9", "1:2.3-4.el9", True),
        ("1:2.3-4.el9", "2.3-4.el9", True),
        ("1:2.3-4.el9", "2.3", True),
        ("1:2.3-4.el9", "1:2.3", True),
        ("2.3-4.el9", "2.*", True),
        ("2.3-4.el9", "2", False),
        ("2.3-4.el9", "2:2.3", False),
        ("2.3-4.el9 2.4-1.el9", "2.4", True),
    ],
)
def test_a_version_may_leave_out_epoch_and_release(installed: str, wanted: str, same: bool) -> None:
    assert Dnf("dnf").is_version(installed, wanted) == same
    if " " not in installed:
        assert Pacman("pacman").is_version(installed, wanted) == same


def test_apt_takes_versions_whole() -> None:
    assert Apt("apt").is_version("1:2.3-4", "1:2.3*")
    assert not Apt("apt").is_version("1:2.3-4", "2.3-4")


def test_what_is_there_in_the_wanted_version_is_not_pending() -> None:
    installed = {"a": "1-1", "b": "2-1"}
    wanted = [Request("a"), Request("b", "3"), Request("c"), Request("/x.rpm", file="/x.rpm")]
    manager = Dnf("dnf")
    assert [one.name for one in model.pending(manager, model.PRESENT, wanted, installed)] == ["b", "c", "/x.rpm"]
    assert [one.name for one in model.pending(manager, model.ABSENT, wanted, installed)] == ["a"]
    assert model.pending(manager, model.LATEST, wanted, installed) == wanted


@given(VERSIONS, VERSIONS)
def test_differences_lead_from_one_to_the_other(before: dict[str, str], after: dict[str, str]) -> None:
    result = dict(before)
    for change in model.differences(before, after):
        assert change.before != change.after
        if change.after is None:
            del result[change.name]
        else:
            result[change.name] = change.after
    assert result == after
    assert model.differences(after, after) == []


def test_differences_are_told_by_name() -> None:
    changes = model.differences({"gone": "1", "old": "1", "same": "1"}, {"new": "2", "old": "2", "same": "1"})
    assert changes == [Change("gone", "1", None), Change("new", None, "2"), Change("old", "1", "2")]


def test_a_status_is_no_failure_where_the_program_says_so() -> None:
    step = Step(("dnf",), unless="Operation aborted")
    assert step.has_succeeded(0, "")
    assert step.has_succeeded(1, "Operation aborted.\n")
    assert not step.has_succeeded(1, "Error: no such package\n")
