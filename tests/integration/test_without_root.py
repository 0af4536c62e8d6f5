"""The whole line as an ordinary user, and its release boots."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .ordinary_user import USER, run_as_ordinary_user
from .playbooks import ROOT, Play, releases

# Root is needed to become somebody else, and for nothing after that; see ordinary_user.
pytestmark = [pytest.mark.root, pytest.mark.boot]

BOOT_SECONDS = 420


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ordinary")


def contextualize(folder: Path, sample: Path, kernel_bundle: Path) -> Play:
    extra = {
        "quickstart_build": str(folder / "build"),
        "image_source": str(sample),
        "site_kernel_bundle": str(kernel_bundle),
        "site_packages": [],
    }
    argv = ["ansible-playbook", "contextualize.yml", "--extra-vars", json.dumps(extra)]
    done = run_as_ordinary_user(argv, folder, [sample, kernel_bundle])
    return Play(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def first_run(folder: Path, sample: Path, kernel_bundle: Path) -> Play:
    return contextualize(folder, sample, kernel_bundle)


@pytest.mark.parametrize(
    "command",
    [
        "losetup -f",
        "mount -t tmpfs none $HOME",
        "unshare --user true",
        "unshare --mount true",
        "bwrap --ro-bind / / true",
        "cat /etc/shadow",
        "test -e /dev/kvm",
        "touch /var/tmp/mine",
        'touch "$PWD/mine"',
        "setpriv --reuid=0 true",
    ],
)
def test_the_user_is_allowed_nothing(folder: Path, command: str) -> None:
    """Else the run below would show nothing."""
    assert run_as_ordinary_user(["sh", "-c", "id -u"], folder).stdout == f"{USER}\n"
    assert run_as_ordinary_user(["sh", "-c", command], folder).returncode != 0


def test_a_release_is_made(first_run: Play, folder: Path) -> None:
    assert first_run.status == 0, first_run.output
    (manifest,) = releases(folder / "build")
    image = folder / "build/releases/starworker" / str(manifest["id"]) / str(manifest["file"])
    assert image.stat().st_uid == USER
    assert "site_kernel_bundle" in manifest["inputs"]
    assert list((folder / "build/work").iterdir()) == []


def test_every_step_but_packages_did_its_work(first_run: Play) -> None:
    words = first_run.output.partition("PLAY RECAP")[0].split("TASK [")
    changed = [task.partition("]")[0] for task in words if "\nchanged: " in task]
    assert [name for name in changed if " : " not in name] == [
        "Lay out the disk",
        "Put in the site's kernel",
        "Make it boot",
        "Release",
    ]
    assert first_run.changed == len(changed)
    (packages,) = [task for task in words if task.startswith("Install the site's packages")]
    assert "\nskipping: " in packages


def test_a_second_run_does_nothing(first_run: Play, folder: Path, sample: Path, kernel_bundle: Path) -> None:
    play = contextualize(folder, sample, kernel_bundle)
    assert (play.status, play.changed) == (0, 0), play.output


def test_a_bundle_with_another_content_makes_a_new_release(
    first_run: Play, folder: Path, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "bundle").write_bytes(b"no bundle")
    play = contextualize(folder, sample, tmp_path / "bundle")
    assert play.status != 0
    assert "A new release is needed: site_kernel_bundle." in play.output
    assert f"{tmp_path}/bundle: the archive ends too early" in play.output
    assert len(releases(folder / "build")) == 1


@pytest.fixture
def serial_log(first_run: Play, folder: Path, tmp_path: Path) -> Iterator[Path]:
    """Boot the release; give the log of its serial console; end it."""
    assert first_run.status == 0, first_run.output
    release = folder / "build/releases/starworker/current"
    boot = [sys.executable, ROOT / "tools/boot.py", release.resolve(), "--port", "0", "--background", tmp_path]
    subprocess.run(boot, check=True)
    number = int((tmp_path / "qemu.pid").read_text())
    try:
        yield tmp_path / "serial.log"
    finally:
        os.kill(number, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(number, 0)


def test_the_release_boots_to_a_login_prompt(serial_log: Path) -> None:
    end = time.monotonic() + BOOT_SECONDS
    while b"login: " not in serial_log.read_bytes():
        said = serial_log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < end, f"no prompt after {BOOT_SECONDS} s; the console says:\n{said}"
        time.sleep(0.5)
