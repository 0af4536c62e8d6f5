from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import InputError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Lasting, Sandbox
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

NETWORK = "/proc/1/fd/9"


def _box(*, network: bool = False) -> Sandbox:
    return Sandbox(ScriptedRunner(), "/guest", NETWORK if network else None)


def _argv(*, network: bool = False, environment: dict[str, str] | None = None) -> list[str]:
    with _box(network=network).command(["id", "-u"], environment) as argv:
        return argv


def _variables(*, network: bool = False, environment: dict[str, str] | None = None) -> list[bytes]:
    # The first file that is opened is handed over as the descriptor of --args.
    with _box(network=network).command(["id", "-u"], environment) as argv, open(argv[4], "rb") as file:
        return file.read().split(b"\0")[:-1]


def _after(argv: list[str], word: str) -> list[str]:
    return [argv[at + 1] for at, seen in enumerate(argv) if seen == word]


def test_the_program_comes_last_and_is_no_option_of_the_sandbox() -> None:
    assert _argv()[-3:] == ["--", "id", "-u"]


def test_every_namespace_is_private_and_the_network_is_never_the_builders() -> None:
    argv = _argv()
    assert {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"} <= set(argv)
    assert {"--die-with-parent", "--new-session"} <= set(argv)
    connected = _argv(network=True)
    assert "--unshare-net" not in connected
    at = connected.index(f"--net={NETWORK}")
    assert connected[at - 1].endswith("/nsenter")
    assert connected[at + 2].endswith("/bwrap")


def test_the_guest_sees_its_own_tree_and_nothing_else_of_the_builder() -> None:
    argv = _argv(network=True)
    at = argv.index("--bind")
    assert argv[at : at + 3] == ["--bind", "/guest", "/"]
    assert [word for word in argv if "bind" in word and "--ro-" not in word and "--dev-" not in word] == ["--bind"]
    assert {argv[at + 1] for at, word in enumerate(argv) if word == "--dev-bind"} <= {"/dev/null"}


@pytest.mark.parametrize("lasting", [None, Lasting(0, "guest")])
def test_no_path_that_the_guest_can_replace_is_mounted_on(lasting: Lasting | None) -> None:
    """Its links would lead to the builder."""
    with Sandbox(ScriptedRunner(), "/guest", NETWORK, lasting).command(["true"]) as argv:
        options = argv[argv.index("--bind") + 3 : argv.index("--cap-drop")]
    assert {word for word in options if word.startswith("/")} >= {"/dev", "/proc"}
    own = ("/dev", "/dev/null", "/proc")
    assert all(word in own or word.startswith("/proc/") for word in options if word.startswith("/"))


def test_only_what_package_managers_need_is_allowed() -> None:
    argv = _argv()
    assert _after(argv, "--cap-drop") == ["ALL"]
    added = set(_after(argv, "--cap-add"))
    assert "CAP_CHOWN" in added
    assert not added & {"CAP_MKNOD", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE"}
    assert _after(argv, "--seccomp") == ["4"]


def test_nothing_of_the_builders_environment_gets_in_but_proxies_with_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    assert "--clearenv" in _argv()
    words = _variables(environment=environment)
    assert set(words[::3]) == {b"--setenv"}
    assert set(words[1::3]) == {b"HOME", b"LANG", b"PATH", b"SYSTEMD_OFFLINE", b"DEBIAN_FRONTEND"}
    assert b"https_proxy" in _variables(network=True)
    assert b"SECRET_TOKEN" not in words


def test_variables_are_not_shown_to_other_users_of_the_builder() -> None:
    argv = _argv(environment={"TOKEN": "voc-secret"})
    assert not [word for word in argv if "voc-secret" in word]
    assert b"voc-secret" in _variables(environment={"TOKEN": "voc-secret"})


@pytest.mark.parametrize(
    "given",
    [
        {"environment": {"A": "x\0--bind\0/\0/mnt"}},
        {"environment": {"A\0x\0--bind\0/\0/mnt": ""}},
        {"directory": "/\0"},
    ],
)
def test_a_variable_cannot_become_an_option_of_the_sandbox(given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="null character"), _box().command(["id"], **given):
        pytest.fail("it was taken")


def test_a_null_character_in_a_command_is_one_sentence() -> None:
    with pytest.raises(InputError, match="null character"):
        _box().run(["printf", "a\0b"])


def test_a_program_that_fails_is_an_error_that_names_it() -> None:
    runner = ScriptedRunner(("sh", completed(1, errors=b"no\n")))
    with pytest.raises(ToolError, match="the guest's false failed with status 1: no"):
        Sandbox(runner, "/guest").run(["false"])
