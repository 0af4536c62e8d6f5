from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils import _commands
from ansible_collections.voc.cluster.plugins.module_utils._commands import Completed, Limits, Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import FileSizeError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._processes import guard
from ansible_collections.voc.cluster.tests.unit.runners import ScriptedRunner, completed

COLLECTIONS = Path(__file__).resolve().parents[3] / ".collections"

# Runs one program through the library, in a process that can be killed.
CHILD = f"""
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([{str(COLLECTIONS)!r}])
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner
PopenRunner().run(["sh", "-c", "echo $$ > " + sys.argv[1] + "; exec sleep 300"])
"""


@pytest.mark.parametrize(
    ("tool", "package"),
    [("debugfs", "e2fsprogs"), ("qemu-img", "qemu-utils"), ("bwrap", "bubblewrap"), ("no-such", "no-such")],
)
def test_a_missing_tool_names_its_package(tool: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(_commands, "_SYSTEM_FOLDERS", ())
    with pytest.raises(ToolError, match=f"{tool} is not installed; install the package {package} on the builder"):
        _commands.find(tool)


def test_tools_of_the_system_folders_are_found_whatever_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert os.access(_commands.find("mke2fs"), os.X_OK)


def test_a_failure_tells_its_status_and_last_words(runner: Runner) -> None:
    with pytest.raises(ToolError, match=r"sh failed with status 3: first; the \\x1breason"):
        runner.run(["sh", "-c", "echo first >&2; printf 'the \\033reason\\n' >&2; exit 3"])


def test_a_failure_without_words_says_so(runner: Runner) -> None:
    with pytest.raises(ToolError, match="status 1: it said nothing"):
        runner.run(["false"])


def test_a_status_that_is_accepted_is_returned(runner: Runner) -> None:
    assert runner.run(["sh", "-c", "exit 3"], accept=(0, 3)).status == 3


def test_a_program_that_takes_too_long_is_ended_whatever_status_is_accepted(runner: Runner) -> None:
    with pytest.raises(ToolError, match="sleep was ended: it took longer than 1 s; the image may be damaged or host"):
        runner.run(["sleep", "30"], limits=Limits(seconds=1, memory=1 << 30), accept=range(256))


def test_a_program_that_closes_its_output_and_goes_on_is_ended(runner: Runner) -> None:
    with pytest.raises(ToolError, match="sh was ended: it took longer than 1 s"):
        runner.run(["sh", "-c", "exec >&- 2>&-; sleep 30"], limits=Limits(seconds=1, memory=1 << 30))


def test_a_program_is_not_waited_for_because_another_holds_its_output(runner: Runner) -> None:
    begin = time.monotonic()
    done = runner.run(["sh", "-c", "sleep 8 & echo $!"], limits=Limits(seconds=30, memory=1 << 30))
    os.kill(int(done.text), signal.SIGKILL)
    assert time.monotonic() - begin < 6


@pytest.mark.parametrize("stream", [1, 2])
def test_a_program_that_prints_without_end_is_ended(runner: Runner, stream: int) -> None:
    limits = Limits(seconds=30, memory=1 << 30, output=1 << 20)
    with pytest.raises(ToolError, match="sh was ended: it wrote more than 1048576 bytes"):
        runner.run(["sh", "-c", f"exec yes >&{stream}"], limits=limits, accept=range(256))


def test_a_program_cannot_use_more_processor_time_than_its_limit(runner: Runner) -> None:
    with pytest.raises(ToolError, match="sh was ended: it used a processor for 1 s"):
        runner.run(["sh", "-c", "while :; do :; done"], limits=Limits(seconds=30, memory=1 << 30, cpu=1))


def test_a_program_cannot_use_more_memory_than_its_limit(runner: Runner) -> None:
    greedy = [sys.executable, "-c", "bytearray(2 << 30)"]
    with pytest.raises(ToolError, match="MemoryError"):
        runner.run(greedy, limits=Limits(seconds=30, memory=1 << 30))


def test_a_program_cannot_write_larger_files_than_its_limit(runner: Runner, tmp_path: Path) -> None:
    limits = Limits(seconds=30, memory=1 << 30, file_size=1 << 20)
    write = ["dd", "if=/dev/zero", f"of={tmp_path}/file", "bs=64k", "status=none"]
    runner.run([*write, "count=16"], limits=limits)
    with pytest.raises(FileSizeError, match="dd tried to write more than 1048576 bytes"):
        runner.run([*write, "count=17"], limits=limits)


def test_a_user_can_raise_limits_and_not_lower_them() -> None:
    limits = Limits(seconds=60, memory=1 << 30).raised({"seconds": 90, "memory": 1})
    assert limits == Limits(seconds=90, memory=1 << 30)


def test_a_limit_that_this_process_has_itself_is_not_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (0, 4096))
    *_guard, memory, size, cpu, hard_cpu, _path = guard(Limits(seconds=1, memory=1 << 30, cpu=60), "/dev/null")
    assert (memory, size, cpu, hard_cpu) == ("4", "8", "60", "61")


