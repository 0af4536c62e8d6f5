"""Ordinary roles run inside an image, over whatever connection its builder has, and notice nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import records

from .images import Site
from .machine import loop_devices, tool
from .sshd import ssh_server

pytestmark = pytest.mark.root

EVERYDAY = """
- hosts: images
  roles: [everyday]
"""
LOCAL = {"ansible_connection": "local"}


@pytest.fixture(scope="module")
def image(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample that all tests here share. It has no Python at first."""
    copy = tmp_path_factory.mktemp("images") / "guest.img"
    tool("cp", "--sparse=always", sample, copy)
    return copy


@pytest.fixture(scope="module")
def over_ssh(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("ssh")
    with ssh_server(folder) as variables:
        yield Site(folder, image, variables)


@pytest.fixture
def local(image: Path, tmp_path: Path) -> Site:
    return Site(tmp_path, image, LOCAL)


def read(image: Path, path: str) -> str:
    return tool("debugfs", "-R", f"cat {path}", image)


def exists(image: Path, path: str) -> bool:
    return "Inode:" in tool("debugfs", "-R", f"stat {path}", image)


def changed_tasks(output: str) -> list[str]:
    """Return the names of the tasks that changed something."""
    return re.findall(r"^TASK \[(.*)\] \*+\n(?:\[WARNING.*\n)*changed:", output, re.MULTILINE)


@pytest.fixture(scope="module")
def everyday(over_ssh: Site, image: Path) -> dict[str, object]:
    """Run the role in a guest without Python; return its variables, for the next time."""
    payload = "äöü\n" * 3000
    variables = {
        "everyday_release": "13",
        "everyday_payload": payload,
        "everyday_canary": str(over_ssh.folder / "hosts.json"),
        "everyday_fetched": str(over_ssh.folder / "fetched"),
    }
    assert not exists(image, "/usr/bin/python3")
    play = over_ssh.run(EVERYDAY, **variables)
    assert play.status == 0, play.output
    assert "the Python of the builder" in play.output
    assert (over_ssh.folder / "fetched").read_text() == payload
    return variables


def test_a_role_does_its_work_in_a_guest_without_python(everyday: dict[str, object], image: Path) -> None:
    payload = everyday["everyday_payload"]
    assert read(image, "/opt/star/payload") == payload
    assert read(image, "/etc/worker.conf") == f"# Debian 13\npayload = {len(str(payload))}\n"
    assert "star:x:4711:" in read(image, "/etc/passwd")
    assert "PermitRootLogin no" in read(image, "/etc/ssh/sshd_config")
    assert "find /scratch" in read(image, "/var/spool/cron/crontabs/star")
    assert read(image, "/home/star/mine") == "mine\n"
    assert read(image, "/opt/star/later")
    owner = re.search(r"User: +(\d+)", tool("debugfs", "-R", "stat /home/star/mine", image))
    assert owner
    assert owner[1] == "4711"


def test_services_are_enabled_and_none_is_started(everyday: dict[str, object], image: Path) -> None:
    wanted = "/etc/systemd/system/multi-user.target.wants"
    assert exists(image, f"{wanted}/cron.service")
    assert not exists(image, f"{wanted}/ssh.service")
    assert not exists(image, "/run/crond.pid")


def test_nothing_of_the_session_stays(everyday: dict[str, object], image: Path) -> None:
    for path in ("/root/.ansible", "/root/.ansible_async", "/run/ansible", "/run/voc-cluster"):
        assert not exists(image, path), path
    assert not exists(image, "/usr/sbin/policy-rc.d")
    assert not exists(image, "/etc/resolv.conf")
    assert records.find(str(image)) is None
    assert not Path(records.folder_of(str(image))).exists()
    assert not loop_devices((image,))
    assert tool("e2fsck", "-fn", image)


def test_the_guests_own_python_is_taken_where_it_serves(everyday: dict[str, object], local: Site, image: Path) -> None:
    """The role installed one, for apt; everything else is as the role wants it already."""
    play = local.run(EVERYDAY, **everyday)
    assert play.status == 0, play.output
    assert "the Python of the guest" in play.output
    # A job that is not waited for always counts as a change.
    session, job = "voc.cluster.image_session", "everyday : Let a job go on while others run"
    assert changed_tasks(play.output) == [session, job, session]


def test_the_same_role_runs_after_the_guests_python_was_removed(
    everyday: dict[str, object], local: Site, image: Path
) -> None:
    removal = """
- hosts: images
  gather_facts: false
  tasks:
    - raw: apt-get purge --yes --auto-remove 'python3*' 'libpython3*'
"""
    assert local.run(removal).status == 0
    assert not exists(image, "/usr/bin/python3")
    play = local.run(EVERYDAY, **everyday)
    assert play.status == 0, play.output
    assert "the Python of the builder" in play.output


def test_the_same_role_runs_in_a_guest_of_the_release_before(older_sample: Path, tmp_path: Path) -> None:
    older = tmp_path / "guest.img"
    tool("cp", "--sparse=always", older_sample, older)
    variables = {
        "everyday_release": "12",
        "everyday_payload": "some\n",
        "everyday_canary": str(older),
        "everyday_fetched": str(tmp_path / "fetched"),
    }
    play = Site(tmp_path, older, LOCAL).run(EVERYDAY, **variables)
    assert play.status == 0, play.output
    assert "the Python of the builder" in play.output
    assert read(older, "/etc/worker.conf") == "# Debian 12\npayload = 5\n"
    assert read(older, "/home/star/mine") == "mine\n"
    assert exists(older, "/etc/systemd/system/multi-user.target.wants/cron.service")
    assert not exists(older, "/etc/systemd/system/multi-user.target.wants/ssh.service")
    assert tool("e2fsck", "-fn", older)


MANY = """
- hosts: images
  gather_facts: false
  tasks:
    - name: Files with odd names and sizes go in and come out as they are
      block:
        - copy:
            src: "{{ item }}"
            dest: "/opt/{{ item | basename }}"
            mode: preserve
          loop: "{{ files }}"
        - fetch:
            src: "/opt/{{ item | basename }}"
            dest: "{{ fetched }}/"
            flat: true
          loop: "{{ files }}"
"""


@pytest.mark.parametrize("transport", ["local", "ssh"])
def test_files_are_the_same_on_both_sides(transport: str, local: Site, over_ssh: Site, tmp_path: Path) -> None:
    site = local if transport == "local" else over_ssh
    folder, fetched = tmp_path / "files", tmp_path / "fetched"
    folder.mkdir()
    contents = {
        "empty": b"",
        'it\'s "odd" & longer': b"\0\xff" * 1000,
        "as large as a piece": os.urandom(16 << 20),
        "larger": os.urandom((16 << 20) + 17),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    play = site.run(MANY, files=[str(folder / name) for name in contents], fetched=str(fetched))
    assert play.status == 0, play.output
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == contents


def test_a_link_in_the_guest_leads_to_nowhere_else(local: Site, image: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("the builder's own\n")
    play = """
- hosts: images
  gather_facts: false
  tasks:
    - raw: rm -rf /var/tmp && ln -s /../../../../../..{{ outside }} /var/tmp && ln -s {{ outside }}/secret /opt/secret
    - copy: {content: "captured", dest: /var/tmp/file}
      ignore_errors: true
    - fetch: {src: /opt/secret, dest: "{{ outside }}/fetched", flat: true}
      ignore_errors: true
    - copy: {content: "by another user", dest: /tmp/file}
      become: true
      become_user: nobody
      ignore_unreachable: true
    - raw: rm /var/tmp /opt/secret && mkdir -m 1777 /var/tmp
"""
    done = local.run(play, outside=str(outside))
    assert done.status == 0, done.output
    assert {path.name for path in outside.iterdir()} == {"secret"}
    assert not exists(image, "/tmp/file")


@pytest.mark.parametrize("command", ["exec yes", "yes >&2"])
def test_a_guest_that_never_stops_talking_does_not_fill_the_controllers_memory(local: Site, command: str) -> None:
    play = local.run(f"- hosts: images\n  gather_facts: false\n  tasks: [{{raw: {command}}}]\n")
    assert play.status == 2, play.output
    assert "was ended: it wrote more than 67108864 bytes" in play.output.replace("\n", " ")


def test_without_a_session_the_image_is_unreachable_and_says_why(local: Site) -> None:
    play = local.run("- hosts: images\n  gather_facts: false\n  tasks: [{raw: id}]\n", session=False)
    assert play.status == 4
    assert "open one with voc.cluster.image_session" in play.output


def test_check_mode_opens_nothing(local: Site, image: Path) -> None:
    play = """
- hosts: images
  gather_facts: false
  tasks:
    - voc.cluster.image_session: {image: "{{ image_work }}"}
      check_mode: true
      diff: true
      delegate_to: build
"""
    done = local.run(play, session=False)
    assert done.status == 0, done.output
    assert "+a session is open" in done.output
    assert records.find(str(image)) is None
