"""What integration tests share: real images, the real runner, and a look at what is left behind."""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.module_utils._guest.mounted import MOUNT_POINT
from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

from .machine import PR_SET_CHILD_SUBREAPER, left_behind, loop_devices, mounts, network_namespaces, processes, tool

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "build" / "sample" / "starworker_part.img"
OLDER_SAMPLE = SAMPLE.with_name("bookworm_part.img")
KERNEL_BUNDLE = ROOT / "build" / "kernel" / "trixie-linux-image-cloud-amd64.tar.zst"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session if it leaves a loop device, mount, process, network namespace or temporary file."""
    ours = tmp_path_factory.getbasetemp()
    scratch = tmp_path_factory.mktemp("temporary")

    def look() -> set[str]:
        files = {f"temporary file {path.name}" for path in scratch.iterdir()}
        devices = loop_devices((ours, SAMPLE)) | mounts((ours, ROOT, Path(MOUNT_POINT)))
        return devices | processes() | network_namespaces() | files

    # Orphans become children of this process, and so are seen whoever started them.
    assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    before = look()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        patch.setattr(tempfile, "tempdir", None)
        yield
        new = left_behind(look, before)
    assert not new, f"the tests left behind: {', '.join(sorted(new))}"


@pytest.fixture(scope="session")
def sample() -> Path:
    """Return the sample partition image; it is made once and kept. Never write to it."""
    tool(ROOT / "tools" / "make-sample-image", SAMPLE)
    return SAMPLE


@pytest.fixture(scope="session")
def older_sample() -> Path:
    """Return the same of the Debian release before; it is made once and kept. Never write to it."""
    tool("env", "SUITE=bookworm", ROOT / "tools" / "make-sample-image", OLDER_SAMPLE)
    return OLDER_SAMPLE


@pytest.fixture(scope="session")
def kernel_bundle() -> Path:
    """Return a kernel bundle for the sample; it is made once and kept."""
    tool(ROOT / "tools" / "make-kernel-bundle", KERNEL_BUNDLE)
    return KERNEL_BUNDLE


@pytest.fixture(scope="session")
def runner() -> PopenRunner:
    """Start the real programs."""
    return PopenRunner()


@pytest.fixture
def make_partition(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a partition image of files.

    Its arguments: `files` by guest path; `fill`, called with the tree's folder, adds what
    files alone cannot say; `size`, `kind` and more `options` as mke2fs takes them; `name`.
    """

    def make(
        files: Mapping[str, str | bytes],
        *,
        fill: Callable[[Path], None] | None = None,
        size: str = "32M",
        kind: str = "ext4",
        options: tuple[str, ...] = (),
        name: str = "partition.img",
    ) -> Path:
        image = tmp_path / name
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            root = Path(folder) / "root"
            root.mkdir(mode=0o755)
            for path, content in files.items():
                target = root / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content if isinstance(content, bytes) else content.encode())
            if fill:
                fill(root)
            tool("mke2fs", "-q", "-F", "-t", kind, "-b", "4096", "-L", "root", *options, "-d", root, image, size)
        return image

    return make
