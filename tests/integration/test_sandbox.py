"""A guest's programs reach nothing of the builder, and leave no trace of having been run."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import GuestError, ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted, private_mounts
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import GUEST_PROGRAMS, Sandbox, sandbox

from .drivers import whole
from .machine import loop_devices, tool

pytestmark = pytest.mark.root

RESOLVER = "etc/resolv.conf"
POLICY = "usr/sbin/policy-rc.d"
# Not any failure: a program that the guest lacks fails too.
REFUSED = r"[Pp]ermission denied|not permitted|must be (root|superuser)|[Rr]ead-only"
GUESTS_OWN = "# the guest's own\n"


@pytest.fixture(scope="module")
def image(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample that all tests here share; they must leave it as it was."""
    copy = tmp_path_factory.mktemp("sandbox") / "guest.img"
    tool("cp", "--sparse=always", sample, copy)
    return copy


@pytest.fixture
def root(runner: Runner, image: Path) -> Iterator[Path]:
    with mounted(runner, whole(image), "ext4") as folder:
        yield Path(folder)


@pytest.fixture
def box(runner: Runner, root: Path) -> Iterator[Sandbox]:
    with sandbox(runner, str(root), network=False) as prepared:
        yield prepared


def sh(box: Sandbox, script: str) -> str:
    return box.run(["sh", "-c", script]).text


# What a hostile guest would try.


@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param("mount -t tmpfs none /mnt", id="mount"),
        pytest.param("mount --bind /etc /mnt", id="bind"),
        pytest.param("mount -o remount,rw,dev /", id="remount with devices"),
        pytest.param("umount /proc", id="umount"),
        pytest.param("unshare -m true", id="mount namespace"),
        pytest.param("mknod /tmp/disk b 7 0", id="make a device node"),
        # Its own value, so that a sandbox with a hole does no harm.
        pytest.param("read v < /proc/sys/kernel/panic; echo $v > /proc/sys/kernel/panic", id="kernel settings"),
        pytest.param("nsenter -t 1 -n true", id="enter a namespace"),
        pytest.param("read v < /proc/sys/vm/swappiness; echo $v > /proc/sys/vm/swappiness", id="memory settings"),
        pytest.param("ip link add type dummy", id="network settings"),
        pytest.param("hostname captured", id="host name"),
        pytest.param("dmesg", id="kernel log"),
    ],
)
def test_what_only_the_builders_root_may_do_is_refused(box: Sandbox, attempt: str) -> None:
    with pytest.raises(ToolError, match=REFUSED):
        sh(box, attempt)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        pytest.param("io_uring_setup", "425, 1, 0", id="io_uring"),
        pytest.param("bpf", "321, 0, 0, 0", id="bpf"),
        pytest.param("keyctl", "250, 0, -3, 0", id="the builder's keys"),
        pytest.param("add_key", "248, 0, 0, 0, 0, 0", id="a key of the builder's"),
        pytest.param("perf_event_open", "298, 0, 0, 0, 0, 0", id="perf"),
        pytest.param("userfaultfd", "323, 0", id="userfaultfd"),
        pytest.param("unshare", "272, 0x10000000", id="user namespace"),
        pytest.param("clone", "56, 0x10000011, 0, 0, 0, 0", id="user namespace by clone"),
        pytest.param("setns", "308, 0, 0", id="setns"),
        pytest.param("ptrace", "101, 0, 0, 0, 0", id="ptrace"),
        pytest.param("open_tree", "428, -100, 0, 0", id="open_tree"),
        pytest.param("fsopen", "430, 0, 0", id="fsopen"),
        pytest.param("open_by_handle_at", "304, 0, 0, 0", id="files by handle"),
        pytest.param("ioctl", "16, 0, 0x5412, 0", id="words for the terminal"),
        pytest.param("ioctl", "16, 0, 0x7f00005412, 0", id="words for the terminal, in disguise"),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers are those of x86_64")
