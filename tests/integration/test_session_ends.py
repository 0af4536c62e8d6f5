"""Whoever opens a session may be killed at any moment: nothing of it is left on the builder.

The moments are random; VOC_CRASH_SEED=N repeats those that a failure printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import testinfra

from ansible_collections.voc.cluster.plugins.module_utils._session import records

from .images import Site
from .machine import left_behind, loop_devices, tool
from .playbooks import PROGRAMS, ROOT
from .sshd import ssh_server

pytestmark = pytest.mark.root

LOCAL = {"ansible_connection": "local"}
ROUNDS = 2
LONGEST = 6.0  # seconds, in which a play here opens its session and runs a task
BUSY = """
- hosts: images
  gather_facts: false
  tasks:
    - voc.cluster.image_session: {image: "{{ image_work }}"}
      delegate_to: build
    - raw: while :; do date > /opt/date; done
"""


@pytest.fixture
def image(sample: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "guest.img"
    tool("cp", "--sparse=always", sample, copy)
    return copy


@pytest.fixture(params=["local", "ssh"])
def site(request: pytest.FixtureRequest, image: Path, tmp_path: Path) -> Iterator[Site]:
    if request.param == "local":
        yield Site(tmp_path, image, LOCAL)
        return
    with ssh_server(tmp_path) as variables:
        yield Site(tmp_path, image, variables)


def of_the_session(image: Path) -> set[str]:
    """Return what there is of it: its record, and loop devices."""
    found = loop_devices((image,))
    record = records.find(str(image))
    return found | ({f"session, process {record.pid}"} if record else set())


def of_the_run(site: Site) -> set[str]:
    """Return what there is of a play: its session, and modules that are still on their way, or hold one."""
    on_the_way = set()
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if os.fsencode(site.remote) in file.read_bytes():
                on_the_way.add(f"process {file.parent.name}")
    return of_the_session(site.image) | on_the_way


def test_a_killed_playbook_leaves_no_session(site: Site, image: Path) -> None:
    seed = int(os.environ.get("VOC_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VOC_CRASH_SEED={seed}")
    moments = random.Random(seed)
    for _round in range(ROUNDS):
        argv, log = [PROGRAMS / "ansible-playbook", *site.arguments(BUSY)], (site.folder / "log").open("w")
        playbook = subprocess.Popen(argv, cwd=ROOT, env=site.environment, stdout=log, stderr=log)
        try:
            time.sleep(moments.uniform(0.5, LONGEST))
        finally:
            playbook.send_signal(signal.SIGKILL)
            playbook.wait()
            log.close()
        assert not left_behind(lambda: of_the_run(site), set())
    closed = site.run("", session=True)
    assert closed.status == 0, closed.output
    assert tool("e2fsck", "-fn", image)


def test_testinfra_looks_into_an_image_that_no_machine_runs(image: Path, tmp_path: Path) -> None:
    site = Site(tmp_path, image, LOCAL)
    session = [PROGRAMS / "ansible", "build", "-i", site.inventory, "-m", "voc.cluster.image_session", "-a"]

    def set_session(words: str) -> None:
        subprocess.run([*session, f"image={image} {words}"], cwd=ROOT, env=site.environment, check=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("PATH", f"{PROGRAMS}:{os.environ['PATH']}")
        set_session("keep=true network=false")
        try:
            host = testinfra.get_host("ansible://star", ansible_inventory=str(site.inventory))
            assert host.system_info.distribution == "debian"
            assert host.file("/etc/hostname").content_string.strip() == "starworker"
            assert host.package("openssh-server").is_installed
            assert host.service("ssh").is_enabled
            assert not host.user("star").exists
            assert host.run("/opt/star/root4star x").stdout.strip() == "STAR reconstruction: x done"
        finally:
            set_session("state=absent")
    assert not of_the_session(image)
