"""Group instances: working out the addresses and the inventory of a large site."""

from __future__ import annotations

import subprocess
from pathlib import Path

from measure import Row, Step, benchmark, paired, repeated

from ansible_collections.voc.cluster.plugins.module_utils._addressing import format_mac, make_scheme
from ansible_collections.voc.cluster.plugins.module_utils._instance import files
from ansible_collections.voc.cluster.plugins.module_utils._instance.definition import Definition
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

LOOKUPS = 1_000_000
HYPERVISORS = 1_000
SLOTS = 16
FEWER = 4
OVERLAYS = 16


def lookups(count: int) -> Step:
    """Return work that asks for the MACs of many places."""
    scheme = make_scheme()
    places = [(f"node{number:05}", slot) for number in range(count // SLOTS) for slot in range(SLOTS)]

    def work() -> None:
        for name, slot in places:
            format_mac(scheme.mac(name, slot))

    return work


def inventory(folder: Path, hypervisors: int) -> Step:
    """Return work that lists the inventory of a site, every host with its variables."""
    site = folder / f"site-{hypervisors}"
    (site / "group_vars").mkdir(parents=True, exist_ok=True)
    (site / "hosts").write_text(f"[hypervisors]\nnode[0001:{hypervisors:04}] voc_slots={SLOTS}\n")
    (site / "group_vars" / "all.yml").write_text("voc_name: star\nvoc_network: 10.16.0.0/16\n")
    (site / "instances.yml").write_text("plugin: voc.cluster.instances\n")
    last = f'"node{hypervisors:04}-vm{SLOTS - 1}"'

    def work() -> None:
        listing = subprocess.run(
            ["ansible-inventory", "-i", str(site), "--list"], check=True, capture_output=True, text=True
        )
        if last not in listing.stdout:
            raise RuntimeError(listing.stderr)

    return work


@benchmark("instances", "1,000,000 MACs")
def million(folder: Path) -> Row:
    """The library's own cost of a lookup."""
    del folder
    return Row("1,000,000 MACs", repeated(lookups(LOOKUPS)), 5)


@benchmark("instances", "inventory of 16,000")
def large_inventory(folder: Path) -> Row:
    """1,000 hypervisors with 16 slots each."""
    return Row("inventory of 16,000", repeated(inventory(folder, HYPERVISORS)), 10)


@benchmark("instances", "inventory, growth")
def growth(folder: Path) -> Row:
    """Four times the hypervisors take at most four times as long."""
    ours, theirs, ratio = paired(inventory(folder, HYPERVISORS), inventory(folder, HYPERVISORS // FEWER))
    return Row("inventory of 16,000", ours, FEWER, beside="inventory of 4,000", beside_median=theirs, ratio=ratio)


@benchmark("instances", "16 overlays")
def overlays(folder: Path) -> Row:
    """The disks of all instances of a hypervisor, over a release of 100 GiB."""
    release = folder / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(release), "100G"], check=True)
    place = folder / "instances"
    place.mkdir()
    runner = PopenRunner()
    wanted = [
        Definition(f"vm{number}", "", "", "node001", str(release), str(place), bridge="br0")
        for number in range(OVERLAYS)
    ]

    def work() -> None:
        for definition in wanted:
            files.make(runner, definition, {}, overcommit=1000)

    return Row("16 overlays", repeated(work), 1)