def test_a_killed_program_is_no_success_whatever_status_is_accepted(runner: Runner) -> None:
    with pytest.raises(ToolError, match="sh was killed; see whether the builder ran out of memory"):
        runner.run(["sh", "-c", "kill -9 $$"], accept=range(-64, 256))


def test_what_a_program_writes_can_be_watched(runner: Runner) -> None:
    heard: list[bytes] = []
    done = runner.run(["sh", "-c", "echo one; sleep 1.5; echo two"], watch=lambda _pid, news: heard.append(news))
    assert b"".join(heard) == done.output == b"one\ntwo\n"
    assert heard[0] == b"one\n"
    assert b"" in heard


def test_programs_speak_the_c_locale(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert runner.run(["printenv", "LC_ALL"]).text == "C\n"


def test_input_reaches_the_program_and_its_absence_is_an_end_of_file(runner: Runner) -> None:
    assert runner.run(["cat"], data=b"\0a\n").output == b"\0a\n"
    assert runner.run(["cat"]).output == b""


def test_output_that_is_no_text_can_be_shown() -> None:
    assert Completed(0, b"\xff\n", b"").text == "\ufffd\n"


def test_arguments_are_passed_as_they_are() -> None:
    runner = ScriptedRunner(("cat", completed()))
    runner.run(["cat", "$(x)", "a b"])
    assert runner.calls == [["cat", "$(x)", "a b"]]


def test_a_program_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", CHILD, str(note)]) as parent:
        pid = int(_wait_for(lambda: note.exists() and note.read_text()))
        assert _alive(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert _wait_for(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _wait_for(question):
    deadline = time.monotonic() + 10
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return answer


def test_a_program_that_is_missing_answers_nothing(runner: Runner) -> None:
    with pytest.raises(ToolError, match="no-such is not installed"), runner.converse(["no-such"]):
        pass


def test_requests_are_answered_by_one_process(runner: Runner) -> None:
    script = 'while read -r line; do echo "$$ $line"; echo "about $line" >&2; echo .; done'
    with runner.converse(["sh", "-c", script]) as program:
        first = program.ask(b"one\n", b".\n")
        second = program.ask(b"two\n", b".\n")
    (pid, word), (same, other) = first[0].split(), second[0].split()
    assert (pid, word, other) == (same, b"one", b"two")
    assert (first[1], second[1]) == (b"about one\n", b"about two\n")
    assert _wait_for(lambda: not _alive(int(pid)))


def test_neither_side_of_a_conversation_waits_for_the_other(runner: Runner) -> None:
    request = b"x" * (1 << 20) + b"\n"
    with runner.converse(["sed", "-u", "s/$/./"]) as program:
        answer, _errors = program.ask(request * 4 + b"end\n", b"end.\n")
    assert len(answer) == 4 * (len(request) + 1)


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("sleep 30", "sh was ended: it took longer than 1 s"),
        ("exec yes", "sh was ended: it wrote more than 65536 bytes"),
        ("echo gone >&2", r"sh has ended \(gone\)"),
    ],
)
def test_a_program_that_does_not_answer_is_ended(runner: Runner, script: str, complaint: str) -> None:
    limits = Limits(seconds=1, memory=1 << 30, output=1 << 16)
    with runner.converse(["sh", "-c", script], limits) as program, pytest.raises(ToolError, match=complaint):
        program.ask(b"hello\n", b"never\n")


def test_a_conversation_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = CHILD.rpartition("PopenRunner().run")[0] + (
        'with PopenRunner().converse(["cat"]) as program:\n'
        '    program.ask(b"x\\n", b"x\\n")\n'
        "    open(sys.argv[1], 'w').write(str(program._process.pid))\n"
        "    import time; time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", child, str(note)]) as parent:
        pid = int(_wait_for(lambda: note.exists() and note.read_text()))
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert _wait_for(lambda: not _alive(pid))
