"""Measure what docs/measured.md quotes: accuracy and speed of the bench (the TTFS layers: bench_ttfs.py).

Run by ``make bench``; writes results.json beside this file (figures, machine, date, command) and the table of docs/measured.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
from record import machine_line, write_block

from neuronsim import spike_time
from neuronsim.atomic_write import write_text
from neuronsim.circuits import characterize, load_manifest
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.ngspice import shared_library as engine_shared
from neuronsim.circuits.plans import Jitter, Quantization, Transfer

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"


def against_equation_4(neuron: str, jobs: int, **plan: float) -> dict[str, float]:
    """Relative spike-time error against equation 4 on 20 random stimuli."""
    data = characterize(neuron, [Transfer(trials=20, silent=0.0, **plan)], seed=1, jobs=jobs)
    theory = spike_time(data["input_time_s"].values, data["weight"].values, tau=50e-9)
    error = np.abs(data["spike_time_s"].values / theory - 1)
    return {"mean": float(error.mean()), "max": float(error.max())}


def engines_agree() -> float:
    """Largest relative difference of the spike time between the two engines."""
    times = [
        characterize("pll_nlif_averaged", [Transfer(trials=20, silent=0.0)], seed=1, engine=engine, cache=False)[
            "spike_time_s"
        ].values
        for engine in ("ngspice-shared", "ngspice-cli")
    ]
    return float(np.abs(times[0] / times[1] - 1).max())


def bare(job) -> None:
    """ngspice alone: load, run and forget a deck without reading anything back (the floor of what a run costs)."""
    engine_shared._start()
    engine_shared._messages.clear()
    engine_shared._load(job.deck)
    engine_shared._command("run")
    engine_shared._forget()


def throughput(jobs: int) -> dict[str, float]:
    """2000 averaged runs (table 3), and the overhead per run over the bare ngspice time of the same decks."""
    plans = [Jitter(trials=200, levels=(0.01, 0.03, 0.05, 0.09)), Quantization(trials=200, levels=(4, 8, 16, 32))]
    walls = []
    for _ in range(3):
        start = time.perf_counter()
        runs = characterize("pll_nlif_averaged", plans, jobs=jobs, cache=False).sizes["run"]
        walls.append(time.perf_counter() - start)
    manifest = load_manifest("pll_nlif_averaged")
    netlist = read_netlist(manifest)
    decks = [build(resolve(manifest, run), netlist) for run in plans[0].runs(manifest, {}, 0)[:100]]
    alone = []
    engine_shared.run(decks[0])
    for _ in range(3):
        start = time.perf_counter()
        for deck in decks:
            bare(deck)
        alone.append((time.perf_counter() - start) / len(decks))
    return {
        "runs": runs,
        "wall_s": statistics.median(walls),
        "bare_ms_per_run": 1e3 * statistics.median(alone),
        "overhead_ms_per_run": 1e3 * (statistics.median(walls) * jobs / runs - statistics.median(alone)),
    }


def table3(jobs: int) -> dict[str, dict[str, float]]:
    """Mean output jitter of table 3, 200 trials a point, as a fraction."""
    found: dict[str, dict[str, float]] = {}
    for plan in (Jitter(trials=200), Quantization(trials=200)):
        data = characterize("pll_nlif_averaged", [plan], jobs=jobs)
        level, measured, trial = (data[name].values for name in ("level", "spike_time_s", "trial"))
        wanted = {int(t): s for t, s in zip(trial[level == 0], measured[level == 0], strict=True)}
        desired = np.array([wanted[int(t)] for t in trial])
        theory = spike_time(data["nominal_time_s"].values, data["nominal_weight"].values, tau=50e-9)
        found[plan.kind] = {
            f"{value:g}": float(np.mean(np.abs(measured[level == value] / desired[level == value] - 1)))
            for value in np.unique(level)
            if value
        }
        found[plan.kind]["floor"] = float(np.mean(np.abs(measured[level == 0] / theory[level == 0] - 1)))
    return found


def measured_table(results: dict) -> str:
    """The figures as docs/measured.md has them."""
    a, p, t = (results[name] for name in ("averaged", "switching", "throughput"))
    jitter, bits = results["table3"]["jitter"], results["table3"]["quantization"]
    rows = [
        ("`pll_nlif_averaged` (r = 200) against eq (4), 20 stimuli", f"mean {a['mean']:.4%}, max {a['max']:.4%}"),
        ("`pll_nlif_pwm` at 1 GHz against eq (4), 20 stimuli", f"mean {p['mean']:.2%}, max {p['max']:.2%}"),
        ("ngspice-shared against ngspice-cli", f"{results['engines']:.1e} relative"),
        (f"{t['runs']:.0f} averaged runs, {results['jobs']} processes", f"{t['wall_s']:.1f} s"),
        (
            "one run: bare ngspice, and what the bench adds",
            f"{t['bare_ms_per_run']:.1f} ms + {t['overhead_ms_per_run']:.1f} ms",
        ),
        (
            "output jitter at 1/3/5/7/9 % input jitter",
            " / ".join(f"{jitter[x]:.3%}" for x in ("0.01", "0.03", "0.05", "0.07", "0.09")),
        ),
        ("output jitter at 4/8/16 bit weights", " / ".join(f"{bits[x]:.4%}" for x in ("4", "8", "16"))),
        ("numerical floor of those decks", f"{jitter['floor']:.4%} and {bits['floor']:.4%}"),
    ]
    lines = ["| figure | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    return "\n".join(
        [*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, tests/benchmarks/results.json"]
    )


def main() -> None:
    """Measure everything and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    jobs = parser.parse_args().jobs
    results = {
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(f"ngspice {engine_cli.version()}"),
        "command": "make bench",
        "jobs": jobs,
        "averaged": against_equation_4("pll_nlif_averaged", jobs),
        "switching": against_equation_4("pll_nlif_pwm", jobs, settle=4.0),
        "engines": engines_agree(),
        "throughput": throughput(jobs),
        "table3": table3(jobs),
    }
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    table = measured_table(results)
    write_block("figures", "bench", table)
    print(table)


if __name__ == "__main__":
    main()
