"""Measure pll_nlif_transistor (`make bench-transistor`): its card with noise, the 45 corner points, reset, chips, table 3 beside
the averaged neuron, every level on the same stimuli, and the verdict on the card.

Plans are those of group datasheet; finished runs are cached, so the parts can be measured one after the other.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from record import machine_line, write_block
from transistor_figures import (
    ABOVE,
    of_card,
    of_chips,
    of_corners,
    of_levels,
    of_noise,
    of_phase_noise,
    of_reset,
    of_table3,
    of_thermal,
)
from transistor_table import measured_table

import neuronsim
from neuronsim.artifacts.dataset import Characterization
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.atomic_write import write_text
from neuronsim.circuits import characterize, compare, load_manifest, load_plans, verify
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.plans.cells import CellPlan

NEURON = "pll_nlif_transistor"
FOLDER = Path(__file__).parent
RESULTS, CARD, DATA = (FOLDER / name for name in ("transistor.json", "transistor_card.json", "transistor.nc"))
PLANS = (
    "transfer",
    "saturation",
    "corners",
    "reset",
    "jitter",
    "quantization",
    "phase_noise",
    "mismatch",
    "energy",
    "thermal",
)
HELD_OUT = 0.5
MIRROR, WIDER = "n3 vdd wm={wmirror}", "n3 vdd wm={1.2*wmirror}"


def main() -> None:
    """Measure the chosen plans and write down what they show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plans", default=",".join(PLANS), help="of " + ", ".join(PLANS) + "; transfer is always run")
    parser.add_argument("--verify", type=int, default=16, metavar="STIMULI", help="0: leave out")
    parser.add_argument("--levels", type=int, default=20, metavar="STIMULI", help="0: leave out")
    asked = parser.parse_args()
    wanted = {"transfer", *asked.plans.split(",")}
    plans = [p for p in load_plans("datasheet", load_manifest(NEURON)) if p.kind in wanted]
    # apart: the edges of its oscillators are no part of the card, and larger than all the rest
    cell_plans = [plan for plan in plans if isinstance(plan, CellPlan)]
    data = characterize(NEURON, [plan for plan in plans if plan not in cell_plans], jobs=asked.jobs)
    Characterization(data).save(DATA)
    card = neuronsim.calibrate(data, held_out=HELD_OUT, out=CARD)
    # noise-free: the device noise is larger than what the card leaves unexplained, and is told apart from it
    part = data.isel(run=np.flatnonzero(data["plan"].values != "phase_noise"))
    still = neuronsim.calibrate(part, held_out=HELD_OUT)
    if not (isinstance(card, TTFSCard) and isinstance(still, TTFSCard)):
        raise TypeError(f"{NEURON} fires once: its card is no {type(card).__name__}")
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(f"ngspice {engine_cli.version()}"),
        "command": f"python tests/benchmarks/measure_transistor.py --plans {','.join(p.kind for p in plans)}",
        "card": of_card(still),
    }
    if "reset" in wanted:
        results["reset"] = of_reset(data)
    if "mismatch" in wanted:
        results["chips"] = of_chips(data)
    if "corners" in wanted:
        results["corners"] = of_corners(data)
    for plan in ("jitter", "quantization"):
        if plan in wanted:
            results[plan] = of_table3(data, plan)
    table3 = [plan for plan in plans if plan.kind in ("jitter", "quantization")]
    if table3:
        above = characterize(ABOVE, table3, jobs=asked.jobs)
        results["above"] = {plan.kind: of_table3(above, plan.kind) for plan in table3}
    if "phase_noise" in wanted:
        results["noise"], results["phase_noise"] = of_noise(card), of_phase_noise(data, card)
    if "thermal" in wanted:
        results["thermal"] = of_thermal(characterize(NEURON, cell_plans, jobs=asked.jobs))
    if asked.levels:
        results["levels"] = of_levels(compare("pll_nlif", stimuli=asked.levels, jobs=asked.jobs, timeout_s=600))
    if asked.verify:
        results["verify"] = verdicts(card, asked.verify, asked.jobs)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    table = measured_table(results)
    write_block("transistor", "bench-transistor", table)
    print(table)


def verdicts(card: TTFSCard, stimuli: int, jobs: int) -> dict[str, Any]:
    """Is the card true of its netlist, and is it rejected where a resistor or a transistor is 20 % larger?"""
    stored = card.provenance.parameters
    larger = card.provenance.model_copy(update={"parameters": {**stored, "r4": 1.2 * stored["r4"]}})
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(shutil.copytree(netlist_folder(), Path(folder, "netlists")))
        cell = wide / "cells" / "ring_vco.lib"
        text = cell.read_text(encoding="utf-8")
        if MIRROR not in text:
            raise ValueError(f"ring_vco.lib has no '{MIRROR}'")
        cell.write_text(text.replace(MIRROR, WIDER), encoding="utf-8")
        found = {
            "unchanged": verify(card, stimuli=stimuli, jobs=jobs),
            "r4 + 20 %": verify(card.model_copy(update={"provenance": larger}).signed(), stimuli=stimuli, jobs=jobs),
            "mirrors 20 % wider": verify(card, netlist=wide / f"{NEURON}.toml", stimuli=stimuli, jobs=jobs),
        }
    return {
        name: {
            "holds": result.holds,
            "stimuli": stimuli,
            "outside": result.outside,
            "outside_limit": result.outside_limit,
            "drift": result.drift,
            "drift_limit": result.drift_limit,
        }
        for name, result in found.items()
    }


if __name__ == "__main__":
    main()
