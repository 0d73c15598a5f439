"""Measure pll_nlif_gf180, the transistor neuron in GlobalFoundries' 180 nm, beside generic65 (`make bench-transistor GF180=1`).

Plans are those of group quick with more stimuli; what is told of generic65 is measure_transistor's, and its oscillator.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from typing import Any

import numpy as np
import xarray as xr
from measure_transistor import FOLDER, HELD_OUT, NEURON, RESULTS
from record import machine_line, write_block
from transistor_figures import of_card, of_corners

import neuronsim
from neuronsim.artifacts.dataset import cells, select
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import write_text
from neuronsim.circuits import GROUPS, characterize, load_manifest, load_plans, make_plan
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.errors import DataError
from neuronsim.neuron.closed_form import spike_time

GF180, GF180_RESULTS = "pll_nlif_gf180", FOLDER / "gf180.json"


def spikes(data: xr.Dataset) -> dict[str, int]:
    """Of the runs of transfer: how many failed, fired where eq 4 fires, and stayed silent where it stays silent."""
    rows = select(data, "transfer", ok=False)
    tau = rows["parameter_tau"].values[:, None]
    ideal = spike_time(rows["input_time_s"].values / tau, rows["weight"].values)
    meant = np.isfinite(ideal) & (ideal * tau[:, 0] < rows["window_s"].values)
    fired = np.isfinite(rows["spike_time_s"].values)
    return {
        "runs": int(fired.size),
        "failed": int((rows["status"].values != "ok").sum()),
        "meant_to_fire": int(meant.sum()),
        "fired_of_these": int((fired & meant).sum()),
        "fired_of_the_others": int((fired & ~meant).sum()),
    }


def of_oscillator(name: str, jobs: int) -> dict[str, float]:
    """The ring VCO at tt, 27 degrees and the nominal supply: frequency at rest, lock range, and kappa by theory."""
    plan = make_plan("oscillator", {"corners": ("tt",), "temperatures_c": (27.0,), "currents": (1.0,)})
    found = cells(characterize(name, [plan], jobs=jobs), "oscillator")
    low, rest, high = (float(f) for f in found["frequency_hz"].values)
    kappa = float(found["kappa_theory"].values[0])
    return {"rest_hz": rest, "lock_range_hz": high - low, "tau_s": 1 / (2 * (high - low)), "kappa_sqrt_s": kappa}


def processes_table(gf: dict[str, Any], generic: dict[str, Any]) -> str:
    """The block of docs/measured.md of both processes."""
    columns = []
    for name, found, volts in ((NEURON, generic, "1"), (GF180, gf, "3.3")):
        vco, at = gf["oscillator"][name], found["corners"]
        room = {p.split()[0]: e for p, e in at["by_point"].items() if p.split(" ", 1)[1] == f"27 C {volts} V"}
        energy = room["tt"]
        power = energy["always_on_energy_j"] / at["always_on_window_s"]
        card = found.get("card")
        columns.append([
            f"{vco['rest_hz'] / 1e6:.0f} MHz, +-{vco['lock_range_hz'] / 2e6:.2f} MHz",
            f"{vco['tau_s'] * 1e9:.1f} ns",
            f"{vco['kappa_sqrt_s'] * 1e9:.0f}e-9 sqrt(s)",
            f"{power * 1e6:.0f} uW",
            f"{energy['active_energy_j'] * 1e12:.1f} pJ, {energy['always_on_energy_j'] * 1e12:.1f} pJ",
            ", ".join(corner for corner in ("tt", "ss", "ff") if corner in room),
            _held_out(card, found.get("no_card", "")),
        ])  # fmt: skip
    names = (
        "ring VCO alone at rest, lock range",
        "tau = 1/(2 lock range)",
        "kappa of its own noise (theory)",
        "power, always on, at tt",
        "energy per spike at tt: active window, always on for 5 tau",
        "of tt, ss, ff at 27 °C it fires at",
        "held-out spike time: median, 95th percentile",
    )
    lines = ["| figure | generic65, 1.0 V | GlobalFoundries 180 nm, 3.3 V |", "|---|---|---|"]
    lines += [f"| {name} | {a} | {b} |" for name, a, b in zip(names, *columns, strict=True)]
    s, where = gf["spikes"], "tests/benchmarks/gf180.json; generic65: also the table above"
    said = (
        f"In 180 nm, {s['runs']} random stimuli: {s['fired_of_these']} of {s['meant_to_fire']} that fire by equation 4 do, "
        f"{s['fired_of_the_others']} of the others; {s['failed']} runs failed."
    )
    return "\n".join([*lines, "", said, "", f"{gf['date']}, {gf['machine']}; `{gf['command']}`, {where}"])


def _held_out(card: dict[str, Any] | None, reason: str) -> str:
    if card is None:
        return f"no card: {reason.split(';')[0]}"
    q = card["quality"]
    return (
        f"{q['median_error']:.1%}, {q['p95_error']:.1%} of {q['n_held_out']} runs "
        f"({q['median_over_target']:.2f}, {q['p95_over_target']:.2f} of what is allowed)"
    )


def main() -> None:
    """Measure and write down both processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trials", type=int, default=80, help="runs of plan transfer; a card needs some 60")
    asked = parser.parse_args()
    jobs, trials = asked.jobs, asked.trials
    manifest = load_manifest(GF180)
    plans = [
        make_plan("transfer", {**GROUPS["quick"]["transfer"], "trials": trials}),
        *(plan for plan in load_plans("quick", manifest) if plan.kind == "corners"),
    ]
    data = characterize(manifest, plans, jobs=jobs)
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(
            f"ngspice {engine_cli.version()}", *(f"{n} {v}" for n, v in read_netlist(manifest).packages.items())
        ),
        "command": f"python tests/benchmarks/processes.py --trials {trials}",
        "oscillator": {name: of_oscillator(name, jobs) for name in (NEURON, GF180)},
        "spikes": spikes(data),
        "corners": of_corners(data),
    }
    try:
        card = neuronsim.calibrate(data, held_out=HELD_OUT)
    except DataError as error:
        results["no_card"] = str(error)
    else:
        if not isinstance(card, TTFSCard):
            raise TypeError(f"{GF180} fires once: its card is no {type(card).__name__}")
        results["card"] = of_card(card)
    write_text(GF180_RESULTS, json.dumps(results, indent=1) + "\n")
    table = processes_table(results, json.loads(RESULTS.read_text(encoding="utf-8")))
    write_block("gf180", "bench-transistor", table)
    print(table)


if __name__ == "__main__":
    main()
