"""Group images: the time inside the modules of a whole run, beside the one copy that no way can avoid."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from measure import Row, benchmark, paired
from sample import kernel_bundle, sample, tool

from ansible_collections.voc.cluster.tests.integration.playbooks import contextualize

PROBE = Path(__file__).resolve().parent / "probe"
LIMIT = 2.0
RUNS = 3


def module_seconds(folder: Path) -> dict[str, float]:
    """Make a release below `folder`, with the kernel of a bundle; return what its modules took, by their names."""
    times = folder / "times"
    shutil.rmtree(folder / "build", ignore_errors=True)
    times.unlink(missing_ok=True)
    os.environ |= {"PYTHONPATH": str(PROBE), "VOC_BENCH_MODULE_TIMES": str(times)}
    try:
        play = contextualize(
            folder / "build",
            sample(),
            site_kernel_bundle=str(kernel_bundle()),
            site_packages=[],
            ansible_python_interpreter=sys.executable,
        )
    finally:
        del os.environ["PYTHONPATH"], os.environ["VOC_BENCH_MODULE_TIMES"]
    if play.status:
        raise RuntimeError(play.output)
    seconds: dict[str, float] = defaultdict(float)
    for name, taken in map(str.split, times.read_text().splitlines()):
        seconds[name.rpartition(".")[2]] += float(taken)
    return seconds


@benchmark("images", "engine")
def engine(folder: Path) -> Row:
    """From a raw partition image to a release in qcow2; Ansible's own time does not count."""
    copy = folder / "copy.qcow2"
    kernel_bundle()
    inside: list[dict[str, float]] = []

    def floor() -> None:
        tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", sample(), copy)
        os.sync()

    def prepare() -> None:
        copy.unlink(missing_ok=True)
        os.sync()

    _wall, beside_median, _ratio = paired(
        lambda: inside.append(module_seconds(folder)), floor, prepare=prepare, runs=RUNS
    )
    del inside[0]
    median = statistics.median(sum(seconds.values()) for seconds in inside)
    for name in inside[0]:
        print(f"  {name}: {statistics.median(seconds[name] for seconds in inside):.3f} s", file=sys.stderr)
    return Row(
        "engine",
        median,
        LIMIT,
        beside="qemu-img convert",
        beside_median=beside_median,
        ratio=median / beside_median,
    )
