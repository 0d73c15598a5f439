"""Time characterizations of pll_nlif_transistor as a user would see them (`make bench-transistor TIMES=1`, an hour and a half).

Every one starts with an empty cache; a second call finds everything done. How much faster several workers are is set beside what
this machine gains for the same ngspice runs without neuronsim around them: its cores share caches, clock and sometimes more.
Writes transistor_times.json and the block of docs/measured.md; ``--only quick`` leaves out the datasheet, whose
former figure then stays.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from measure_transistor import FOLDER, NEURON
from record import machine_line, write_block

from neuronsim.atomic_write import write_text
from neuronsim.circuits import load_manifest, load_plans
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice import command_line as engine_cli

TIMES = FOLDER / "transistor_times.json"
LIMIT_S = {"quick": 300, "datasheet": 3600, "again": 10}
AGAIN = 3


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


def measure(group: str, jobs: list[int], repeats: int, folder: Path) -> list[dict[str, Any]]:
    """``group`` from an empty cache with every number of jobs in turn, ``repeats`` times, and as often unchanged at the end."""
    found = []
    for repeat in range(repeats):
        for number in jobs:
            cache = folder / f"{group}_{number}_{repeat}"
            cache.mkdir(parents=True)  # an old cache would make it a rerun
            found.append(timed(group, number, cache))
    found += [{**timed(group, jobs[-1], cache), "again": True} for _ in range(AGAIN)]
    return found


def machine_gain(jobs: int, repeats: int = 3) -> dict[str, Any]:
    """``jobs`` equal runs of ngspice one after the other, and at once: seconds of each of ``repeats`` tries."""
    manifest = load_manifest(NEURON)
    (plan,) = load_plans("transfer", manifest)
    job = build(resolve(manifest, plan.runs(manifest, {}, 0)[0]), read_netlist(manifest))
    seconds: dict[int, list[float]] = {1: [], jobs: []}
    for _ in range(repeats):
        for workers, times in seconds.items():
            started = time.monotonic()
            with ThreadPoolExecutor(workers) as pool:  # each waits for a process of its own
                list(pool.map(lambda _: engine_cli.run(job, 600), range(jobs)))
            times.append(time.monotonic() - started)
    return {"jobs": jobs, "one_after_the_other_s": seconds[1], "at_once_s": seconds[jobs]}


def measured_table(made: dict[str, Any]) -> str:
    """The block of docs/measured.md."""
    lines = ["| `neuronsim characterize pll_nlif_transistor` | time | aim |", "|---|---|---|"]
    for part in made.values():
        kinds: dict[tuple, list[float]] = {}
        for row in part["rows"]:
            kinds.setdefault((row["group"], row["jobs"], row.get("again", False)), []).append(row["seconds"])
        for (group, jobs, again), times in kinds.items():
            seconds, limit = statistics.median(times), LIMIT_S["again" if again else group]
            of = f" (median of {len(times)}: {min(times):.1f} to {max(times):.1f} s)" if len(times) > 1 else ""
            name = f"`--plan {group} --jobs {jobs}`, {'unchanged, once more' if again else 'nothing cached'}"
            shown = f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
            lines.append(f"| {name} | {shown}{of} | {f'{limit} s' if limit < 60 else f'{limit / 60:.0f} min'} |")
    lines += _gain_rows(made.get("quick", {}))
    told = [f"{part['date']}, {part['machine']}; `{part['command']}`" for part in made.values()]
    return "\n".join(
        [*lines, "", *(f"{line}  " for line in dict.fromkeys(told)), "tests/benchmarks/transistor_times.json"]
    )


def _gain_rows(quick: dict[str, Any]) -> list[str]:
    cold = [row for row in quick.get("rows", []) if not row.get("again")]
    numbers = sorted({row["jobs"] for row in cold})
    if len(numbers) < 2:
        return []
    one, all_jobs = ([row["seconds"] for row in cold if row["jobs"] == jobs] for jobs in (numbers[0], numbers[-1]))
    gains = [a / b for a, b in zip(one, all_jobs, strict=True)]
    plain = quick["machine_gain"]
    own = [a / b for a, b in zip(plain["one_after_the_other_s"], plain["at_once_s"], strict=True)]
    return [
        f"| {numbers[-1]} jobs against 1, nothing cached | {_spread(gains)} | 1.8 x |",
        f"| {plain['jobs']} plain runs of ngspice at once against one after the other | {_spread(own)} | |",
    ]


def _spread(gains: list[float]) -> str:
    return f"{statistics.median(gains):.2f} x (median of {len(gains)}: {min(gains):.2f} to {max(gains):.2f})"


def main() -> None:
    """Measure, and write down what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=["quick", "datasheet"], nargs="*", default=["quick", "datasheet"])
    parser.add_argument("--folder", type=Path, help="a new folder for caches and datasets (default: a temporary one)")
    parser.add_argument("--table", action="store_true", help="only write the block of docs/measured.md")
    asked = parser.parse_args()
    made = json.loads(TIMES.read_text(encoding="utf-8")) if TIMES.is_file() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for group in () if asked.table else asked.only:
            jobs, repeats = (sorted({1, asked.jobs}), 3) if group == "quick" else ([asked.jobs], 1)
            made[group] = {
                "date": datetime.date.today().isoformat(),
                "machine": machine_line(f"ngspice {engine_cli.version()}"),
                "command": f"python tests/benchmarks/transistor_times.py --only {group}",
                "rows": measure(group, jobs, repeats, asked.folder or Path(temporary)),
                **({"machine_gain": machine_gain(asked.jobs)} if len(jobs) > 1 else {}),
            }
            write_text(TIMES, json.dumps(made, indent=1) + "\n")
    table = measured_table(made)
    write_block("times", "bench-transistor", table)
    print(table)


if __name__ == "__main__":
    main()
