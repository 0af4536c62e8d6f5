"""The line, end to end: from a bare partition image to a release, and again."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .machine import tool
from .playbooks import PROGRAMS, ROOT, Play, contextualize, listing, releases

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("build")


@pytest.fixture(scope="module")
def digest(sample: Path) -> str:
    return sha256(sample)


@pytest.fixture(scope="module")
def first_run(build: Path, sample: Path, digest: str) -> Play:
    del digest  # taken before anything touches the sample
    return contextualize(build, sample)


@pytest.mark.line
def test_release_is_made(first_run: Play, build: Path, sample: Path, digest: str) -> None:
    assert first_run.status == 0, first_run.output
    (manifest,) = releases(build)
    folder = build / "releases/starworker" / str(manifest["id"])
    image = folder / str(manifest["file"])
    assert digest == sha256(sample)
    assert manifest["sha256"] == sha256(image)
    assert manifest["virtual_size"] == 4 << 30
    assert (build / "releases/starworker/current").resolve() == folder
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", image], check=True)


@pytest.mark.line
def test_last_lines_say_where_it_is_and_how_to_boot_it(first_run: Play, build: Path) -> None:
    (manifest,) = releases(build)
    last = first_run.output.strip().splitlines()[-1]
    path = build / "releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    said = json.loads(last.partition("RUN: ")[2])
    assert said == {"releases": {"starworker": str(path)}, "boot": {"starworker": f"make boot RELEASE={path}"}}


@pytest.mark.line
def test_work_folder_is_gone(first_run: Play, build: Path) -> None:
    assert list((build / "work").iterdir()) == []


@pytest.mark.line
def test_second_run_does_nothing(first_run: Play, build: Path, sample: Path) -> None:
    before = {path: (build / path).lstat().st_mtime_ns for path in listing(build)}
    play = contextualize(build, sample)
    assert play.status == 0, play.output
    assert play.changed == 0
    assert {path: (build / path).lstat().st_mtime_ns for path in listing(build)} == before


def test_check_mode_tells_and_does_nothing(first_run: Play, build: Path, sample: Path) -> None:
    before = listing(build)
    play = contextualize(build, sample, "--check", site_grid={"OSG_APP": "/elsewhere"})
    assert play.status == 0, play.output
    assert "A new release is needed: site_grid." in play.output
    assert play.changed == 0
    assert listing(build) == before


def test_the_last_lines_name_the_firmware_that_boots_it(first_run: Play, build: Path, sample: Path) -> None:
    play = contextualize(build, sample, "--check", site_hypervisor={"firmware": "uefi"})
    assert "make boot FIRMWARE=uefi RELEASE=" in play.output


def test_changed_site_makes_a_new_release_and_keeps_the_old(first_run: Play, build: Path, sample: Path) -> None:
    (old,) = releases(build)
    play = contextualize(build, sample, site_scratch={"path": "/scratch", "type": "tmpfs"})
    assert play.status == 0, play.output
    assert "A new release is needed: site_scratch." in play.output
    kept, new = releases(build)
    assert kept == old
    folder = build / "releases/starworker"
    assert sha256(folder / str(old["id"]) / str(old["file"])) == old["sha256"]
    assert (folder / "current").resolve().name == new["id"]


def test_disk_image_of_a_cloud_is_laid_out_anew(tmp_path: Path, sample: Path) -> None:
    """GPT, root first on the disk, ESP and swap beside it, as qcow2: it becomes a larger DOS disk."""
    script = (
        "label: gpt\n"
        "14 : start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n"
        "15 : start=4096, size=73728, type=U\n"
        "1 : start=77824, size=1G, type=L\n"
        "2 : size=8M, type=S\n"
    )
    raw, image = tmp_path / "cloud.raw", tmp_path / "cloud.qcow2"
    raw.touch()
    os.truncate(raw, (38 << 20) + (1 << 30) + (16 << 20))
    subprocess.run(["sfdisk", "-q", "--no-reread", raw], input=script.encode(), check=True)
    subprocess.run(
        ["dd", f"if={sample}", f"of={raw}", "bs=1M", "seek=38", "conv=sparse,notrunc", "status=none"], check=True
    )
    subprocess.run(["qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, image], check=True)
    digest = sha256(image)

    play = contextualize(
        tmp_path / "build", image, site_hypervisor={"format": "raw", "disk_size": "3G", "table": "dos"}
    )

    assert play.status == 0, play.output
    assert sha256(image) == digest
    (manifest,) = releases(tmp_path / "build")
    disk = tmp_path / "build/releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    assert disk.stat().st_size == 3 << 30
    listed = json.loads(subprocess.run(["sfdisk", "--json", disk], check=True, capture_output=True).stdout)
    table = listed["partitiontable"]
    assert (table["label"], sorted(part["type"] for part in table["partitions"])) == ("dos", ["82", "83", "ef"])
    (root,) = (part for part in table["partitions"] if part["type"] == "83")
    assert root["start"] + root["size"] == (3 << 30) // 512
    subprocess.run(["e2fsck", "-f", "-n", f"{disk}?offset={root['start'] * 512}"], check=True, capture_output=True)


def test_two_runs_at_once_for_one_site_do_not_meet(tmp_path: Path, sample: Path, kernel_bundle: Path) -> None:
    variables = {"site_kernel_bundle": str(kernel_bundle), "site_packages": [], "site_hypervisor": {"format": "raw"}}
    with ThreadPoolExecutor(2) as pool:
        plays = list(pool.map(lambda _run: contextualize(tmp_path, sample, **variables), range(2)))
    for play in plays:
        assert play.status == 0, play.output
    assert list((tmp_path / "work").iterdir()) == []
    for manifest in releases(tmp_path):
        disk = tmp_path / "releases/starworker" / str(manifest["id"]) / str(manifest["file"])
        for path in ("/boot/grub/grub.cfg", "/etc/profile.d/voc-cluster.sh"):
            assert "Inode:" in debugfs(disk, f"stat {path}")


def test_what_a_killed_run_left_is_removed_when_it_is_old(tmp_path: Path, sample: Path, kernel_bundle: Path) -> None:
    ours, others = (tmp_path / "work" / name for name in ("starworker-0123456789ab", "moonworker-0123456789ab"))
    young = ours.with_name("starworker-abcdefghijkl")
    for folder in (ours, others, young):
        folder.mkdir(parents=True)
    for folder in (ours, others):
        os.utime(folder, (0, 0))
    play = contextualize(tmp_path, sample, site_kernel_bundle=str(kernel_bundle), site_packages=[])
    assert play.status == 0, play.output
    assert set((tmp_path / "work").iterdir()) == {others, young}


def test_own_image_is_a_host_of_its_own(tmp_path: Path, sample: Path) -> None:
    image = tmp_path / "my part.img.gz"
    with sample.open("rb") as plain, gzip.open(image, "wb", compresslevel=1) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    digest = sha256(image)
    done = subprocess.run(
        ["make", "contextualize", f"IMAGE={image}", f"ARGS=--extra-vars quickstart_build={tmp_path / 'build'}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    (ROOT / "build/inventory/my_part.json").unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    (manifest,) = releases(tmp_path / "build", "my_part")
    assert digest == sha256(image)
    assert manifest["source"]["path"] == str(image)


def test_starts_as_awx_does(tmp_path: Path, sample: Path) -> None:
    """AWX runs a playbook of a plain clone through ansible-runner, with extra variables."""
    folder = tmp_path / "runner"
    (folder / "env").mkdir(parents=True)
    subprocess.run(
        ["git", "-c", "safe.directory=*", "clone", "--quiet", "--no-local", ROOT, folder / "project"], check=True
    )
    extra = {"image_source": str(sample), "quickstart_build": str(tmp_path / "build")}
    (folder / "env/extravars").write_text(json.dumps(extra))
    done = subprocess.run(
        [PROGRAMS / "ansible-runner", "run", folder, "--playbook", "contextualize.yml", "--ident", "job"],
        env={**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (manifest,) = releases(tmp_path / "build")
    events = [json.loads(path.read_text()) for path in (folder / "artifacts/job/job_events").glob("*.json")]
    (stats,) = [event for event in events if event["event"] == "playbook_on_stats"]
    assert str(manifest["id"]) in stats["event_data"]["artifact_data"]["releases"]["starworker"]


def debugfs(disk: Path, request: str) -> str:
    return tool("debugfs", "-R", request, f"{disk}?offset={1 << 20}")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
