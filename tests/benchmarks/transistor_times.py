"""Time characterizations of pll_nlif_transistor as a user would see them (`make bench-transistor TIMES=1`, an hour and a half).

Every one starts with an empty cache; a second call finds everything done. Writes transistor_times.json and the README's block;
``--only quick`` leaves out the datasheet, whose former figure then stays.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure_transistor import FOLDER, NEURON
from record import machine_line, write_readme

from circuits import engine_cli
from neuronsim.files import write_text

TIMES = FOLDER / "transistor_times.json"
LIMIT_S = {"quick": 300, "datasheet": 3600, "again": 10}


def timed(group: str, jobs: int, cache: Path) -> dict[str, Any]:
    """Wall-clock time of one ``neuronsim characterize``, and the load of the machine around it."""
    before, started = os.getloadavg()[0], time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "neuronsim", "characterize", NEURON, "--plan", group, "--jobs", str(jobs),
         "--out", str(cache / f"{group}.nc")],
        env={**os.environ, "NEURONSIM_CACHE": str(cache)},
        check=True,
    )  # fmt: skip
    seconds = time.monotonic() - started
    return {"group": group, "jobs": jobs, "seconds": seconds, "load_before": before, "load_after": os.getloadavg()[0]}


def measure(group: str, jobs: list[int]) -> list[dict[str, Any]]:
    """``group`` from an empty cache with every number of jobs, the last one once more, unchanged."""
    found = []
    for number in jobs:
        with tempfile.TemporaryDirectory() as folder:
            found.append(timed(group, number, Path(folder)))
            if number == jobs[-1]:
                found.append({**timed(group, number, Path(folder)), "again": True})
    return found


def readme_table(made: dict[str, Any]) -> str:
    """The README's block."""
    lines = ["| `neuronsim characterize pll_nlif_transistor` | time | aim |", "|---|---|---|"]
    for part in made.values():
        for row in part["rows"]:
            kind = "again" if row.get("again") else row["group"]
            cold = ", unchanged, once more" if row.get("again") else ", nothing cached"
            load = f" (load average {row['load_before']:.1f} before)" if "load_before" in row else ""
            name = f"`--plan {row['group']} --jobs {row['jobs']}`{cold}{load}"
            seconds, limit = row["seconds"], LIMIT_S[kind]
            shown = f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
            aim = f"{limit} s" if limit < 60 else f"{limit / 60:.0f} min"
            lines.append(f"| {name} | {shown} | {aim} |")
    quick = [row for row in made.get("quick", {"rows": []})["rows"] if not row.get("again")]
    if len(quick) > 1:
        gain = quick[0]["seconds"] / quick[-1]["seconds"]
        lines.append(f"| {quick[-1]['jobs']} jobs against {quick[0]['jobs']} | {gain:.2f} x | 1.8 x |")
    told = [f"{part['date']}, {part['machine']}; `{part['command']}`" for part in made.values()]
    return "\n".join(
        [*lines, "", *(f"{line}  " for line in dict.fromkeys(told)), "tests/benchmarks/transistor_times.json"]
    )


def main() -> None:
    """Measure, and write down what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=["quick", "datasheet"], nargs="*", default=["quick", "datasheet"])
    parser.add_argument("--table", action="store_true", help="only write the README's block")
    asked = parser.parse_args()
    made = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.is_file() else {}
    for group in () if asked.table else asked.only:
        rows = measure(group, sorted({1, asked.jobs}) if group == "quick" else [asked.jobs])
        made[group] = {
            "date": datetime.date.today().isoformat(),
            "machine": machine_line(f"ngspice {engine_cli.version()}"),
            "command": f"python tests/benchmarks/transistor_times.py --only {group}",
            "rows": rows,
        }
        write_text(TIMES, json.dumps(made, indent=1) + "\n")
    table = readme_table(made)
    write_readme("times", "bench-transistor", table)
    print(table)


if __name__ == "__main__":
    main()
