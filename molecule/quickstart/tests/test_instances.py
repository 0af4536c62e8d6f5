"""What an instance of the quickstart site is like, seen from inside."""

from __future__ import annotations

import hashlib
import ipaddress
import json

import pytest
from testinfra.host import Host

from .conftest import BUILD

GRID = {
    "OSG_GRID": "/etc/osg/wn-client",
    "OSG_APP": "/grid/app",
    "OSG_DATA": "UNAVAILABLE",
    "OSG_WN_TMP": "/scratch",
}


def test_boots_the_kernel_that_was_installed(instance: Host) -> None:
    running = instance.check_output("uname -r")
    assert instance.check_output("readlink -f /vmlinuz").endswith(f"/vmlinuz-{running}")
    assert instance.package(f"linux-image-{running}").is_installed


def test_root_filesystem_fills_the_disk(instance: Host) -> None:
    manifest = json.loads((BUILD / "releases/starworker/current/manifest.json").read_text())
    device = instance.check_output("findmnt -no SOURCE /")
    blocks, size = instance.check_output("stat -f -c '%b %S' /").split()
    partition = int(instance.check_output("blockdev --getsize64 %s", device))
    assert partition >= manifest["virtual_size"] - 2 * 1024 * 1024
    # ext4 keeps some blocks for itself.
    assert int(blocks) * int(size) > 0.9 * partition


def test_root_is_found_by_uuid(instance: Host) -> None:
    uuid = instance.check_output("findmnt -no UUID /")
    assert f"root=UUID={uuid}" in instance.file("/proc/cmdline").content_string
    assert f"UUID={uuid} / ext4" in instance.file("/etc/fstab").content_string


def test_address_came_by_dhcp(instance: Host) -> None:
    routes = json.loads(instance.check_output("ip -json route show default"))
    assert [route["protocol"] for route in routes] == ["dhcp"]
    # QEMU's user network hands out 10.0.2.15 and so on.
    assert ipaddress.ip_address(routes[0]["prefsrc"]) in ipaddress.ip_network("10.0.2.0/24")


def test_absent_server_does_not_hold_up_the_boot(instance: Host) -> None:
    entry = next(line for line in instance.file("/etc/fstab").content_string.splitlines() if " /grid/app " in line)
    assert entry.startswith("nfs.quickstart.invalid:/export/app /grid/app nfs ro,")
    assert instance.service("grid-app.automount").is_running
    assert not instance.service("grid-app.mount").is_running
    assert instance.package("nfs-common").is_installed


def test_nothing_failed(instance: Host) -> None:
    failed = json.loads(instance.check_output("systemctl list-units --failed --output=json"))
    # Only the mount whose server is absent may have failed, if anything looked into it.
    assert {unit["unit"] for unit in failed} <= {"grid-app.mount"}


@pytest.mark.parametrize(("name", "value"), GRID.items())
def test_login_shells_have_the_environment(instance: Host, name: str, value: str) -> None:
    assert instance.check_output("bash --login -c 'printenv %s'", name) == value


@pytest.mark.parametrize(("name", "value"), GRID.items())
def test_services_have_the_environment(instance: Host, name: str, value: str) -> None:
    assert instance.check_output("systemd-run --quiet --wait --pipe printenv %s", name) == value


def test_scratch_is_empty_and_everybodys(instance: Host) -> None:
    scratch = instance.file("/scratch")
    assert (scratch.is_directory, scratch.mode) == (True, 0o1777)
    assert scratch.listdir() == []
    instance.check_output("runuser -u nobody -- touch /scratch/mine")
    instance.check_output("systemd-tmpfiles --remove --create --boot --prefix=/scratch")
    assert scratch.listdir() == []


def test_a_blank_disk_becomes_the_scratch_area(instances: dict[str, Host]) -> None:
    first = instances["first"]
    assert first.check_output("findmnt -no FSTYPE,LABEL,OPTIONS -M /scratch").split()[:2] == ["ext4", "voc-scratch"]
    # At the end it stays until the batch system has waited for its jobs.
    assert {"condor.service", "slurmd.service"} <= set(
        first.check_output("systemctl show --value -p Before scratch.mount").split()
    )


def test_a_disk_with_data_is_left_alone(instances: dict[str, Host]) -> None:
    second = instances["second"]
    assert second.run("mountpoint /scratch").rc != 0
    assert "so it is left alone" in second.check_output("journalctl -u voc-cluster-scratch --no-pager")
    content = (BUILD / "disks/second").read_bytes()
    disk = second.check_output("sha256sum /dev/disk/by-id/virtio-scratch").split()[0]
    assert disk == hashlib.sha256(content).hexdigest()
    assert b"somebody's results" in content


def test_swap_of_another_machine_is_switched_off(instance: Host) -> None:
    assert (
        "# voc.cluster: no such device in this image: /dev/xvda2 none swap"
        in instance.file("/etc/fstab").content_string
    )


def test_persistent_net_rules_are_gone(instance: Host) -> None:
    assert not instance.file("/etc/udev/rules.d/70-persistent-net.rules").exists


def test_identities_are_new_and_differ(instances: dict[str, Host]) -> None:
    ids = {name: host.check_output("cat /etc/machine-id") for name, host in instances.items()}
    keys = {
        name: host.check_output("cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub") for name, host in instances.items()
    }
    assert all(len(identity) == 32 for identity in ids.values())
    assert "0123456789abcdef0123456789abcdef" not in ids.values()
    assert len(set(ids.values())) == len(set(keys.values())) == 2


def test_vo_software_is_untouched(instance: Host) -> None:
    assert instance.check_output("/opt/star/root4star run7") == "STAR reconstruction: run7 done"


def test_nothing_of_the_builder_leaked(instance: Host) -> None:
    assert not instance.file("/usr/sbin/policy-rc.d").exists
    assert instance.file("/etc/resolv.conf").linked_to == "/run/systemd/resolve/stub-resolv.conf"
