"""Measure pll_nlif_transistor: its card, the 45 corner points, table 3 and the verdict on the card (`make bench-transistor`).

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
import xarray as xr
from record import machine_line, write_readme

import neuronsim
from circuits import characterize, engine_cli, load_manifest, load_plans
from circuits.manifest import netlist_folder
from circuits.verify import verify
from neuronsim.card import TTFSCard
from neuronsim.dataset import save, select, verdict
from neuronsim.files import write_text
from neuronsim.report.sections_points import always_on
from neuronsim.report.table3 import output_jitter

NEURON = "pll_nlif_transistor"
FOLDER = Path(__file__).parent
RESULTS, CARD, DATA = (FOLDER / name for name in ("transistor.json", "transistor_card.json", "transistor.nc"))
PLANS = ("transfer", "corners", "jitter", "quantization", "phase_noise")
HELD_OUT = 0.5
PAPER_J = 10e-12
MIRROR, WIDER = "n3 vdd wm={wmirror}", "n3 vdd wm={1.2*wmirror}"
ALWAYS_ON_TAU = 5.0


def spread(values: np.ndarray) -> dict[str, float]:
    """Least, median and largest of the finite values."""
    finite = values[np.isfinite(values)]
    return {"min": float(finite.min()), "median": float(np.median(finite)), "max": float(finite.max())}


def of_card(card: TTFSCard) -> dict[str, Any]:
    """What the card says, and how well it predicts."""
    kernel, resolution, energy = card.kernel, card.timing_noise.resolution_s, card.energy
    return {
        "quality": card.quality.model_dump(mode="json"),
        "tau_s": kernel.tau_s.value,
        "delay_s": kernel.delay_s.value,
        "gain": card.weights.gain.value,
        "ramp_per_tau": kernel.ramp_per_tau.value,
        "resolution_s": None if resolution is None else resolution.value,
        "power_w": None if energy is None else energy.static_w.value,
    }


def of_corners(data: xr.Dataset) -> dict[str, Any]:
    """What each operating point came to, and energy over those that fired."""
    rows = select(data, "corners", ok=False)
    came_to = verdict(rows)
    columns = rows["corner"].values, rows["temperature_c"].values, rows["parameter_vdd_v"].values
    points = [f"{c} {t:g} C {v:g} V" for c, t, v in zip(*columns, strict=True)]
    fired = came_to == "fired"
    # always on: five time constants, whatever the plan watched
    window = ALWAYS_ON_TAU * rows["parameter_tau"].values
    active, on = rows["active_energy_j"].values, always_on(rows) * window / rows["window_s"].values
    return {
        "points": len(points),
        "fired": int(fired.sum()),
        "not_fired": {points[i]: f"{came_to[i]} {rows['message'].values[i]}".strip() for i in np.flatnonzero(~fired)},
        "spike_time_s": spread(rows["spike_time_s"].values[fired]),
        "always_on_window_s": float(window[0]),
        "active_energy_j": spread(active[fired]),
        "always_on_energy_j": spread(on[fired]),
        "within_paper_10_pj": {
            "active": int((active[fired] < PAPER_J).sum()),
            "always_on": int((on[fired] < PAPER_J).sum()),
        },
        "by_point": {
            points[i]: {
                "spike_time_s": float(rows["spike_time_s"].values[i]),
                "active_energy_j": float(active[i]),
                "always_on_energy_j": float(on[i]),
            }
            for i in np.flatnonzero(fired)
        },
    }


def of_table3(data: xr.Dataset, plan: str) -> dict[str, Any]:
    """Output jitter by level, as fractions, beside the paper's."""
    found = output_jitter(select(data, plan), plan)
    return {
        level.label: {
            "trials": int(level.errors.size),
            "mean": float(level.errors.mean()),
            "median": float(np.median(level.errors)),
            "p95": float(np.quantile(level.errors, 0.95)),
            "unchanged": float((level.errors < 1e-4).mean()),
            "paper": level.paper,
        }
        for level in found.levels
        if level.errors.size
    }


def of_phase_noise(data: xr.Dataset) -> dict[str, Any]:
    """Spike times under device noise, trial by trial."""
    rows = select(data, "phase_noise")
    noisy, out, trial = rows["noise_seed"].values >= 0, rows["spike_time_s"].values, rows["trial"].values
    first = rows["input_time_s"].values.min(axis=1)
    by_trial = {}
    for one in np.unique(trial):
        own = out[noisy & (trial == one)]
        quiet = out[~noisy & (trial == one)]
        by_trial[str(int(one))] = {
            "without_noise_s": float(quiet[0]) if np.isfinite(quiet).all() else None,
            "mean_s": float(own[np.isfinite(own)].mean()) if np.isfinite(own).any() else None,
            "sigma_s": float(own[np.isfinite(own)].std(ddof=1)) if np.isfinite(own).sum() > 1 else None,
            "silent": int((~np.isfinite(own)).sum()),
            "runs": int(own.size),
        }
    return {"runs": int(noisy.sum()), "early": int((noisy & (out < first)).sum()), "trials": by_trial}


