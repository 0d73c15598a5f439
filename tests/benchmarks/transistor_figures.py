"""What the datasets of pll_nlif_transistor say: figures as plain data, and the table of docs/measured.md."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from neuronsim.analysis.chip_yield import chip_shifts, chip_yield
from neuronsim.analysis.corners import reset_rows, reset_verdict, shift_s, tolerance_s
from neuronsim.analysis.energy import always_on
from neuronsim.analysis.level_errors import steps
from neuronsim.analysis.table3 import output_jitter
from neuronsim.analysis.thermal import thermal_of
from neuronsim.artifacts.dataset import select, verdict
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.calibration.prediction import spike_time_interval
from neuronsim.papers import paper004
from neuronsim.statistics.proportions import proportion

ABOVE = "pll_nlif_averaged"
ALWAYS_ON_TAU = 5.0


def spread(values: np.ndarray) -> dict[str, float]:
    """Least, median and largest of the finite values."""
    finite = values[np.isfinite(values)]
    return {"min": float(finite.min()), "median": float(np.median(finite)), "max": float(finite.max())}


def operating_points(rows: xr.Dataset) -> list[str]:
    """Name of the operating point of each row."""
    columns = rows["corner"].values, rows["temperature_c"].values, rows["parameter_vdd_v"].values
    return [f"{c} {t:g} C {v:g} V" for c, t, v in zip(*columns, strict=True)]


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
    points = operating_points(rows)
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
    fires, good = chip_yield(chip, shift, came_to, plan["tolerance"])
    return {
        "chips": int(fires.size),
        "stimuli": plan["trials"],
        "tolerance": plan["tolerance"],
        "trimmed": "trim" in data.dims,
        "came_to": {word: int((came_to == word).sum()) for word in np.unique(came_to).tolist()},
        "fires_at_every_stimulus": proportion(int(fires.sum()), fires.size, 0.95).model_dump(),
        "and_within_tolerance": proportion(int(good.sum()), good.size, 0.95).model_dump(),
    }


def of_levels(data: xr.Dataset) -> list[dict[str, Any]]:
    """Each level against the one above."""
    return [
        {
            "level": step.level,
            "against": step.against,
            "n": step.size.n,
            "median": step.size.median,
            "p95": step.size.p95,
            "worst": step.size.worst,
            "bias": step.bias,
            "failed": step.failed,
            "agreement": step.agreement.value,
            "agreement_low": step.agreement.low,
            "agreement_high": step.agreement.high,
            "sampling_tau": step.sampling_tau,
        }
        for step in steps(data)
    ]


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
        "xor_limit_weight": None
        if kernel.xor_limit_weight is None
        else kernel.xor_limit_weight.model_dump(mode="json"),
        "power_w": None if energy is None else energy.static_w.value,
        "not_fitted": card.not_fitted,
    }


def of_corners(data: xr.Dataset) -> dict[str, Any]:
    """What each operating point came to, and energy over those that fired."""
    rows = select(data, "corners", ok=False)
    came_to = verdict(rows)
    points = operating_points(rows)
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
            "active": int((active[fired] < paper004.SPIKE_J).sum()),
            "always_on": int((on[fired] < paper004.SPIKE_J).sum()),
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


def of_thermal(data: xr.Dataset) -> dict[str, Any]:
    """Accumulated jitter of the ring VCO at each temperature and noise power: law, theory, distance from the floor."""
    found = thermal_of(data)
    if found is None:
        raise ValueError("plan thermal was not run")
    return {
        f"{case.temperature_c:g} C, noise power x {case.power:g}": {
            "oscillators": len(case.edges_s),
            "kappa_sqrt_s": case.law.kappa.model_dump(),
            "kappa_theory_sqrt_s": case.kappa_theory,
            "exponent": case.law.exponent.model_dump(),
            "over_floor": found.over_floor(case.law),
        }
        for case in found.noisy
        if case.step_s == found.step_s  # half of it is the datasheet's check
    }


def _ends(values: np.ndarray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
