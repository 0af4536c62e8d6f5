from __future__ import annotations

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed


def _argv(*, network: bool, environment: dict[str, str] | None = None) -> list[str]:
    runner = ScriptedRunner(("bwrap", completed()))
    Sandbox(runner, "/guest", network).run(["id", "-u"], environment)
    return runner.calls[0]


def _after(argv: list[str], word: str) -> list[str]:
    return [argv[at + 1] for at, seen in enumerate(argv) if seen == word]


def test_the_program_comes_last_and_is_no_option_of_the_sandbox() -> None:
    assert _argv(network=False)[-3:] == ["--", "id", "-u"]


def test_every_namespace_is_private_and_the_network_unless_asked_for() -> None:
    argv = _argv(network=False)
    assert {"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--unshare-net"} <= set(argv)
    assert "--unshare-net" not in _argv(network=True)
    assert {"--die-with-parent", "--new-session"} <= set(argv)


def test_the_guest_sees_its_own_tree_and_nothing_else_of_the_builder() -> None:
    argv = _argv(network=True)
    at = argv.index("--bind")
    assert argv[at : at + 3] == ["--bind", "/guest", "/"]
    assert [word for word in argv if "bind" in word and "--ro-" not in word] == ["--bind"]
    assert _after(argv, "--tmpfs") == ["/run", "/tmp"]
    assert _after(argv, "--dev") == ["/dev"]


def test_only_what_package_managers_need_is_allowed() -> None:
    argv = _argv(network=False)
    assert _after(argv, "--cap-drop") == ["ALL"]
    added = set(_after(argv, "--cap-add"))
    assert "CAP_CHOWN" in added
    assert not added & {"CAP_MKNOD", "CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_SYS_MODULE"}


def test_nothing_of_the_builders_environment_gets_in_but_proxies_with_the_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    argv = _argv(network=False, environment={"DEBIAN_FRONTEND": "noninteractive"})
    assert "--clearenv" in argv
    assert set(_after(argv, "--setenv")) == {"HOME", "LANG", "PATH", "SYSTEMD_OFFLINE", "DEBIAN_FRONTEND"}
    assert "https_proxy" in _after(_argv(network=True), "--setenv")
    assert "SECRET_TOKEN" not in argv


def test_a_program_that_fails_is_an_error() -> None:
    runner = ScriptedRunner(("bwrap", completed(1, errors=b"no\n")))
    with pytest.raises(ToolError, match="status 1: no"):
        Sandbox(runner, "/guest", network=False).run(["false"])