def test_no_program_may_make_system_calls_that_no_package_needs(box: Sandbox, call: str, arguments: str) -> None:
    assert call
    assert box.run(["perl", "-e", f"syscall({arguments}); print $!+0"]).text == str(errno.EPERM)


@pytest.mark.parametrize("family", [pytest.param(38, id="AF_ALG"), pytest.param(40, id="AF_VSOCK")])
def test_no_socket_leads_past_the_network_namespace(box: Sandbox, family: int) -> None:
    script = f"use Socket; print socket(my $s, {family}, SOCK_STREAM, 0) ? 0 : $! + 0"
    assert box.run(["perl", "-e", script]).text == str(errno.EAFNOSUPPORT)
    assert sh(box, "perl -e 'use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0) or die'") == ""


def test_what_the_kernel_tells_of_the_builder_is_hidden(box: Sandbox) -> None:
    """Each kernel has only some of these."""
    secrets = [path for path in ("keys", "timer_list", "sched_debug", "kcore") if os.path.exists(f"/proc/{path}")]
    folders = [path for path in ("acpi", "scsi") if os.path.exists(f"/proc/{path}")]
    settings = [path for path in ("mtrr", "tty/drivers", "driver", "asound") if os.path.exists(f"/proc/{path}")]
    assert secrets
    assert settings
    for path in secrets:
        assert sh(box, f"head -c 1 /proc/{path}") == ""
    for path in folders:
        assert sh(box, f"ls -A /proc/{path}") == ""
        with pytest.raises(ToolError, match=REFUSED):
            sh(box, f"touch /proc/{path}/x")
    for path in settings:
        with pytest.raises(ToolError, match=r"[Rr]ead-only"):
            sh(box, f"chmod 0 /proc/{path}")


def test_a_program_finds_its_own_name_without_a_resolver(box: Sandbox) -> None:
    """HTCondor's package waits two minutes for one that it cannot find; the builder's is nobody's business."""
    name, address = sh(box, 'uname -n; getent ahosts "$(uname -n)"').split()[:2]
    assert address == "127.0.0.1"
    assert name != socket.gethostname()


def test_a_root_that_is_left_leads_to_the_guests(box: Sandbox) -> None:
    """The old way out: keep a directory open, chroot below it, go back and up."""
    script = (
        "chdir '/'; opendir my $d, '/'; mkdir '/tmp/x'; chroot '/tmp/x' or die; "
        "chdir $d or die; chdir '..' for 1..99; chroot '.'; print -e 'opt/star' && !-e 'work' ? 'guest' : 'builder'"
    )
    assert box.run(["perl", "-e", script]).text == "guest"


def test_no_file_of_the_builder_is_open(box: Sandbox) -> None:
    assert sh(box, "ls /proc/self/fd").split() == ["0", "1", "2", "3"]  # the last is ls's own


def test_there_is_no_terminal_to_be_taken_over(box: Sandbox) -> None:
    with pytest.raises(ToolError, match="No such device"):
        sh(box, "exec 9<>/dev/tty")


def test_a_program_that_gives_more_rights_gives_none(box: Sandbox) -> None:
    script = "cp /bin/cat /opt/cat; chmod 4755 /opt/cat; setpriv --reuid=65534 --clear-groups /opt/cat /etc/shadow"
    try:
        with pytest.raises(ToolError, match="Permission denied"):
            sh(box, script)
    finally:
        sh(box, "rm /opt/cat")


@pytest.mark.parametrize(
    ("limits", "script", "message"),
    [
        pytest.param({"seconds": 1}, "sleep 600", "it took longer than 1 s", id="time"),
        pytest.param({"output": 1 << 20}, "yes", "it wrote more than 1048576 bytes", id="output"),
        pytest.param({"cpu": 1}, "while :; do :; done", "used a processor for 1 s", id="processor"),
        pytest.param({"memory": 64 << 20}, "exec perl -e '$x = \"x\" x (1 << 30)'", "[Oo]ut of memory", id="memory"),
    ],
)
def test_what_it_uses_is_limited(box: Sandbox, limits: dict[str, int], script: str, message: str) -> None:
    less = replace(GUEST_PROGRAMS, **limits)
    with pytest.raises(ToolError, match=message):
        box.run(["sh", "-c", script], limits=less)


