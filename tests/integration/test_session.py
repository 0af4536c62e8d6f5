"""A session lasts as long as it should and no longer, and whoever is inside reaches nothing else."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner, find
from ansible_collections.voc.cluster.plugins.module_utils._errors import ImageError
from ansible_collections.voc.cluster.plugins.module_utils._session import entry, records, tools
from ansible_collections.voc.cluster.plugins.module_utils._session.holder import Request
from ansible_collections.voc.cluster.plugins.module_utils._session.lifetime import close, open_session, settled
from ansible_collections.voc.cluster.plugins.module_utils._session.owner import Owner
from ansible_collections.voc.cluster.plugins.module_utils._session.records import Record
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

from .machine import left_behind, loop_devices, tool

pytestmark = pytest.mark.root

SECONDS = 20
LONG = 600


@pytest.fixture(scope="module")
def image(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("session") / "guest.img"
    tool("cp", "--sparse=always", sample, copy)
    return copy


def request(image: Path, *, owner: Owner | None = None, idle: int = LONG, network: bool = False) -> Request:
    return Request(str(image), None, network, owner, idle, (3, 9))


@contextmanager
def opened(runner: Runner, wanted: Request) -> Iterator[Record]:
    record = open_session(runner, wanted)
    try:
        yield record
    finally:
        close(wanted.image, records.find(wanted.image))


@pytest.fixture(scope="module")
def session(runner: Runner, image: Path) -> Iterator[Record]:
    with opened(runner, request(image)) as record:
        yield record


def enter(image: Path | str, command: str) -> subprocess.CompletedProcess[str]:
    script = f"{records.folder_of(str(image))}/{records.ENTER}"
    return subprocess.run(
        ["sh", script, command], capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
    )


def said(session: Record, command: str) -> str:
    done = enter(session.image, command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def assert_nothing_is_left(image: Path, record: Record) -> None:
    wait_until(lambda: records.find(str(image)) is None)
    wait_until(lambda: not Path(f"/proc/{record.pid}").exists() or state_of(record.pid) == "Z")
    assert not left_behind(lambda: loop_devices((image,)), set())


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# What it is like inside.


def test_a_command_has_its_input_its_output_and_its_status(session: Record) -> None:
    script = f"{records.folder_of(session.image)}/{records.ENTER}"
    command = ["sh", script, "tr a-z A-Z; echo no >&2; exit 7"]
    done = subprocess.run(command, input=b"yes", capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, b"YES", b"no\n")


def test_what_is_below_run_and_tmp_and_background_jobs_last_between_commands(session: Record) -> None:
    said(session, "echo kept > /run/kept; echo kept > /tmp/kept; setsid sleep 4243 </dev/null >/dev/null 2>&1 &")
    assert said(session, "cat /run/kept /tmp/kept") == "kept\nkept\n"
    assert "4243" in said(session, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    said(session, "kill -KILL -1; true")
    assert "4243" not in said(session, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_orphans_are_buried(session: Record) -> None:
    said(session, "for i in 1 2 3; do setsid true & done; sleep 0.2")
    assert " Z " not in said(session, "cat /proc/[0-9]*/stat")


def test_the_host_is_the_guests(session: Record) -> None:
    assert said(session, "uname -n; hostname").split() == ["starworker", "starworker"]


def test_the_lent_python_works_and_starts_itself(session: Record) -> None:
    assert session.python == "builder"
    code = """
