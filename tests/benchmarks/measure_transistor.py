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
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from record import machine_line, write_readme

import neuronsim
from circuits import characterize, compare, engine_cli, load_manifest, load_plans
from circuits.manifest import netlist_folder
from circuits.verify import verify
from neuronsim import levels
from neuronsim.bootstrap import proportion
from neuronsim.card import TTFSCard
from neuronsim.dataset import save, select, verdict
from neuronsim.files import write_text
from neuronsim.prediction import spike_time_interval
from neuronsim.report.sections_mismatch import chip_shifts
from neuronsim.report.sections_points import always_on
from neuronsim.report.table3 import output_jitter
from neuronsim.reset import reset_rows, reset_verdict, shift_s, tolerance_s

NEURON = "pll_nlif_transistor"
FOLDER = Path(__file__).parent
RESULTS, CARD, DATA = (FOLDER / name for name in ("transistor.json", "transistor_card.json", "transistor.nc"))
PLANS = ("transfer", "corners", "reset", "jitter", "quantization", "phase_noise", "mismatch", "energy")
ABOVE = "pll_nlif_averaged"
HELD_OUT = 0.5
PAPER_J = 10e-12
MIRROR, WIDER = "n3 vdd wm=1u", "n3 vdd wm=1.2u"
ALWAYS_ON_TAU = 5.0


def spread(values: np.ndarray) -> dict[str, float]:
    """Least, median and largest of the finite values."""
    finite = values[np.isfinite(values)]
    return {"min": float(finite.min()), "median": float(np.median(finite)), "max": float(finite.max())}


def of_noise(card: TTFSCard) -> dict[str, Any]:
    """Noise of the card, and how well it foretells noisy runs that the fit has not seen."""
    noise, quality = card.timing_noise, card.quality
    return {
        "loop_v": None if noise.loop_v is None else noise.loop_v.model_dump(),
        "sigma_over_predicted": None
        if quality.sigma_over_predicted is None
        else quality.sigma_over_predicted.model_dump(),
        "coverage": None if quality.coverage is None else quality.coverage.model_dump(),
        "n_coverage": quality.n_coverage,
        "coverage_of": quality.coverage_of,
    }


def of_reset(data: xr.Dataset) -> dict[str, Any]:
    """What the reset came to at each operating point."""
    rows = reset_rows(data)
    said, shift = reset_verdict(rows), shift_s(rows)
    columns = rows["corner"].values, rows["temperature_c"].values, rows["parameter_vdd_v"].values
    points = [f"{c} {t:g} C {v:g} V" for c, t, v in zip(*columns, strict=True)]
    return {
        "points": len(points),
        "fires_again": int(np.isin(said, ("again", "shifted")).sum()),
        "within_tolerance": int((said == "again").sum()),
        "tolerance_s": tolerance_s(rows),
        "shift_s": spread(shift),
        "rms_shift_s": float(np.sqrt(np.nanmean(shift**2))),
        "by_point": {
            point: {"verdict": str(word), "shift_s": float(by) if np.isfinite(by) else None}
            for point, word, by in zip(points, said, shift, strict=True)
        },
    }


def of_chips(data: xr.Dataset) -> dict[str, Any]:
    """Yield of the chips with its Wilson interval."""
    plan = json.loads(data.attrs["plans"])["mismatch"]
    chip, shift, came_to, _ = chip_shifts(select(data, "mismatch", ok=False))
    chips = np.unique(chip)
    fires = [bool((came_to[chip == c] == "fired").all()) for c in chips]
    good = [
        f and bool((np.abs(shift[chip == c]) <= plan["tolerance"]).all()) for c, f in zip(chips, fires, strict=True)
    ]
    return {
        "chips": int(chips.size),
        "stimuli": plan["trials"],
        "tolerance": plan["tolerance"],
        "came_to": {word: int((came_to == word).sum()) for word in np.unique(came_to).tolist()},
        "fires_at_every_stimulus": proportion(sum(fires), chips.size, 0.95).model_dump(),
        "and_within_tolerance": proportion(sum(good), chips.size, 0.95).model_dump(),
    }


def of_levels(data: xr.Dataset) -> list[dict[str, Any]]:
    """Each level against the one above."""
    return [asdict(step) for step in levels.steps(data)]


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
        "not_fitted": card.not_fitted,
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