def test_what_it_says_is_told_as_text_that_no_terminal_obeys(box: Sandbox) -> None:
    with pytest.raises(ToolError) as caught:
        sh(box, "printf 'E: \\033]0;captured\\007' >&2; exit 1")
    assert "\033" not in str(caught.value)
    assert "captured" in str(caught.value)


def test_what_every_program_of_the_guest_loads_is_loaded_in_there_alone(root: Path, runner: Runner) -> None:
    """/etc/ld.so.preload of the guest: bwrap and all that comes before it are the builder's own programs."""
    preload = root / "etc/ld.so.preload"
    preload.write_text("/opt/hostile.so\n")
    try:
        with sandbox(runner, str(root), network=False) as box:
            complaints = box.run(["true"]).errors.decode().splitlines()
        assert len(complaints) == 1
        assert "hostile.so" in complaints[0]
    finally:
        preload.unlink()


def test_a_device_node_of_the_image_cannot_be_opened(root: Path, box: Sandbox) -> None:
    """The kernel opens it for nobody: all is mounted without devices."""
    (root / "opt/disk").unlink(missing_ok=True)
    os.mknod(root / "opt/disk", 0o060666, os.makedev(7, 0))
    try:
        assert sh(box, "test -b /opt/disk && echo there").strip() == "there"
        with pytest.raises(ToolError, match="Permission denied"):
            sh(box, "head -c 1 /opt/disk")
    finally:
        (root / "opt/disk").unlink()


def test_devices_are_those_that_every_program_needs(box: Sandbox) -> None:
    listing = "for f in /dev/* /dev/*/*; do [ ! -L $f ] && { [ -b $f ] || [ -c $f ]; } && echo $f; done; true"
    nodes = set(sh(box, listing).split())
    assert nodes <= {
        f"/dev/{name}" for name in ("full", "null", "ptmx", "pts/ptmx", "random", "tty", "urandom", "zero")
    }
    assert "/dev/null" in nodes


def test_devices_of_the_builder_keep_their_rights(box: Sandbox) -> None:
    before = os.stat("/dev/null")
    try:
        with pytest.raises(ToolError, match=REFUSED):
            sh(box, "chmod 600 /dev/null")
        with pytest.raises(ToolError, match=REFUSED):
            sh(box, "chown 1 /dev/zero")
        after = os.stat("/dev/null")
        assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
        assert sh(box, "echo x > /dev/null; head -c 1 /dev/zero | od -An -c").strip() == "\\0"
    finally:
        with suppress(OSError):  # in here it is as read-only as it should be in there
            os.chmod("/dev/null", 0o666)


def test_no_process_of_the_builder_is_seen_or_reached(box: Sandbox) -> None:
    with subprocess.Popen(["sleep", "600"]) as bystander:
        try:
            seen = sh(box, "ls /proc | grep '^[0-9]*$'; cat /proc/[0-9]*/comm").split()
            assert len([word for word in seen if word.isdigit()]) < 10
            assert {"python", "pytest", "sleep"}.isdisjoint(seen)
            with pytest.raises(ToolError, match="No such process"):
                sh(box, f"kill -KILL {bystander.pid}")
            sh(box, "kill -KILL -1 || true")
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_what_a_guest_program_starts_ends_with_it(runner: Runner, box: Sandbox) -> None:
    sh(box, "setsid sleep 4242 </dev/null >/dev/null 2>&1 &")
    ended = runner.run(["sh", "-c", "! grep -zxs 4242 /proc/[0-9]*/cmdline"])
    assert ended.status == 0