def readme_table(results: dict[str, Any]) -> str:
    """The README's block."""
    card, q = results["card"], results["card"]["quality"]
    c = q["coverage"]
    rows = [
        (
            f"held-out spike time, {q['n_held_out']} runs: median, 95th percentile",
            f"{q['median_error']:.1%}, {q['p95_error']:.1%} ({q['median_over_target']:.2f} and "
            f"{q['p95_over_target']:.2f} of what is allowed)",
        ),
        (
            f"predicted 90 % interval holds, of {q['n_coverage']} runs",
            f"{c['value']:.1%} [{c['low']:.1%}, {c['high']:.1%}]",
        ),
        ("output sampled every", f"{card['resolution_s'] * 1e9:.3f} ns"),
        ("tau, gain, power", f"{card['tau_s'] * 1e9:.1f} ns, {card['gain']:.3f}, {card['power_w'] * 1e6:.0f} uW"),
    ]
    for name, found in results.get("verify", {}).items():
        word = "holds" if found["holds"] else "is turned down"
        rows.append((f"`verify`, {found['stimuli']} stimuli, {name}: the card", f"{word} ({found['outside']} outside)"))
    if "corners" in results:
        at = results["corners"]
        energies = at["active_energy_j"], at["always_on_energy_j"]
        rows.append(("operating points at which it fires", f"{at['fired']} of {at['points']}"))
        for word, e, n in zip(
            ("active window", "always on for 5 tau"), energies, at["within_paper_10_pj"].values(), strict=True
        ):
            text = f"{e['min'] * 1e12:.1f} / {e['median'] * 1e12:.1f} / {e['max'] * 1e12:.1f} pJ; below the paper's 10 pJ at {n}"
            rows.append((f"energy per spike over them, {word}: min / median / max", text))
    for plan, word in (("jitter", "input jitter"), ("quantization", "weights of")):
        if plan in results:
            found = " / ".join(f"{level['mean']:.2%}" for level in results[plan].values())
            levels, trials = "/".join(results[plan]), next(iter(results[plan].values()))["trials"]
            rows.append((f"output jitter at {word} {levels}, {trials} trials", found))
    lines = ["| figure | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    where = "tests/benchmarks/transistor.json"
    return "\n".join([*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, {where}"])


def main() -> None:
    """Measure the chosen plans and write down what they show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plans", default=",".join(PLANS), help="of " + ", ".join(PLANS) + "; transfer is always run")
    parser.add_argument("--verify", type=int, default=16, metavar="STIMULI", help="0: leave out")
    asked = parser.parse_args()
    wanted = {"transfer", *asked.plans.split(",")}
    plans = [p for p in load_plans("datasheet", load_manifest(NEURON)) if p.kind in wanted]
    data = characterize(NEURON, plans, jobs=asked.jobs)
    save(data, DATA)
    # noise-free: the device noise is larger than what the card leaves unexplained, and is told apart from it
    part = data.isel(run=np.flatnonzero(data["plan"].values != "phase_noise"))
    card = neuronsim.calibrate(part, held_out=HELD_OUT, out=CARD)
    if not isinstance(card, TTFSCard):
        raise TypeError(f"{NEURON} fires once: its card is no {type(card).__name__}")
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "machine": machine_line(f"ngspice {engine_cli.version()}"),
        "command": f"python tests/benchmarks/measure_transistor.py --plans {','.join(p.kind for p in plans)}",
        "card": of_card(card),
    }
    if "corners" in wanted:
        results["corners"] = of_corners(data)
    for plan in ("jitter", "quantization"):
        if plan in wanted:
            results[plan] = of_table3(data, plan)
    if "phase_noise" in wanted:
        results["phase_noise"] = of_phase_noise(data)
    if asked.verify:
        results["verify"] = verdicts(card, asked.verify, asked.jobs)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    table = readme_table(results)
    write_readme("transistor", "bench-transistor", table)
    print(table)


def verdicts(card: TTFSCard, stimuli: int, jobs: int) -> dict[str, Any]:
    """Is the card true of its netlist, and is it turned down where a resistor or a transistor is 20 % larger?"""
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
