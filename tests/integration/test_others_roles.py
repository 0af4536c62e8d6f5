"""Roles and modules that others wrote, for machines that run, do their work inside an image."""

from __future__ import annotations

from pathlib import Path

import pytest

from .images import Site
from .machine import tool
from .playbooks import ROOT

pytestmark = pytest.mark.root

COLLECTIONS = ROOT / "build" / "collections"
PLAY = """
- hosts: images
  tasks:
    - ansible.posix.mount:
        path: /grid/app
        src: nfs1:/export/app
        fstype: nfs
        opts: ro,_netdev
        state: present
    - community.general.ini_file:
        path: /etc/site.ini
        section: site
        option: name
        value: clemson
        mode: "0644"
    - include_role:
        name: community.zabbix.zabbix_agent
      vars:
        zabbix_manage_repo: false  # Debian has packages of its own
        zabbix_agent_version_check: false
        zabbix_agent_install_agent_only: true
        zabbix_agent_server: 192.0.2.1
"""


def test_a_role_of_another_collection_installs_configures_and_enables(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool(ROOT / "tools" / "get-collections", COLLECTIONS)
    monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", f"{ROOT / '.collections'}:{COLLECTIONS}")
    image = tmp_path / "guest.img"
    tool("cp", "--sparse=always", sample, image)
    play = Site(tmp_path, image, {"ansible_connection": "local"}).run(PLAY)
    assert play.status == 0, play.output
    assert "zabbix_agent : restart zabbix-agent" in play.output  # a handler

    def read(path: str) -> str:
        return tool("debugfs", "-R", f"cat {path}", image)

    assert "nfs1:/export/app /grid/app nfs ro,_netdev 0 0" in read("/etc/fstab")
    assert "name = clemson" in read("/etc/site.ini")
    assert "Server=192.0.2.1" in read("/etc/zabbix/zabbix_agentd.conf")
    wanted = "/etc/systemd/system/multi-user.target.wants/zabbix-agent.service"
    assert "Inode:" in tool("debugfs", "-R", f"stat {wanted}", image)
