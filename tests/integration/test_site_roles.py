"""A site's own roles are a part of the line from a source image to a release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import records

from .images import ROLES
from .machine import loop_devices, tool
from .playbooks import contextualize, releases

pytestmark = pytest.mark.root

HOSTILE = """\
#!/bin/sh
case $* in
*print*) echo python 3 11 ;;
*) cat >/dev/null; echo '{}' ;;
esac
"""


def made(
    build: Path, sample: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, **variables: object
) -> tuple[int, str]:
    monkeypatch.setenv("ANSIBLE_ROLES_PATH", str(ROLES))
    play = contextualize(
        build,
        sample,
        site_kernel_bundle=str(bundle),
        site_packages=[],
        site_hypervisor={"format": "raw"},
        **variables,
    )
    return play.status, play.output


def test_a_release_carries_what_the_sites_roles_did(
    tmp_path: Path, sample: Path, kernel_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, output = made(tmp_path, sample, kernel_bundle, monkeypatch, site_roles=["ours"], site_motto="of Clemson")
    assert status == 0, output
    (manifest,) = releases(tmp_path)
    disk = tmp_path / "releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    partition = f"{disk}?offset={1 << 20}"
    for path in ("/etc/ours", "/etc/noted"):
        assert tool("debugfs", "-R", f"cat {path}", partition) == "Debian systemd of Clemson\n"


def test_what_a_guest_says_as_facts_changes_nothing_of_the_profile(
    tmp_path: Path, sample: Path, kernel_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its Python answers each module as it likes."""
    facts = {"site_grid": {"OSG_APP": "/hostile"}, "image_builder": "nowhere", "voc_name": "OTHER"}
    script, image = tmp_path / "python3", tmp_path / "hostile.img"
    script.write_text(HOSTILE.format(json.dumps({"changed": False, "ansible_facts": facts})))
    tool("cp", "--sparse=always", sample, image)
    for request in (f"write {script} /usr/bin/python3", "set_inode_field /usr/bin/python3 mode 0100755"):
        tool("debugfs", "-w", "-R", request, image)
    status, output = made(tmp_path, image, kernel_bundle, monkeypatch, site_roles=["quiet"])
    assert status == 0, output
    assert "the guest says OTHER" in output
    (manifest,) = releases(tmp_path)
    disk = tmp_path / "releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    environment = tool("debugfs", "-R", "cat /etc/profile.d/voc-cluster.sh", f"{disk}?offset={1 << 20}")
    assert "/grid/app" in environment
    assert "hostile" not in environment


def test_a_role_that_fails_makes_no_release_and_leaves_nothing(
    tmp_path: Path, sample: Path, kernel_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, output = made(
        tmp_path, sample, kernel_bundle, monkeypatch, site_roles=["ours", "ours"]
    )  # without its motto
    assert status == 2
    assert "site_motto" in output
    assert releases(tmp_path) == []
    assert list((tmp_path / "work").iterdir()) == []
    assert not loop_devices((tmp_path,))
    assert not list(Path(records.folder_of("x")).parent.iterdir())
