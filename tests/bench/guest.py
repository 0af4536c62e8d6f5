"""Group guest: 25 edits of a site on the sample image by one image_edit, and the same edits by virt-customize."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from measure import RUNS, Row, benchmark, seconds
from sample import ROOT, sample, tool

PROBE = Path(__file__).resolve().parent / "probe"
SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
LIMITS = {"ext": 0.15, "mounted": 0.4}  # seconds


@dataclass(frozen=True)
class Edit:
    """One edit, in two languages.

    Attributes:
        ours: as image_edit takes it.
        theirs: as virt-customize takes it.
    """

    ours: dict[str, object]
    theirs: tuple[str, ...]


def _file(path: str, content: str) -> Edit:
    return Edit(
        {"file": {"path": path, "content": content}},
        ("--write", f"{path}:{content}"),
    )


def _directory(path: str) -> Edit:
    return Edit(
        {"directory": {"path": path, "mode": "0755"}},
        ("--mkdir", path),
    )


def _symlink(path: str, target: str) -> Edit:
    return Edit(
        {"symlink": {"path": path, "target": target}},
        ("--link", f"{target}:{path}"),
    )


def _absent(path: str) -> Edit:
    return Edit({"absent": {"path": path}}, ("--delete", path))


def _line(path: str, line: str) -> Edit:
    return Edit(
        {"line": {"path": path, "line": line, "create": True}},
        ("--append-line", f"{path}:{line}"),
    )


def _fstab(source: str, path: str) -> Edit:
    line = f"{source} {path} nfs ro,_netdev,nofail 0 0"
    return Edit(
        {"fstab": {"source": source, "path": path, "type": "nfs", "options": ["ro", "_netdev", "nofail"]}},
        ("--append-line", f"/etc/fstab:{line}"),
    )


EDITS = (
    _fstab("nfs1:/grid/app", "/grid/app"),
    _fstab("nfs1:/grid/data", "/grid/data"),
    Edit(
        {"environment": {"OSG_APP": "/grid/app", "OSG_DATA": "/grid/data"}},
        ("--append-line", "/etc/environment:OSG_APP=/grid/app"),
    ),
    Edit(
        {"hosts": {"address": "10.0.0.1", "names": ["head.example.org", "head"]}},
        ("--append-line", "/etc/hosts:10.0.0.1 head.example.org head"),
    ),
    *(_file(f"/etc/voc-{number}.conf", f"setting = {number}\n" * 20) for number in range(5)),
    *(_directory(path) for path in ("/scratch", "/grid", "/srv/voc")),
    _symlink("/etc/voc.conf", "voc-1.conf"),
    _symlink("/srv/grid", "/grid"),
    _absent("/etc/motd"),
    _absent("/var/cache/apt"),
    _line("/etc/bash.bashrc", "umask 022"),
    _line("/etc/security/limits.conf", "* hard core 0"),
    Edit(
        {"block": {"path": "/etc/profile", "block": "export VOC=1\nexport SITE=here"}},
        ("--append-line", "/etc/profile:export VOC=1", "--append-line", "/etc/profile:export SITE=here"),
    ),
    Edit(
        {"replace": {"path": "/etc/login.defs", "regexp": "^UMASK.*$", "replace": "UMASK 077"}},
        ("--edit", "/etc/login.defs:s/^UMASK.*$/UMASK 077/"),
    ),
    Edit(
        {"ini": {"path": "/etc/voc.ini", "section": "site", "option": "name", "value": "here"}},
        ("--write", "/etc/voc.ini:[site]\nname = here\n"),
    ),
    Edit(
        {"sysctl": {"name": "vm.swappiness", "value": "10"}},
        ("--write", "/etc/sysctl.d/99-voc.conf:vm.swappiness = 10\n"),
    ),
    Edit(
        {"kernel_module": {"name": "nfs", "load": True}},
        ("--write", "/etc/modules-load.d/nfs.conf:nfs\n"),
    ),
    Edit(
        {"group": {"name": "voc", "gid": 7000}},
        ("--run-command", "groupadd -g 7000 voc"),
    ),
    Edit(
        {"user": {"name": "voc", "uid": 7000, "group": "voc"}},
        ("--run-command", "useradd -m -u 7000 -g voc voc"),
    ),
)


def _play(folder: Path, plays: object, **environment: str) -> None:
    """Run plays that must succeed."""
    playbook = folder / "plays.json"
    playbook.write_text(json.dumps(plays))
    done = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", playbook],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _inside(folder: Path, access: str) -> float:
    """Return how long image_edit works on a fresh copy, without Python's and Ansible's own start."""
    image, times = folder / "guest.raw", folder / "times"
    tool("cp", "--sparse=always", sample(), image)
    times.unlink(missing_ok=True)
    edits = [edit.ours for edit in EDITS]
    task = {"voc.cluster.image_edit": {"image": str(image), "access": access, "edits": edits}}
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "tasks": [task],
    }
    _play(folder, [play], PYTHONPATH=str(PROBE), VOC_BENCH_MODULE_TIMES=str(times))
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


@benchmark("guest", "edits virt-customize")
def edits_virt_customize(folder: Path) -> Row | None:
    """The same edits in one call of virt-customize, once: it boots a machine for them."""
    if shutil.which("virt-customize", path=SYSTEM) is None:
        return None
    image = folder / "guest.raw"
    tool("cp", "--sparse=always", sample(), image)
    words = [word for edit in EDITS for word in edit.theirs]
    took = seconds(lambda: tool("virt-customize", "-q", "--format", "raw", "-a", image, *words))
    return Row(f"{len(EDITS)} edits, virt-customize", took, None)
