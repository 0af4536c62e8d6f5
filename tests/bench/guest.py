"""Group guest: a site's edits of the sample image by one image_edit, beside the ways in which others make them."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from measure import RUNS, Row, benchmark, paired, seconds
from sample import ROOT, disk, peer, sample, tool
from site_edits import EDITS

PROBE = Path(__file__).resolve().parent / "probe"
LIMITS = {"ext": 0.15, "mounted": 0.4}  # seconds
COLLECTIONS = ROOT / "build" / "collections"

# community.general.chroot leaves mounts to its user. These end with their namespace.
_IN_CHROOT = """\
set -eu
mount -o loop "$1" "$2"
mount --bind /dev "$2/dev"
mount -t proc proc "$2/proc"
shift 2
exec "$@"
"""


def _play(folder: Path, host: str, tasks: object, *before: str | Path, **environment: str) -> None:
    """Run tasks on a host that must succeed; `before` are words in front of ansible-playbook."""
    playbook = folder / "plays.json"
    playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    done = subprocess.run(
        [*before, Path(sys.executable).with_name("ansible-playbook"), "-i", f"{host},", playbook],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _on_builder(folder: Path, task: dict[str, object], **environment: str) -> None:
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    _play(folder, "localhost", [{**task, "vars": variables}], **environment)


def _edit(folder: Path, access: str, **environment: str) -> None:
    """Make all edits in one task."""
    options = {"image": str(folder / "guest.raw"), "access": access, "edits": [edit.ours for edit in EDITS]}
    _on_builder(folder, {"voc.cluster.image_edit": options}, **environment)


def _copy(source: Path, folder: Path) -> None:
    tool("cp", "--sparse=always", source, folder / "guest.raw")


def _inside(folder: Path, access: str) -> float:
    """Return how long image_edit works on a fresh copy, without Python's and Ansible's own start."""
    times = folder / "times"
    times.unlink(missing_ok=True)
    _copy(sample(), folder)
    _edit(folder, access, PYTHONPATH=str(PROBE), VOC_BENCH_MODULE_TIMES=str(times))
    return sum(float(line.split()[1]) for line in times.read_text().splitlines())


def _edits(folder: Path, access: str) -> Row:
    found = [_inside(folder, access) for _run in range(RUNS + 1)]
    return Row(f"{len(EDITS)} edits, {access}", statistics.median(found[1:]), LIMITS[access])


@benchmark("guest", "edits ext")
def edits_ext(folder: Path) -> Row:
    """All edits in one task, by debugfs."""
    return _edits(folder, "ext")


@benchmark("guest", "edits mounted")
def edits_mounted(folder: Path) -> Row | None:
    """All edits in one task, by a private mount, which only root can make."""
    return _edits(folder, "mounted") if os.geteuid() == 0 else None


@benchmark("guest", "edits chroot")
def edits_chroot(folder: Path) -> Row | None:
    """A whole play with one image_edit, beside one of as many ordinary tasks by community.general.chroot."""
    if os.geteuid() != 0:
        return None
    tool(ROOT / "tools" / "get-collections", COLLECTIONS)
    # The modules of those tasks need a Python in the guest.
    with_python, place = folder / "python.raw", folder / "chroot"
    tool("cp", "--sparse=always", sample(), with_python)
    place.mkdir()
    _on_builder(folder, {"voc.cluster.image_packages": {"image": str(with_python), "name": ["python3"]}})
    variables = {"ansible_connection": "community.general.chroot", "ansible_python_interpreter": "/usr/bin/python3"}
    tasks = [{**edit.task, "vars": variables} for edit in EDITS]
    enter = ("unshare", "--mount", "sh", "-c", _IN_CHROOT, "sh", folder / "guest.raw", place)

    def by_tasks() -> None:
        paths = f"{ROOT / '.collections'}:{COLLECTIONS}"
        _play(folder, str(place), tasks, *enter, ANSIBLE_COLLECTIONS_PATH=paths, ANSIBLE_PIPELINING="1")

    times = paired(lambda: _edit(folder, "ext"), by_tasks, prepare=lambda: _copy(with_python, folder), runs=2)
    median, beside_median, ratio = times
    name, beside = f"{len(EDITS)} edits, whole play", f"{len(EDITS)} tasks, community.general.chroot"
    return Row(name, median, None, beside=beside, beside_median=beside_median, ratio=ratio)


@benchmark("guest", "edits virt-customize")
def edits_virt_customize(folder: Path) -> Row:
    """The same play beside one call of virt-customize, once: it boots a machine for the edits.

    libguestfs reads variables of its own, such as LIBGUESTFS_BACKEND_SETTINGS=force_tcg where KVM does not work.
    """
    options = [word for edit in EDITS for word in edit.options]
    source, image = disk(folder / "disk.raw"), folder / "guest.raw"
    _copy(source, folder)
    theirs = seconds(lambda: peer("virt-customize", "-q", "--format", "raw", "-a", image, *options))
    _copy(source, folder)
    ours = seconds(lambda: _edit(folder, "ext"))
    name, beside = f"{len(EDITS)} edits, whole play once", "virt-customize"
    return Row(name, ours, None, beside=beside, beside_median=theirs, ratio=ours / theirs)
