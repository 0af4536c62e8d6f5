"""A site's own roles are a part of the line from a source image to a release."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._session import records

from .images import ROLES
from .machine import loop_devices, tool
from .playbooks import contextualize, releases

pytestmark = pytest.mark.root


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
