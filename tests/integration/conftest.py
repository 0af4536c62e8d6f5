"""What integration tests share: real images, the real runner, and a look at what is left behind."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ansible_collections.voc.cluster.plugins.plugin_utils._commands import PopenRunner

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "build" / "sample" / "starworker_part.img"

_PR_SET_CHILD_SUBREAPER = 36
_DEADLINE = 10  # seconds; the kernel frees a loop device a moment after its last user is gone


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")


def tool(*argv: str | Path, accept: tuple[int, ...] = (0,)) -> str:
    """Run a program outside the library and return what it printed."""
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "LC_ALL": "C"}
    done = subprocess.run([str(word) for word in argv], capture_output=True, check=False, env=environment)
    assert done.returncode in accept, f"{argv}: {(done.stdout + done.stderr).decode(errors='replace')}"
    return done.stdout.decode("utf-8", "surrogateescape")


def loop_devices(folders: tuple[Path, ...]) -> set[str]:
    """Return the loop devices on files in `folders`; others are other people's."""
    lines = tool("losetup", "-l", "-n", "-O", "NAME,BACK-FILE").splitlines()
    held = [line.split(maxsplit=1) for line in lines]
    return {f"loop device {name} on {file}" for name, file in held if file.startswith(tuple(map(str, folders)))}


def mounts(ours: Path) -> set[str]:
    """Return the mounts of this process's namespace, but for those that are other sessions' of pytest."""
    places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {
        f"mount on {place}"
        for place in places
        # `ip netns add` mounts this folder on itself for good, once.
        if place != "/run/netns" and (ours.parent not in Path(place).parents or Path(place).is_relative_to(ours))
    }


def network_namespaces() -> set[str]:
    folder = Path("/run/netns")
    return {f"network namespace {path.name}" for path in folder.iterdir()} if folder.is_dir() else set()


def processes() -> set[str]:
    """Return the living descendants of this process."""
    below: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            head, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it ended meanwhile
            continue
        state, above = rest.split()[:2]
        if state != "Z":
            below.setdefault(int(above), []).append((int(folder.name), head.partition("(")[2]))
    found: set[str] = set()
    ahead = [os.getpid()]
    while ahead:
        for number, name in below.get(ahead.pop(), []):
            ahead.append(number)
            found.add(f"process {number} ({name})")
    return found


def left_behind(look: Callable[[], set[str]], before: set[str]) -> set[str]:
    """Return what is still new at the end of the deadline."""
    end = time.monotonic() + _DEADLINE
    while (new := look() - before) and time.monotonic() < end:
        time.sleep(0.05)
    return new


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the session if it leaves a loop device, mount, process, network namespace or temporary file."""
    ours = tmp_path_factory.getbasetemp()
    scratch = tmp_path_factory.mktemp("temporary")

    def look() -> set[str]:
        files = {f"temporary file {path.name}" for path in scratch.iterdir()}
        return loop_devices((ours, SAMPLE)) | mounts(ours) | processes() | network_namespaces() | files

    # Orphans become children of this process, and so are seen whoever started them.
    assert ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
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
def runner() -> PopenRunner:
    """Start the real programs."""
    return PopenRunner()


@pytest.fixture
def make_partition(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a partition image of files.

    Its arguments: `files` by guest path; `fill`, called with the tree's folder, adds what
    files alone cannot say; `size` as mke2fs takes it; `kind` ext2, ext3 or ext4; `name`.
    """

    def make(
        files: Mapping[str, str | bytes],
        *,
        fill: Callable[[Path], None] | None = None,
        size: str = "32M",
        kind: str = "ext4",
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
            tool("mke2fs", "-q", "-F", "-t", kind, "-L", "root", "-d", root, image, size)
        return image

    return make