def of_phase_noise(data: xr.Dataset, card: TTFSCard) -> dict[str, Any]:
    """Spike times under device noise, trial by trial, beside the 16 and 84 % quantiles that the card predicts."""
    rows = select(data, "phase_noise")
    noisy, out, trial = rows["noise_seed"].values >= 0, rows["spike_time_s"].values, rows["trial"].values
    first = rows["input_time_s"].values.min(axis=1)
    times, weights, window = (rows[name].values for name in ("input_time_s", "weight", "window_s"))
    low, high = spike_time_interval(card, times, weights, level=0.68, window=window)
    by_trial = {}
    for one in np.unique(trial):
        own = out[noisy & (trial == one)]
        quiet = out[~noisy & (trial == one)]
        by_trial[str(int(one))] = {
            "without_noise_s": float(quiet[0]) if np.isfinite(quiet).all() else None,
            "mean_s": float(own[np.isfinite(own)].mean()) if np.isfinite(own).any() else None,
            "sigma_s": float(own[np.isfinite(own)].std(ddof=1)) if np.isfinite(own).sum() > 1 else None,
            "silent": int((~np.isfinite(own)).sum()),
            "middle_68_s": _ends(np.quantile(own, (0.16, 0.84), method="inverted_cdf")),
            "predicted_68_s": _ends(np.concatenate([low[trial == one][:1], high[trial == one][:1]])),
            "runs": int(own.size),
        }
    return {"runs": int(noisy.sum()), "early": int((noisy & (out < first)).sum()), "trials": by_trial}


def _ends(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


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
    if "reset" in results:
        r = results["reset"]
        rows.append(
            (
                "after a reset the same stimulus fires it again",
                f"at {r['fires_again']} of {r['points']} points; within {r['tolerance_s'] * 1e9:.1f} ns of the first spike time "
                f"at {r['within_tolerance']}, difference {r['rms_shift_s'] * 1e9:.1f} ns rms",
            )
        )
    if "noise" in results and results["noise"]["sigma_over_predicted"]:
        n = results["noise"]
        s, c, v = n["sigma_over_predicted"], n["coverage"], n["loop_v"]
        rows += [
            (
                "phase noise in the loop, thresholds per sqrt(tau)",
                f"{v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}]",
            ),
            (
                "spread of held-out noisy runs over the predicted one",
                f"{s['value']:.2f} [{s['low']:.2f}, {s['high']:.2f}]",
            ),
            (
                f"predicted 90 % interval holds, of {n['n_coverage']} held-out noisy runs",
                f"{c['value']:.1%} [{c['low']:.1%}, {c['high']:.1%}]",
            ),
        ]
    if "chips" in results:
        m = results["chips"]
        y = m["fires_at_every_stimulus"]
        rows.append(
            (
                f"chips that work as drawn (no trimming), of {m['chips']}: yield",
                f"{y['value']:.0%} [{y['low']:.0%}, {y['high']:.0%}]",
            )
        )
    for plan, word in (("jitter", "input jitter"), ("quantization", "weights of")):
        if plan in results:
            names, trials = "/".join(results[plan]), next(iter(results[plan].values()))["trials"]
            for where, part in (("", results), (f", `{ABOVE}`, same stimuli", results.get("above", {}))):
                if plan in part:
                    found = " / ".join(f"{level['mean']:.2%}" for level in part[plan].values())
                    rows.append((f"output jitter at {word} {names}, {trials} trials{where}", found))
            paper = [level["paper"] for level in results[plan].values()]
            rows.append(
                (f"the same in paper 004 ({word})", " / ".join("-" if v is None else f"{v:.3%}" for v in paper))
            )
    for step in results.get("levels", []):
        rows.append(
            (
                f"`{step['level']}` against {step['against']}, {step['n']} spikes: median, 95th percentile",
                f"{step['median']:.2g}, {step['p95']:.2g} relative; same outcome in {step['agreement']:.0%}",
            )
        )
    lines = ["| figure | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    where = "tests/benchmarks/transistor.json"
    return "\n".join([*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, {where}"])


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
    data = characterize(NEURON, plans, jobs=asked.jobs)
    save(data, DATA)
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
    if asked.levels:
        results["levels"] = of_levels(compare("pll_nlif", stimuli=asked.levels, jobs=asked.jobs, timeout_s=600))
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