import ctypes, pwd, sqlite3, ssl, subprocess, sys
print(pwd.getpwnam("messagebus").pw_dir, flush=True)
subprocess.run([sys.executable, "-c", "print(__import__('sys').prefix)"], check=True)
"""
    done = said(session, f"/run/voc-cluster/python3 -c {shlex.quote(code)}")
    assert done.split() == ["/nonexistent", "/run/voc-cluster/python"]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ("-H -S -n -u backup", "backup /var/backups"),
        ("-nHu backup --", "backup /var/backups"),
        ("--user=backup WHO=me", "backup /var/backups me"),
        ("-n", "root /root"),
    ],
)
def test_root_becomes_a_guests_user_by_what_stands_in_for_sudo(session: Record, options: str, shown: str) -> None:
    assert said(session, f"sudo {options} sh -c 'echo $(id -un) $HOME $WHO'").strip() == shown


def test_a_user_does_not_become_root_again(session: Record) -> None:
    done = enter(session.image, "sudo -u backup sudo -u root id; sudo -u backup su -c id")
    assert "uid=0" not in done.stdout


# What is out of reach.


def test_no_process_but_the_guests_is_seen_or_reached(session: Record) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            seen = said(session, "for p in /proc/[0-9]*; do echo ${p#/proc/} $(cat $p/comm); done")
            names = {line.split()[1] for line in seen.splitlines() if len(line.split()) == 2}
            assert names <= {"init", "sh", "cat"}
            assert "No such process" in enter(session.image, f"kill -KILL {bystander.pid} {session.pid}").stderr
            said(session, "kill -KILL 1; kill -INT 1; kill -TERM 1; kill -HUP 1; kill -KILL -1; true")
            assert bystander.poll() is None
            assert said(session, "echo alive") == "alive\n"
        finally:
            bystander.kill()


def test_the_process_that_keeps_the_session_shows_nothing_of_the_builder(session: Record) -> None:
    for name in ("root/etc/shadow", "cwd/", "exe", "environ", "fd/0", "maps", "mem", "map_files/", "task/1/root/etc"):
        assert enter(session.image, f"head -c 1 /proc/1/{name}").returncode != 0, name
    assert said(session, "cat /proc/1/mounts /proc/1/mountinfo") == ""
    assert said(session, "cat /proc/1/net/unix | wc -l").strip() == "1"
    assert said(session, "cat /proc/net/unix | wc -l").strip() == "1"


def test_a_command_holds_no_file_but_its_own(session: Record) -> None:
    assert said(session, "echo /proc/self/fd/*").split() == [f"/proc/self/fd/{number}" for number in (0, 1, 2, 3)]
    assert "pid:" not in said(session, "ls -l /proc/self/fd")


def test_the_program_that_makes_sandboxes_cannot_be_written_to(session: Record) -> None:
    """While it gives up its rights it is a process like the guest's, and shows its file in /proc."""
    mounts = [line.split() for line in Path(f"/proc/{session.pid}/mountinfo").read_text().splitlines()]
    options = {words[4]: words[5].split(",") for words in mounts}
    assert "ro" in options[os.path.realpath(find("bwrap"))]


def test_what_ansible_is_lent_can_only_be_read(session: Record) -> None:
    for path in ("/run/voc-cluster/python3", "/run/voc-cluster/bin/sudo", "/run/voc-cluster/python/lib/python*/os.py"):
        done = enter(session.image, f"for f in {path}; do echo captured >> $f; done")
        assert "Read-only" in done.stderr
    assert "site-packages" not in said(session, "/run/voc-cluster/python3 -c 'import pip' 2>&1 || true")


def test_devices_of_the_builder_keep_their_rights(session: Record) -> None:
    before = os.stat("/dev/null").st_mode
    try:
        enter(session.image, "chmod 600 /dev/null")
        assert os.stat("/dev/null").st_mode == before
    finally:
        os.chmod("/dev/null", 0o666)


