"""Group guest: tasks inside an image, beside the same tasks on the machine itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from measure import Row, benchmark, paired
from sample import ROOT, sample, tool

LIMIT = 1.3
TASKS = 20
RUNS = 3
PROGRAMS = Path(sys.executable).parent
TASK = {"ansible.builtin.lineinfile": {"path": "/tmp/voc-bench-line", "line": "{{ item }}", "create": True}}


@benchmark("guest", "task in an image")
def task(folder: Path) -> Row:
    """Plays of some tasks that do the same, so that the start of a play counts little."""
    image = folder / "session.img"
    tool("cp", "--sparse=always", sample(), image)
    inventory = folder / "hosts.json"
    python = {"ansible_python_interpreter": sys.executable}
    hosts = {
        "local": {"ansible_connection": "local", "ansible_pipelining": True, **python},
        "star": {"ansible_connection": "voc.cluster.image", "image_work": str(image), "image_builder": "local"},
    }
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    play = folder / "play.yml"
    tasks = [json.loads(json.dumps(TASK).replace("{{ item }}", str(number))) for number in range(TASKS)]
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))

    def session(state: str) -> None:
        words = f"image={image} network=false keep=true state={state}"
        tool(PROGRAMS / "ansible", "local", "-i", inventory, "-m", "voc.cluster.image_session", "-a", words, cwd=ROOT)

    def run(host: str) -> None:
        tool(PROGRAMS / "ansible-playbook", play, "-i", inventory, "--limit", host, cwd=ROOT)

    session("present")
    try:
        times = paired(lambda: run("star"), lambda: run("local"), runs=RUNS)
    finally:
        session("absent")
        Path("/tmp/voc-bench-line").unlink(missing_ok=True)
    median, beside_median, ratio = (times[0] / TASKS, times[1] / TASKS, times[2])
    return Row("task in an image", median, LIMIT, beside="local", beside_median=beside_median, ratio=ratio)
