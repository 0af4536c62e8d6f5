"""What a guest is lent, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox
from ansible_collections.voc.cluster.plugins.module_utils._session import tools
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed


@pytest.mark.parametrize(("ansible", "oldest"), [("2.19.14", (3, 8)), ("2.20.0", (3, 9)), ("2.21.5rc1", (3, 9))])
def test_the_oldest_python_is_that_of_ansibles_modules(ansible: str, oldest: tuple[int, int]) -> None:
    assert tools.oldest_python(ansible) == oldest


def found(*answers: str) -> str | None:
    """Return which Python is chosen when /bin/sh runs and the candidates answer so."""
    runner = ScriptedRunner(("sh", completed()), *(("sh", completed(output=text.encode())) for text in answers))
    return tools._guests_python(Sandbox(runner, "/mnt"), (3, 9))


def test_the_guests_own_python_is_taken_when_it_is_recent_enough() -> None:
    assert found("python 3 9\n") == "/usr/bin/python3"
    assert found("python 3 6\n", "python 3 13\n") == "/usr/local/bin/python3"
    assert found("python 3 8\n", "", "python 2 7\n") is None


@pytest.mark.parametrize("lie", ["python 3 99999", "python 3 10; rm -rf /", "3 10", "python 3 10 extra"])
def test_what_a_guest_answers_is_a_version_or_nothing(lie: str) -> None:
    assert found(lie, "", "") is None


def test_a_guest_of_another_architecture_is_refused() -> None:
    runner = ScriptedRunner(("sh", completed(status=1)))
    with pytest.raises(GuestError, match="architecture"):
        tools._guests_python(Sandbox(runner, "/mnt"), (3, 9))


def test_the_guests_python_is_started_by_its_own_name(tmp_path: Path) -> None:
    """So what it installs names itself, and not what is gone when the session ends."""
    runner = ScriptedRunner(("sh", completed()), ("sh", completed(output=b"python 3 13\n")))
    assert tools.prepare(runner, Sandbox(runner, "/mnt"), tmp_path / "tools", (3, 9)) == "guest"
    assert 'exec /usr/bin/python3 "$@"' in (tmp_path / "tools" / "python3").read_text()


def test_the_libraries_that_ldd_names_are_found() -> None:
    text = (
        "/usr/bin/python3.11:\n\tlinux-vdso.so.1 (0x00007ffd)\n"
        "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n"
        "\tlibgone.so.1 => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"
    )
    assert tools._LINKED.findall(text) == ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]
