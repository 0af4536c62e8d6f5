from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError
from ansible_collections.voc.cluster.plugins.module_utils._guest import environment
from ansible_collections.voc.cluster.plugins.module_utils._guest.plan import Plan
from ansible_collections.voc.cluster.tests.unit.memory_tree import MemoryTree

VALUES = [
    "/grid/app",
    "it's",
    '"q"',
    "100%",
    r"back\slash",
    "$HOME `id` $(id)",
    "a b  c",
    "é\u2028\x85",
    "",
    "'",
    "\\'",
]


def _in_shell(folder: Path, script: str, name: str) -> str:
    path = folder / "env.sh"
    path.write_text(script)
    done = subprocess.run(["sh", "-c", f'. "$0"; printf %s "${name}"', path], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("value", VALUES)
def test_a_shell_reads_the_value_that_was_given(value: str, tmp_path: Path) -> None:
    assert _in_shell(tmp_path, environment.shell({"X": value, "Y": "other"}), "X") == value


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])))
def test_a_shell_reads_any_value(tmp_path_factory, value: str) -> None:
    assert _in_shell(tmp_path_factory.mktemp("shell"), environment.shell({"X": value}), "X") == value


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True), st.sampled_from(VALUES) | st.text()))
def test_variables_come_back_over_several_edits(variables: dict[str, str]) -> None:
    plan = Plan(MemoryTree())
    accepted = {}
    for name, value in variables.items():
        try:
            environment.set_variables(plan, {name: value})
        except InputError:
            continue
        accepted[name] = value
    text = plan.read(environment.SHELL_PATH).decode("utf-8", "surrogateescape") if accepted else ""
    assert environment.parse_shell(text) == accepted


def test_services_get_values_as_systemd_quotes_them() -> None:
    text = environment.services({"B": 'a "b" \\ 100%', "A": "$x"})
    assert text.splitlines()[1:] == [
        "[Manager]",
        'DefaultEnvironment="A=$x"',
        'DefaultEnvironment="B=a \\"b\\" \\\\ 100%%"',
    ]


def test_services_of_users_get_values_as_environment_d_quotes_them() -> None:
    text = environment.users({"B": 'a "b" \\ 1', "A": "$x"})
    assert text.splitlines()[1:] == ['A="\\$\\$x"', 'B="a \\"b\\" \\\\ 1"']


def test_each_init_and_shell_of_the_guest_is_told() -> None:
    openrc = MemoryTree({"/sbin/init": "", "/sbin/openrc": "", "/etc/rc.conf": "#rc_sys\n", "/bin/tcsh": ""})
    plan = Plan(openrc)
    environment.set_variables(plan, {"A": "it's!"})
    plan.apply()
    assert openrc.text(environment.OPENRC_PATH) == (
        "#rc_sys\n# BEGIN voc.cluster\nexport A='it'\\''s!'\n# END voc.cluster\n"
    )
    assert openrc.text(environment.CSH_PATH).endswith("\nsetenv A 'it'\\''s\\!'\n")
    assert openrc.lstat(environment.SERVICES_PATH) is None
    plan = Plan(MemoryTree({"/sbin/init": "", "/sbin/initctl": ""}))
    environment.set_variables(plan, {"A": "1"})
    assert [change.path for change in plan.changes()] == ["/etc", "/etc/profile.d", environment.SHELL_PATH]
    assert "services that upstart starts have no common environment" in plan.notes[0]


def test_a_variable_can_be_taken_away() -> None:
    plan = Plan(MemoryTree())
    environment.set_variables(plan, {"A": "1", "B": "2"})
    environment.set_variables(plan, {"A": None})
    assert environment.parse_shell(plan.read(environment.SHELL_PATH).decode()) == {"B": "2"}


def test_variables_that_are_set_already_change_nothing() -> None:
    guest = MemoryTree()
    plan = Plan(guest)
    environment.set_variables(plan, {"A": "1", "B": "it's"})
    plan.apply()
    again = Plan(guest)
    environment.set_variables(again, {"B": "it's"})
    assert again.changes() == []


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A=B", "A\n", "é", "A;id"])
def test_a_name_that_no_shell_has_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="not the name of an environment variable"):
        environment.set_variables(Plan(MemoryTree()), {name: "x"})


@pytest.mark.parametrize("value", ["a\nb", "\0", "\x1b[1m", "\r"])
def test_a_value_with_a_control_character_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="the value of A contains a control character"):
        environment.set_variables(Plan(MemoryTree()), {"A": value})
