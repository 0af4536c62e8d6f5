"""Measures what has a limit: ``python tests/bench [NAME or GROUP]``.

Prints a table, writes bench.json beside the README, and ends with status 1 where a
limit is missed. A new benchmark is a function in the file of its group; see measure.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".collections"))

# They lie beside this file, and what they measure is found by the path above: hence so late.
import engine  # noqa: E402
import formats  # noqa: E402
import guest  # noqa: E402
import images  # noqa: E402
import instances  # noqa: E402
import line  # noqa: E402
import peers  # noqa: E402
import session  # noqa: E402
from measure import BENCHMARKS, PeerError, Row  # noqa: E402

# Importing a group registers its benchmarks.
GROUPS = (engine, formats, guest, images, instances, line, peers, session)


def table(rows: list[Row]) -> str:
    """Return the rows as text in columns."""
    lines = [("name", "median", "beside", "its median", "ratio", "limit", "")]
    for row in rows:
        beside = "" if row.beside_median is None else f"{row.beside_median:.2f} s"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        limit = "" if row.limit is None else f"{row.limit:g}"
        verdict = "" if row.limit is None else "holds" if row.holds else "MISSED"
        lines.append((row.name, f"{row.median:.2f} {row.unit}", row.beside or "", beside, ratio, limit, verdict))
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in lines)


def main(only: str) -> int:
    """Run the benchmarks of a name or group, or all."""
    chosen = [(key, function) for key, function in BENCHMARKS.items() if not only or only in key]
    if not chosen:
        print(f"no benchmark or group is called {only!r}; there are:", file=sys.stderr)
        print("".join(f"  {group}: {name}\n" for group, name in BENCHMARKS), end="", file=sys.stderr)
        return 2
    (ROOT / "build").mkdir(exist_ok=True)
    rows = []
    # Below build/, because that is on a disk; /tmp may be memory.
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
        for (group, name), function in chosen:
            print(f"{name} ...", file=sys.stderr)
            place = Path(folder) / group
            place.mkdir(exist_ok=True)
            try:
                row = function(place)
            except PeerError:
                row = None
            if row:
                rows.append(row)
            else:
                print(f"{name}: left out, what it needs is not installed or does not work here", file=sys.stderr)
    print(table(rows))
    report = [{**asdict(row), "holds": row.holds} for row in rows]
    (ROOT / "bench.json").write_text(json.dumps(report, indent=2) + "\n")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