def test_what_was_written_is_in_the_image_when_the_mount_has_ended(
    runner: Runner, sample: Path, tmp_path: Path
) -> None:
    """A mount lives on in the namespaces of programs that the kernel has not cleared up behind yet."""
    image = tmp_path / "guest.img"
    tool("cp", "--sparse=always", sample, image)
    with mounted(runner, whole(image), "ext4") as folder:
        Path(folder, "opt/written").write_text("written\n")
        # Stands for such a program, on a machine that is slow.
        slow = subprocess.Popen(["unshare", "-m", "sh", "-c", "echo ready; exec sleep 1"], stdout=subprocess.PIPE)
        assert slow.stdout
        assert slow.stdout.readline() == b"ready\n"
    assert not loop_devices((image,))
    assert slow.wait() == 0
    assert "needs_recovery" not in tool("dumpe2fs", "-h", image)
    assert tool("debugfs", "-R", "cat /opt/written", image) == "written\n"


def test_a_thread_that_has_not_quite_ended_does_not_keep_the_mounts() -> None:
    ending = threading.Event()
    before = os.readlink("/proc/thread-self/ns/mnt")
    with private_mounts():
        thread = threading.Thread(target=ending.wait, args=(20,))
        thread.start()
        assert os.readlink("/proc/thread-self/ns/mnt") != before
    assert os.readlink("/proc/thread-self/ns/mnt") == before
    ending.set()
    thread.join()


