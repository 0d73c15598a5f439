"""Energy per spike and static power from the supply energy of each run: E = per_spike * spikes + static * window."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from .bootstrap import multiplicities
from .card import Energy, Estimate


def fit_energy(
    energy: NDArray[np.float64],
    spikes: NDArray[np.float64],
    window: NDArray[np.float64],
    *,
    seed: int,
    confidence: float = 0.95,
) -> tuple[Energy | None, str]:
    """(Energy, "") or (None, reason); (Energy, reason) where only the sum is known. Joules, counts, seconds per run."""
    known = np.isfinite(energy) & np.isfinite(spikes)
    if known.sum() < 3:
        return None, "no run has a supply energy (energy_j): a behavioral netlist draws none"
    energy, design = energy[known], np.stack([spikes, window], axis=1)[known]
    reason = ""
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    normalized = design / scale
    if np.linalg.cond(normalized) > 1e6:
        normalized = normalized[:, :1]
        reason = (
            "kept at 0: every run had as many spikes in the same window, so static power cannot be told from "
            "the energy per spike"
        )
    if not (energy >= 0).all() or not normalized[:, 0].any():
        return None, "the runs' supply energies are negative or come without any spike: check the manifest's supplies"
    unit = float(energy.max()) or 1.0
    rng = np.random.default_rng(seed)

    def solve(rows: NDArray) -> NDArray[np.float64]:
        value = np.zeros(2)
        value[: normalized.shape[1]] = nnls(normalized[rows], energy[rows] / unit)[0] * unit
        return value / scale

    best = solve(np.arange(energy.size))
    drawn = [
        solve(np.repeat(np.arange(energy.size), m.astype(int))) for m in multiplicities(energy.size, rng, resamples=200)
    ]
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    estimates = [Estimate(value=b, low=min(lo, b), high=max(hi, b)) for b, lo, hi in zip(best, low, high, strict=True)]
    return Energy(per_spike_j=estimates[0], static_w=estimates[1]), reason
