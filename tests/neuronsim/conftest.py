"""Synthetic circuits: datasets as :mod:`neuronsim.artifacts.dataset` whose parameters are known, made with the exact solver."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray

from neuronsim.neuron.event_solver import first_crossing
from neuronsim.neuron.firing_rate import interval
from neuronsim.neuron.interval_noise import interval_variance

ATTRIBUTES = {
    "engine": "synthetic",
    "engine_version": "1",
    "netlist_sha256": "0" * 64,
    "seed": 7,
    "versions": json.dumps({"synthetic": "1"}),
}


@dataclass(kw_only=True)
class Circuit:
    """The true parameters (units as in the card; times in seconds)."""

    tau: float = 50e-9
    gain: float = 1.0
    ramp: float = 0.0
    delay: float = 0.0
    ratio: float | None = None
    fit_noise: float = 0.0
    sigma_v: float = 0.0
    diffusion_v: float = 0.0
    loop_v: float = 0.0
    missing: float = 0.0
    gain_sigma: float = 0.0
    ramp_sigma: float = 0.0
    weight_sigma: float = 0.0
    limit: float | None = None
    transfer: int = 150
    phase_noise: tuple[int, int] = (0, 0)
    mismatch: tuple[int, int] = (0, 0)
    saturation: int = 0
    window: float = 8.0
    inputs: int = 8
    low_weight: float = -0.4
    high_weight: float = 1.0
    extra: dict[str, Any] = field(default_factory=dict)

    def fire(self, times: NDArray, weights: NDArray, *, v: Any = 0.0, gain: Any = 0.0, ramp: Any = 0.0) -> NDArray:
        """Spike times when the threshold is raised by ``v`` and gain and ramp deviate."""
        level = 1.0 + np.asarray(v)
        common: dict[str, Any] = {
            "tau": self.tau,
            "second_pole_ratio": self.ratio,
            "ramp": (self.ramp + ramp) / level,
            "gain": self.gain * (1.0 + np.asarray(gain)),
            "delay": self.delay,
            "threshold": level,
            "xor_limit": self.limit,
        }
        out = first_crossing(times, weights, **common)
        return np.where(out <= self.window * self.tau, out, np.inf)

    def stimuli(self, n: int, rng: np.random.Generator, scale: float = 1.0) -> tuple[NDArray, NDArray]:
        """``n`` random stimuli of 2 to ``inputs`` inputs, padded; weights sum to more than the threshold in most."""
        count = rng.integers(2, self.inputs + 1, n)
        on = np.arange(self.inputs) < count[:, None]
        times = np.where(on, rng.uniform(0, 2 * self.tau, on.shape), np.inf)
        weights = rng.uniform(self.low_weight, self.high_weight, on.shape)
        weights += (rng.uniform(1.2, 3.0, n) - (weights * on).sum(axis=1))[:, None] / count[:, None]
        return times, np.where(on, weights * scale, 0.0)

    def dataset(self, seed: int) -> xr.Dataset:
        """The characterization dataset."""
        rng = np.random.default_rng(seed)
        rows: list[tuple] = []  # plan, times, weights, nominal weights, out, trial, chip, noise_seed, level

        def add(plan: str, t: NDArray, w: NDArray, out: NDArray, trial: Any, chip: Any = -1, noise: Any = -1) -> None:
            n = out.size
            rows.append((np.full(n, plan), t, w, out, *(np.broadcast_to(x, n) for x in (trial, chip, noise))))

        t, w = self.stimuli(self.transfer, rng)
        add("transfer", t, w, self.fire(t, w, v=self.fit_noise * rng.standard_normal(len(t))), np.arange(len(t)))
        trials, repeats = self.phase_noise
        if trials:
            t, w = self.stimuli(trials, rng)
            quiet = self.fire(t, w)
            add("phase_noise", t, w, quiet, np.arange(trials))
            which = np.repeat(np.arange(trials), repeats)
            late = np.where(np.isfinite(quiet), (quiet - self.delay) / self.tau, 0.0)[which]
            loop = self.loop_v**2 * (late - 1 + np.exp(-late))
            v = np.sqrt(self.sigma_v**2 + self.diffusion_v**2 * late + loop) * rng.standard_normal(which.size)
            out = self.fire(t[which], w[which], v=v)
            out = np.where(rng.random(out.size) < self.missing, np.inf, out)
            add("phase_noise", t[which], w[which], out, which, -1, np.arange(which.size))
        chips, stimuli = self.mismatch
        if chips:
            t, w = self.stimuli(stimuli, rng)
            add("mismatch", t, w, self.fire(t, w), np.arange(stimuli))
            for chip in range(chips):
                error = 1.0 + self.weight_sigma * rng.standard_normal(self.inputs)
                gain, ramp = self.gain_sigma * rng.standard_normal(), self.ramp_sigma * rng.standard_normal()
                add("mismatch", t, w, self.fire(t, w * error, gain=gain, ramp=ramp), np.arange(stimuli), chip)
        if self.saturation:
            t, w = self.stimuli(self.saturation, rng, scale=3.0)
            add("saturation", t, w, self.fire(t, w), np.arange(self.saturation))
        plan, t, w, out, trial, chip, noise = (np.concatenate(part) for part in zip(*rows, strict=True))
        n = out.size
        fields: dict[str, Any] = {
            "plan": ("run", plan.astype(object)),
            "status": ("run", np.full(n, "ok", dtype=object)),
            "reason": ("run", np.full(n, "", dtype=object)),
            "options": ("run", np.full(n, "", dtype=object)),
            "trial": ("run", trial),
            "chip": ("run", chip),
            "attempts": ("run", np.ones(n, dtype=int)),
            "noise_seed": ("run", noise),
            "level": ("run", np.full(n, np.nan)),
            "window_s": ("run", np.full(n, self.window * self.tau)),
            "energy_j": ("run", np.full(n, np.nan)),
            "spike_time_s": ("run", out),
            "input_time_s": (("run", "input"), t),
            "weight": (("run", "input"), w),
            "nominal_time_s": (("run", "input"), t),
            "nominal_weight": (("run", "input"), w),
            "parameter_tau": ("run", np.full(n, self.tau)),
        }
        attributes = ATTRIBUTES | {
            "neuron": "synthetic_ttfs",
            "code": "ttfs",
            "plans": json.dumps({name: {} for name in sorted(set(plan.tolist()))}),
            "defaults": json.dumps({"tau": self.tau * 1.3}),
        }
        return xr.Dataset(fields, attrs=attributes | ({"noise_memory": "tau"} if self.loop_v else {}))


def rate_dataset(
    *,
    charge: float = 1e-14,
    rheobase: float = 0.0,
    refractory: float = 0.0,
    noise: float = 0.0,
    jitter: float = 0.0,
    density: float = 0.0,
    mismatch: float = 0.0,
    chips: int = 0,
    currents: int = 40,
    seed: int = 0,
) -> xr.Dataset:
    """A rate dataset with a known f-I curve; ``noise`` is the relative error of each measured interval.

    ``jitter``: relative spread of the intervals at one current; ``density``: spread by white current noise at eight currents.
    """
    rng = np.random.default_rng(seed)
    base = max(rheobase, 2e-9)
    amps = list(np.geomspace(0.5 * base if rheobase else base, 100 * base, currents))
    plan, chip, noisy, scale = ["fi"] * currents, [-1] * currents, [-1] * currents, [1.0] * currents
    if jitter:
        amps += [10 * base] * 20
        plan, chip, noisy, scale = (
            plan + ["membrane_noise"] * 20,
            chip + [-1] * 20,
            noisy + list(range(20)),
            scale + [1.0] * 20,
        )
    if density:
        levels = np.geomspace(3 * base, 100 * base, 8)
        amps += np.repeat(levels, 6).tolist()
        plan, chip, scale = plan + ["membrane_noise"] * 48, chip + [-1] * 48, scale + [1.0] * 48
        noisy += [-1, *range(5)] * 8
    for c in range(chips):
        factor = 1.0 + mismatch * rng.standard_normal()
        for amp in (5 * base, 20 * base):
            amps.append(amp)
            plan.append("mismatch")
            chip.append(c)
            noisy.append(-1)
            scale.append(factor)
    current, factor = np.array(amps), np.array(scale)
    isi = interval(current, charge_per_spike=charge * factor, rheobase=rheobase * factor, refractory=refractory)
    isi = isi * (1.0 + noise * rng.standard_normal(isi.size))
    n = current.size
    relative = np.full(n, jitter)
    if density:
        law = interval_variance(current, density=density, charge_per_spike=charge, rheobase=rheobase)
        relative = np.where(np.isfinite(isi), np.sqrt(law), 0.0) / np.where(np.isfinite(isi), isi, 1.0)
    steps = np.where(np.isfinite(isi), isi, 0.0)[:, None] * (
        1.0 + relative[:, None] * rng.standard_normal((n, 30)) * (np.array(noisy) >= 0)[:, None]
    )
    times = np.where(np.isfinite(isi)[:, None], np.cumsum(steps, axis=1), np.nan)
    text = {
        name: ("run", np.full(n, value, dtype=object))
        for name, value in {"status": "ok", "reason": "", "options": ""}.items()
    }
    fields: dict[str, Any] = text | {
        "plan": ("run", np.array(plan, dtype=object)),
        "trial": ("run", np.arange(n)),
        "chip": ("run", np.array(chip)),
        "attempts": ("run", np.ones(n, dtype=int)),
        "noise_seed": ("run", np.array(noisy)),
        "level": ("run", current),
        "window_s": ("run", np.where(np.isfinite(isi), isi * 31, 1e-3)),
        "energy_j": ("run", np.full(n, np.nan)),
        "input_current_a": ("run", current),
        "spike_times_s": (("run", "spike"), times),
        "rate_hz": ("run", 1.0 / isi),
    }
    attributes = ATTRIBUTES | {
        "neuron": "synthetic_rate",
        "code": "rate",
        "plans": json.dumps({name: {} for name in sorted(set(plan))}),
        "defaults": json.dumps({"c": 1e-12}),
    }
    return xr.Dataset(fields, attrs=attributes)


@pytest.fixture
def circuit() -> type[Circuit]:
    """The class of synthetic TTFS circuits."""
    return Circuit


@pytest.fixture
def make_rate() -> Callable[..., xr.Dataset]:
    """Factory of synthetic rate datasets."""
    return rate_dataset
