"""What the connection asks the builder for, and what it makes of the answer."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

from ansible_collections.voc.cluster.plugins.module_utils._session import entry, records, tools

IMAGE = "/srv/work/disk.raw"
ENTER = f"{records.folder_of(IMAGE)}/enter"


class Builder:
    """Answers as a builder would, by a function."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bytes | None]] = []

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        assert not sudoable
        self.asked.append((cmd, in_data))
        return self.answer(cmd, in_data)


def connection(answer: Any, **variables: object) -> tuple[Any, Builder]:
    plugin = connection_loader.get("voc.cluster.image", PlayContext(), task_uuid="", ansible_playbook_pid="")
    plugin.set_options(var_options={"image_work": IMAGE, **variables})
    builder = Builder(answer)
    plugin._builder = builder
    return plugin, builder


def ok(output: bytes = b"") -> Any:
    return lambda _command, _data: (0, output, b"")


def test_a_command_is_one_command_on_the_builder() -> None:
    plugin, builder = connection(ok(b"out"))
    assert plugin.exec_command("echo 'it''s'", in_data=b"input") == (0, b"out", b"")
    ((command, data),) = builder.asked
    assert shlex.split(command)[-3:] == ["/bin/sh", ENTER, "echo 'it''s'"]
    assert data == b"input"


def test_a_builders_user_who_is_not_root_enters_by_sudo() -> None:
    plugin, builder = connection(ok(), image_builder_become=True)
    plugin.exec_command("true")
    assert builder.asked[0][0].endswith(f" sudo -n /bin/sh {ENTER} true")


@pytest.mark.parametrize(
    ("status", "errors"),
    [
        (entry.STATUS, entry.ENDED),
        (2, f"/bin/sh: 0: cannot open {ENTER}: No such file"),
        (127, f"/bin/sh: {ENTER}: No such file or directory"),
    ],
)
def test_without_a_session_there_is_no_connection(status: int, errors: str) -> None:
    plugin, _builder = connection(lambda _command, _data: (status, b"", errors.encode()))
    with pytest.raises(AnsibleConnectionFailure, match=rf"no session of {IMAGE} is open on localhost; open one"):
        plugin.exec_command("true")


def test_a_command_that_fails_is_no_broken_connection() -> None:
    for status in (1, 2, 127, entry.STATUS, 255):
        plugin, _builder = connection(lambda _command, _data, status=status: (status, b"", b"it says"))
        assert plugin.exec_command("false")[0] == status


def test_a_file_goes_in_by_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, builder = connection(ok())
    monkeypatch.setattr(sys.modules[type(plugin).__module__], "_PIECE", 4)
    (tmp_path / "file").write_bytes(b"123456789")
    plugin.put_file(str(tmp_path / "file"), "/opt/my file")
    assert [data for _command, data in builder.asked] == [None, b"1234", b"5678", b"9"]
    assert all("/opt/my file" in command for command, _data in builder.asked)


def entered(folder: Path, script: str) -> Any:
    """Answer as a builder does on which this script enters the session."""
    (folder / "enter").write_text(script)

    def answer(command: str, data: bytes | None) -> tuple[int, bytes, bytes]:
        words = ["/bin/sh", "-c", command.replace(ENTER, str(folder / "enter"))]
        done = subprocess.run(words, input=data, capture_output=True, check=False, timeout=20)
        return done.returncode, done.stdout, done.stderr

    return answer


def test_a_file_comes_out_by_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"123456789")
    plugin, builder = connection(entered(tmp_path, 'eval "$1"'))
    monkeypatch.setattr(sys.modules[type(plugin).__module__], "_PIECE", 4)
    plugin.fetch_file(str(tmp_path / "file"), str(tmp_path / "fetched"))
    assert (tmp_path / "fetched").read_bytes() == b"123456789"
    assert len(builder.asked) == 4
    with pytest.raises(AnsibleError, match="/none of the image could not be copied"):
        plugin.fetch_file("/none", str(tmp_path / "fetched"))


def test_a_command_has_its_input_its_output_and_its_status(tmp_path: Path) -> None:
    plugin, _builder = connection(entered(tmp_path, 'eval "$1"'))
    assert plugin.exec_command("cat; echo no >&2; exit 7", in_data=b"yes") == (7, b"yes", b"no\n")


@pytest.mark.parametrize("words", ["yes", "yes >&2"])
def test_a_command_that_never_stops_talking_is_ended(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, _builder = connection(entered(tmp_path, 'eval "$1"'))
    monkeypatch.setattr(sys.modules[type(plugin).__module__], "_MOST", 1000)
    assert plugin.exec_command("yes | head -c 1000")[1] == b"y\n" * 500
    with pytest.raises(AnsibleError, match=f"a command in {IMAGE} was ended: it wrote more than 1000 bytes"):
        plugin.exec_command(words)


@pytest.mark.parametrize("told", ["echo 10", "echo 0", "yes"])
def test_a_guest_that_never_stops_is_cut_off(told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = f"case $1 in *stat*) {told};; *) yes | tee /dev/stderr; exit 1;; esac"
    plugin, _builder = connection(entered(tmp_path, endless))
    monkeypatch.setattr(sys.modules[type(plugin).__module__], "_PIECE", 4)
    with pytest.raises(AnsibleError, match="/opt/file of the image could not be copied"):
        plugin.fetch_file("/opt/file", str(tmp_path / "fetched"))


@pytest.mark.parametrize(("told", "words"), [("many", "its size is b'many"), ("9000000000000000000", "has no room")])
def test_a_size_that_cannot_be_is_refused(told: str, words: str, tmp_path: Path) -> None:
    plugin, _builder = connection(entered(tmp_path, f"echo {told}"))
    with pytest.raises(AnsibleError, match=words):
        plugin.fetch_file("/opt/file", str(tmp_path / "fetched"))
    assert not (tmp_path / "fetched").exists()


def test_a_session_that_ends_meanwhile_is_told(tmp_path: Path) -> None:
    plugin, _builder = connection(entered(tmp_path, f"echo {entry.ENDED!r} >&2; exit {entry.STATUS}"))
    with pytest.raises(AnsibleConnectionFailure, match="no session of"):
        plugin.fetch_file("/opt/file", str(tmp_path / "fetched"))


def test_what_cannot_be_copied_is_named(tmp_path: Path) -> None:
    plugin, _builder = connection(lambda _command, _data: (1, b"", b"sh: cannot create /x: Is a directory\n"))
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(AnsibleError, match="/x of the image could not be copied: sh: cannot create"):
        plugin.put_file(str(tmp_path / "file"), "/x")


def test_what_nobody_has_set_is_such_that_nothing_stays_in_the_image() -> None:
    plugin, _builder = connection(ok())
    variables: dict[str, Any] = {
        "hostvars": {},
        "ansible_remote_tmp": "/mine",
        "ansible_python_interpreter": "/host/python",
    }
    plugin._resolve_option_variables(variables, None)
    assert variables["ansible_python_interpreter"] == tools.INTERPRETER
    assert variables["ansible_async_dir"] == tools.WORK
    assert variables["ansible_remote_tmp"] == "/mine"


def test_an_unknown_builder_is_named() -> None:
    plugin, _builder = connection(ok(), image_builder="nowhere")
    plugin._builder = None
    with pytest.raises(AnsibleConnectionFailure, match="'nowhere' is not in the inventory"):
        plugin.exec_command("true")