def test_files_of_the_builder_are_out_of_reach(session: Record, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("the builder's own\n")
    for place in (canary, f"/proc/1/root{canary}", f"/run/voc-cluster/../..{canary}"):
        assert "own" not in enter(session.image, f"cat {place}").stdout
    assert not enter(session.image, f"ls {records.folder_of(session.image)}").stdout


def test_a_background_job_leads_no_command_out_of_the_guest(runner: Runner, fresh: Path, tmp_path: Path) -> None:
    """While bwrap sets up it finds the builder below /oldroot, and a job of the guest's changes what is on the way."""
    builders = tmp_path / "builders"
    builders.mkdir()
    job = f"""
import ctypes, os
os.symlink("/oldroot{builders}", "/usr/aside")
exchange = lambda one, other: ctypes.CDLL(None).renameat2(-100, one, -100, other, 2)
while True:
    for place in b"/usr/sbin", b"/dev", b"/proc", b"/run", b"/tmp", b"/run/voc-cluster":
        exchange(b"/usr/aside", place)
"""
    with opened(runner, request(fresh)) as record:
        said(record, f"setsid {tools.INTERPRETER} -c {shlex.quote(job)} </dev/null >/dev/null 2>&1 &")
        whole = [enter(fresh, "test -c /dev/null && test -d /proc/self && echo whole").stdout for _round in range(40)]
        assert not list(builders.iterdir())
        assert whole == ["whole\n"] * 40
        assert "renameat2" in said(record, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        mounts = [line.split()[4:6] for line in Path(f"/proc/{record.pid}/mountinfo").read_text().splitlines()]
        options = [set(words.split(",")) for place, words in mounts if place.startswith("/mnt")]
        assert all({"nosuid", "nodev"} <= one for one in options)


# How long it lasts.


def test_a_second_session_of_an_image_is_refused(runner: Runner, session: Record, image: Path) -> None:
    with pytest.raises(ImageError, match="a session of this image is open"):
        open_session(runner, request(image))
    other = image.with_name("another name.img")
    os.link(image, other)
    try:
        with pytest.raises(ImageError, match="another run is working on this file"):
            open_session(runner, request(other))
    finally:
        other.unlink()
    assert said(session, "echo alive") == "alive\n"
    assert not Path(records.folder_of(str(other))).exists()


@pytest.fixture
def fresh(image: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "fresh.img"
    tool("cp", "--sparse=always", image, copy)
    return copy


def test_what_was_written_is_in_the_image_when_it_is_closed(runner: Runner, fresh: Path) -> None:
    with opened(runner, request(fresh)) as record:
        said(record, "echo written > /opt/written; setsid sleep 600 </dev/null >/dev/null 2>&1 &")
    assert tool("debugfs", "-R", "cat /opt/written", fresh) == "written\n"
    assert tool("e2fsck", "-fn", fresh)
    assert_nothing_is_left(fresh, record)
    assert enter(fresh, "true").returncode in (2, 127)


def test_a_session_ends_with_its_owner(runner: Runner, fresh: Path) -> None:
    owner = subprocess.Popen(["sleep", "600"])
    try:
        with opened(runner, request(fresh, owner=Owner.of(owner.pid))) as record:
            assert said(record, "echo alive") == "alive\n"
            owner.kill()
            assert_nothing_is_left(fresh, record)
    finally:
        owner.kill()
        owner.wait()


def test_a_session_whose_run_is_gone_is_in_nobodys_way(runner: Runner, fresh: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as owner:
        record = open_session(runner, request(fresh, owner=Owner.of(owner.pid)))
        owner.kill()
    assert settled(str(fresh)) is None
    assert_nothing_is_left(fresh, record)


def test_a_session_that_is_being_opened_is_waited_for(fresh: Path) -> None:
    with ThreadPoolExecutor(1) as pool, records.own_folder(str(fresh)) as (_folder, descriptor):
        asked = pool.submit(settled, str(fresh))
        assert not wait([asked], timeout=0.5).done
        record = Record(str(fresh), os.getpid(), False, None, "guest")
        record.write(descriptor)
        assert asked.result(SECONDS) == record


def test_a_session_ends_when_it_is_not_used(runner: Runner, fresh: Path) -> None:
    """A command that takes longer is use."""
    with opened(runner, request(fresh, idle=1)) as record:
        assert said(record, "sleep 3; echo alive") == "alive\n"
        assert said(record, "echo alive") == "alive\n"
        assert_nothing_is_left(fresh, record)


def test_what_each_program_uses_is_limited(session: Record, fresh: Path) -> None:
    show = "ulimit -v; ulimit -S -t; ulimit -H -t; ulimit -c"
    assert said(session, show).split() == [str(16 << 20), "86400", "86401", "0"]
    raised = PopenRunner({"memory": 32 << 30, "cpu": 100000})
    with opened(raised, request(fresh)) as record:
        assert said(record, show).split() == [str(32 << 20), "100000", "100001", "0"]


@pytest.mark.parametrize("victim", ["holder", "process 1"])
def test_a_killed_session_leaves_nothing(runner: Runner, fresh: Path, victim: str) -> None:
    record = open_session(runner, request(fresh, network=True))
    script = f"{records.folder_of(record.image)}/{records.ENTER}"
    busy = "echo begun; while :; do date > /opt/date; sync /opt/date; done"
    with subprocess.Popen(["sh", script, busy], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        assert command.stdout.readline() == "begun\n"
        children = [int(pid) for pid in Path(f"/proc/{record.pid}/task/{record.pid}/children").read_text().split()]
        first = next(pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "init\n")
        os.kill(record.pid if victim == "holder" else first, signal.SIGKILL)
        assert command.wait(SECONDS) != 0
    assert_nothing_is_left(fresh, record)
    done = enter(fresh, "true")
    assert done.returncode == (entry.STATUS if victim == "holder" else 2)
    with opened(runner, request(fresh)) as again:
        assert said(again, "test -f /opt/date && echo there") == "there\n"
    assert tool("e2fsck", "-fn", fresh)


def test_an_image_that_cannot_be_opened_is_named(runner: Runner, tmp_path: Path) -> None:
    image = tmp_path / "empty.img"
    image.write_bytes(bytes(1 << 20))
    with pytest.raises(ImageError, match=str(image)):
        open_session(runner, request(image))
    assert not Path(records.folder_of(str(image))).exists()


def test_a_guest_without_programs_is_refused(runner: Runner, make_partition: Callable[..., Path]) -> None:
    image = make_partition({"/etc/os-release": "ID=debian\n", "/proc/x": "", "/dev/x": "", "/run/x": "", "/tmp/x": ""})
    with pytest.raises(ImageError, match="/bin/sh does not run"):
        open_session(runner, request(image))
    assert not left_behind(lambda: loop_devices((image,)), set())
