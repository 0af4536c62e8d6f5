"""What each role leaves in an image when it is applied alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

IMAGES = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "images"
GUEST = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / "molecule/roles/guest"

# By role: a file, and what stands in it.
LANDED = [
    ("batch_worker", "/etc/condor/config.d/50-voc-cluster.config", 'VOCName = "STAR"'),
    ("batch_worker", "/etc/condor/tokens.d/voc-star", "header.payload.signature"),
    ("batch_worker", "/etc/systemd/system/condor.service.d/50-voc-cluster.conf", "KillSignal=SIGTERM"),
    ("filesystems", "/etc/fstab", "nfs1:/app /grid/app nfs ro,_netdev,nofail,x-systemd.automount"),
    ("grid_environment", "/etc/profile.d/voc-cluster.sh", "export OSG_APP='/grid/app'"),
    ("grid_environment", "/etc/profile.d/voc-cluster.sh", "export OSG_SITE_WRITE='UNAVAILABLE'"),
    ("grid_environment", "/etc/profile.d/voc-cluster.sh", "export OSG_WN_TMP='/scratch'"),
    ("grid_environment", "/etc/profile.d/voc-cluster.sh", "export SITE_NAME='Clemson'"),
    ("grid_environment", "/etc/systemd/system.conf.d/50-voc-cluster.conf", '"OSG_SQUID_LOCATION=UNAVAILABLE"'),
    ("grid_environment", "/etc/environment.d/50-voc-cluster.conf", 'X509_CERT_DIR="/etc/grid-security/certificates"'),
    ("network", "/etc/systemd/network", "voc-cluster"),
    ("scratch", "/etc/systemd/system/voc-cluster-scratch.service", "SERIAL=scratch0 /scratch"),
    ("scratch", "/usr/local/sbin/voc-cluster-scratch", "mkfs.ext4"),
    (
        "users",
        "/root/.ssh/authorized_keys",
        "AAAAC3NzaC1lZDI1NTE5AAAAIJfkNV4OS33ImTXvorZr72q4v5XhVEQKfvqsxOEJ/XaR admin",
    ),
    ("vo_pool", "/etc/condor/config.d/50-voc-cluster.config", "CCB_ADDRESS = $(COLLECTOR_HOST)"),
    ("vo_pool", "/etc/condor/tokens.d/voc-star", "header.payload.signature"),
    ("vo_pool", "/usr/local/sbin/voc-cluster-end", "shutdown -h now"),
]


def debugfs(role: str, request: str) -> str:
    argv = ["debugfs", "-R", request, str(IMAGES / f"{role}.img")]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(("role", "path", "text"), LANDED)
def test_what_a_role_writes_is_there(role: str, path: str, text: str) -> None:
    is_folder = "Type: directory" in debugfs(role, f"stat {path}")
    assert text in debugfs(role, f"ls -l {path}" if is_folder else f"cat {path}")


@pytest.mark.parametrize("role", ["batch_worker", "vo_pool"])
def test_no_key_of_a_pool_stays(role: str) -> None:
    assert "POOL" in debugfs("users", "ls -l /etc/condor/passwords.d")
    assert "POOL" not in debugfs(role, "ls -l /etc/condor/passwords.d")


def test_what_must_not_be_cloned_is_gone() -> None:
    assert "ssh_host" in debugfs("users", "ls -l /etc/ssh")
    assert "ssh_host" not in debugfs("generalize", "ls -l /etc/ssh")
    assert debugfs("generalize", "cat /etc/machine-id") == ""


def test_without_variables_a_role_changes_nothing(tmp_path: Path) -> None:
    debugfs("nothing", f"rdump / {tmp_path}")
    assert contents(tmp_path) == contents(GUEST)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("role", sorted({role for role, _path, _text in LANDED} | {"generalize", "nothing"}))
def test_the_filesystem_is_sound(role: str) -> None:
    argv = ["e2fsck", "-fn", str(IMAGES / f"{role}.img")]
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 0
