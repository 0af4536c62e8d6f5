"""A guest's programs reach nothing of the builder, and leave no trace of having been run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._commands import Runner
from ansible_collections.voc.cluster.plugins.module_utils._errors import ToolError
from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import mounted
from ansible_collections.voc.cluster.plugins.module_utils._image.filesystems import Volume
from ansible_collections.voc.cluster.plugins.module_utils._sandbox import Sandbox, sandbox

from .machine import tool

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
    with mounted(runner, Volume(str(image), 0, image.stat().st_size), "ext4") as folder:
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


def test_without_network_there_is_only_the_loopback(box: Sandbox) -> None:
    assert sh(box, "tail -n +3 /proc/net/dev | cut -d: -f1").split() == ["lo"]
    with pytest.raises(ToolError):
        sh(box, "ip route get 192.0.2.1")


def test_with_network_it_is_the_builders(runner: Runner, root: Path) -> None:
    with sandbox(runner, str(root), network=True) as box:
        inside = box.run(["readlink", "/proc/self/ns/net"]).text.strip()
        shown = box.run(["cat", f"/{RESOLVER}"]).output
    assert inside == os.readlink("/proc/self/ns/net")
    assert shown == Path("/etc/resolv.conf").read_bytes()


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


# The stand-ins are gone afterwards.


@pytest.mark.parametrize("path", [RESOLVER, POLICY])
@pytest.mark.parametrize("before", ["nothing", "file", "link", "link to a file"])
def test_a_stand_in_gives_its_place_back(runner: Runner, root: Path, path: str, before: str) -> None:
    place = root / path
    target = root / "opt/target"
    if before == "file":
        place.write_text(GUESTS_OWN)
        place.chmod(0o640)
        os.chown(place, 12, 34)
    elif before == "link":
        place.symlink_to("../run/systemd/resolve/stub-resolv.conf")
    elif before == "link to a file":
        target.write_text(GUESTS_OWN)
        place.symlink_to("/opt/target")
    try:
        was = look(place)
        with sandbox(runner, str(root), network=True) as box:
            assert not place.is_symlink()
            assert place.read_text() != GUESTS_OWN
            assert box.run(["cat", f"/{path}"]).output == place.read_bytes()
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


@pytest.mark.parametrize("before", ["nothing", "file", "link"])
@pytest.mark.parametrize(
    ("command", "after"),
    [
        pytest.param("echo installed > /etc/resolv.conf", "installed\n", id="written"),
        pytest.param("rm /etc/resolv.conf; ln -s ../run/own /etc/resolv.conf", "../run/own", id="linked"),
        pytest.param("rm /etc/resolv.conf", None, id="removed"),
    ],
)
def test_what_the_guest_itself_put_in_a_stand_ins_place_stays(
    runner: Runner, root: Path, before: str, command: str, after: str | None
) -> None:
    place = root / RESOLVER
    if before == "file":
        place.write_text(GUESTS_OWN)
    elif before == "link":
        place.symlink_to("../run/before")
    try:
        with sandbox(runner, str(root), network=True) as box:
            sh(box, command)
        found = look(place)
        assert (found[-1] if found else None) == after
    finally:
        place.unlink(missing_ok=True)


def test_a_failing_program_leaves_no_stand_in(runner: Runner, root: Path) -> None:
    with pytest.raises(ToolError), sandbox(runner, str(root), network=True) as box:
        box.run(["false"])
    assert look(root / RESOLVER) == look(root / POLICY) == ()


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