def test_without_network_there_is_only_the_loopback(box: Sandbox) -> None:
    assert sh(box, "tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    with pytest.raises(ToolError):
        sh(box, "ip route get 192.0.2.1")


def test_with_network_it_leads_outside_and_not_to_the_builder(runner: Runner, root: Path) -> None:
    with sandbox(runner, str(root), network=True) as box:
        inside = box.run(["readlink", "/proc/self/ns/net"]).text.strip()
        assert sh(box, "ip route show default").startswith("default via ")
        assert "nameserver 10.0.2.3" in sh(box, "cat /etc/resolv.conf")
    assert inside != os.readlink("/proc/self/ns/net")


def test_the_builders_own_services_are_out_of_reach_with_network(runner: Runner, root: Path) -> None:
    """multipathd and iscsid listen on abstract sockets, and trust root."""
    with (
        socket.socket(socket.AF_UNIX) as abstract,
        socket.create_server(("127.0.0.1", 0)) as loopback,
        sandbox(runner, str(root), network=True) as box,
    ):
        abstract.bind(b"\0voc-builder")
        abstract.listen()
        assert "voc-builder" in Path("/proc/net/unix").read_text()
        assert "voc-builder" not in sh(box, "cat /proc/net/unix")
        port = loopback.getsockname()[1]
        for address in ("127.0.0.1", "10.0.2.2"):
            with pytest.raises(ToolError, match=r"refused|unreachable"):
                box.run(["bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}"])


def test_only_the_capabilities_of_package_managers_are_left(box: Sandbox) -> None:
    """CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, SETGID 6, SETUID 7, SYS_CHROOT 18, SETFCAP 31."""
    allowed = sum(1 << number for number in (0, 1, 3, 4, 6, 7, 18, 31))
    status = dict(line.split(":", 1) for line in sh(box, "cat /proc/self/status").splitlines())
    assert {name: int(status[name], 16) for name in ("CapEff", "CapPrm")} == {
        "CapEff": allowed,
        "CapPrm": allowed,
    }
    assert status["NoNewPrivs"].strip() == "1"


def test_the_builders_environment_does_not_leak(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "voc-secret")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    shown = sh(box, "env; tr '\\0' '\\n' < /proc/1/environ")
    assert "voc-secret" not in shown
    names = {line.split("=")[0] for line in sh(box, "env").splitlines()}
    assert names == {"HOME", "LANG", "PATH", "SYSTEMD_OFFLINE", "PWD"}
    given = box.run(["sh", "-c", "echo $MINE"], {"MINE": "given"}).text
    assert given == "given\n"


def test_files_of_the_builder_are_out_of_reach(box: Sandbox, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("the builder's own\n")
    for place in (canary, f"/proc/1/root{canary}", f"/proc/1/cwd{canary}"):
        with pytest.raises(ToolError):
            sh(box, f"cat {place}")
    assert sh(box, "ls -A /run /tmp").split() == ["/run:", "lock", "/tmp:"]


# Services.


def test_services_are_not_started(box: Sandbox) -> None:
    """The word of invoke-rc.d's manual: 101 forbids the action; systemctl is told by its own variable."""
    assert sh(box, "policy-rc.d ssh start; echo $?").strip() == "101"
    assert sh(box, "command -v policy-rc.d; echo $SYSTEMD_OFFLINE").split() == [f"/{POLICY}", "1"]
    if (asked := sh(box, "command -v invoke-rc.d || true")).strip():
        shown = sh(box, "mkdir -p /tmp/x; invoke-rc.d --skip-systemd-native ssh start 2>&1; true")
        assert "policy-rc.d denied" in shown, asked
    assert "ignoring" in sh(box, "systemctl start ssh 2>&1; true").lower()


# What stands in for the guest's own files is seen in there alone.


@pytest.mark.parametrize("path", [RESOLVER, POLICY])
@pytest.mark.parametrize("before", ["nothing", "file", "link", "link to a file"])
def test_the_guests_own_files_are_covered_and_never_written(runner: Runner, root: Path, path: str, before: str) -> None:
    place = root / path
    target = root / "opt/target"
    if before == "file":
        place.write_text(GUESTS_OWN)
        place.chmod(0o640)
        os.chown(place, 12, 34)
    elif before == "link":
        place.symlink_to("/run/systemd/resolve/stub-resolv.conf")
    elif before == "link to a file":
        target.write_text(GUESTS_OWN)
        place.symlink_to("/opt/target")
    try:
        was = look(place)
        with sandbox(runner, str(root), network=True) as box:
            shown = box.run(["cat", f"/{path}"]).text
            assert shown
            assert shown != GUESTS_OWN
            with pytest.raises(ToolError, match=REFUSED):
                sh(box, f"echo captured > /{path}")
        assert look(place) == was
        assert before != "link to a file" or target.read_text() == GUESTS_OWN
    finally:
        for left in (place, target):
            left.unlink(missing_ok=True)


def look(place: Path) -> tuple[object, ...]:
    if not os.path.lexists(place):
        return ()
    found = place.lstat()
    content = os.readlink(place) if place.is_symlink() else place.read_text()
    return (found.st_mode, found.st_uid, found.st_gid, content)


def test_a_link_out_of_the_guest_covers_and_makes_nothing_on_the_builder(
    runner: Runner, root: Path, tmp_path: Path
) -> None:
    """Before it has changed its root, bwrap finds the builder below /oldroot."""
    canary = tmp_path / "canary"
    canary.write_text("the builder's own\n")
    links = {
        root / RESOLVER: f"/oldroot{canary}",
        root / "tmp": f"/oldroot{tmp_path}/made",
        root / "usr/sbin": f"/oldroot{tmp_path}",
    }
    kept = {place: place.with_name(f"{place.name}.kept") for place in links if place.exists()}
    for place, aside in kept.items():
        place.rename(aside)
    try:
        for place, target in links.items():
            place.symlink_to(target)
        with sandbox(runner, str(root), network=True) as box:
            box.run(["true"])
        assert [path.name for path in tmp_path.iterdir()] == ["canary"]
        assert canary.read_text() == "the builder's own\n"
    finally:
        for place in links:
            place.unlink()
        for place, aside in kept.items():
            aside.rename(place)


def test_what_a_guest_moves_leads_its_next_program_nowhere(runner: Runner, root: Path, tmp_path: Path) -> None:
    """A folder on the way to each of the mounts becomes a link to where bwrap finds the builder."""
    builders, given = tmp_path / "builders", tmp_path / "given"
    for folder in (builders, given, root / "opt/way", root / "opt/way/tmp"):
        folder.mkdir()
    (given / "file").write_text("given\n")
    (root / RESOLVER).symlink_to("/opt/way/nologin")
    (root / "tmp").rename(root / "tmp.kept")
    (root / "tmp").symlink_to("opt/way/tmp")
    binds = [(str(given), "/opt/way/tmp/given"), (str(given), "/run/voc-cluster")]
    attack = (
        f"mv /opt/way /opt/moved && ln -s /oldroot{builders} /opt/way; "
        f"mv /usr/sbin /usr/moved && ln -s /oldroot{builders} /usr/sbin"
    )
    try:
        with sandbox(runner, str(root), network=True, given=binds) as box:
            sh(box, attack)
            sh(box, "true")
            assert not list(builders.iterdir())
            # What bwrap would have to change, it would change by its path.
            mounts = [line.split()[4:6] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
            options = [set(words.split(",")) for place, words in mounts if place.startswith(str(root))]
            assert len(options) > len(binds)
            assert all({"nosuid", "nodev"} <= one for one in options)
            # They go along, and are no less than they were.
            assert "10.0.2.3" in sh(box, "cat /opt/moved/nologin /etc/../opt/moved/nologin")
            for place in ("/opt/moved/nologin", "/usr/moved/policy-rc.d", "/opt/moved/tmp/given/file"):
                with pytest.raises(ToolError, match=REFUSED):
                    sh(box, f"echo captured > {place}")
            assert sh(box, "cat /run/voc-cluster/file") == "given\n"
    finally:
        if (root / "usr/moved").exists():
            (root / "usr/sbin").unlink()
            (root / "usr/moved").rename(root / "usr/sbin")
            (root / "opt/way").unlink()
            (root / "opt/moved").rename(root / "opt/way")
        shutil.rmtree(root / "opt/way")
        (root / RESOLVER).unlink()
        (root / POLICY).unlink(missing_ok=True)
        (root / "tmp").unlink()
        (root / "tmp.kept").rename(root / "tmp")
    assert (given / "file").read_text() == "given\n"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the number is that of x86_64")
@pytest.mark.parametrize("folder", ["dev", "proc"])
def test_the_folders_that_are_mounted_by_their_paths_cannot_be_replaced(box: Sandbox, folder: str) -> None:
    script = """
        my ($link, $place) = ("/opt/link", "/FOLDER");
        mkdir "/opt/empty"; symlink "/oldroot/opt", $link;
        sub tried { print $! + 0, "\n" unless shift }
        tried(rename "/FOLDER", "/opt/moved"); tried(rmdir "/FOLDER"); tried(rename "/opt/empty", "/FOLDER");
        tried(0 == syscall 316, -100, $link, -100, $place, 2);  # renameat2, RENAME_EXCHANGE
        unlink "/opt/link"; rmdir "/opt/empty";
    """
    assert box.run(["perl", "-e", script.replace("FOLDER", folder)]).text.split() == [str(errno.EBUSY)] * 4


def test_a_guest_without_a_folder_for_devices_is_refused_and_not_given_one(runner: Runner, root: Path) -> None:
    (root / "dev").rename(root / "dev.kept")
    (root / "dev").symlink_to("/oldroot/opt")
    try:
        with pytest.raises(GuestError, match="/dev: it is not a directory"), sandbox(runner, str(root), network=False):
            pass
    finally:
        (root / "dev").unlink()
        (root / "dev.kept").rename(root / "dev")


def test_the_shared_image_is_as_it_was(image: Path, sample: Path) -> None:
    """The last test here: all that ran before changed neither a file nor the filesystem's health."""
    tool("e2fsck", "-f", "-n", image)
    assert shutil.which("debugfs", path="/usr/sbin:/sbin")
    listings = [
        tool("debugfs", "-R", f"ls -p {folder}", file)
        for folder in ("/", "/etc", "/opt", "/usr/sbin")
        for file in (image, sample)
    ]
    names = [sorted(line.split("/")[5] for line in listing.splitlines() if line) for listing in listings]
    assert names[::2] == names[1::2]
