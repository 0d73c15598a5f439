"""Energy per spike and static power from the supply energy of each run: E = per_spike * spikes + static * window."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from ..arrays import Array
from ..artifacts.card_parts import Energy
from ..artifacts.dataset import as_drawn
from ..statistics.bootstrap import multiplicities, percentile_ends
from ..statistics.estimate import Estimate

#: a design with a larger condition number (columns scaled to 1) does not separate its columns
_COLLINEAR = 1e3
#: largest share of such resamples with which the split is still reported
_OPEN = 0.01


def fit_energy_of(dataset: xr.Dataset, not_fitted: dict[str, str], *, seed: int, confidence: float) -> Energy | None:
    """:func:`fit_energy` of the runs of ``dataset`` on the circuit as it is drawn; a reason goes to ``not_fitted``."""
    runs = dataset.isel(run=np.flatnonzero((dataset["status"].values == "ok") & as_drawn(dataset)))
    ttfs = dataset.attrs["code"] == "ttfs"
    fired = np.isfinite(runs["spike_time_s"].values) if ttfs else np.isfinite(runs["spike_times_s"].values).sum(axis=1)
    energy, window = (runs[name].values.astype(np.float64) for name in ("energy_j", "window_s"))
    fit, reason = fit_energy(energy, fired.astype(np.float64), window, seed=seed, confidence=confidence)
    if reason:
        not_fitted[lost_field(fit)] = reason
    return fit


def fit_energy(
    energy: Array, spikes: Array, window: Array, *, seed: int, confidence: float = 0.95
) -> tuple[Energy | None, str]:
    """(Energy, "") or (None, reason); (Energy, reason) where the data do not separate the two and one is kept at 0, or where the
    energy per spike comes out at its bound 0.

    Joules, counts, seconds per run.
    """
    known = np.isfinite(energy) & np.isfinite(spikes)
    if known.sum() < 3:
        return None, "no run has a supply energy (energy_j): a behavioral netlist draws none"
    energy, design = energy[known], np.stack([spikes, window], axis=1)[known]
    if not (energy >= 0).all() or not design[:, 0].any():
        return None, "the runs' supply energies are negative or come without any spike: check the manifest's supplies"
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    normalized, unit = design / scale, float(energy.max()) or 1.0
    rng = np.random.default_rng(seed)
    resamples = [
        np.repeat(np.arange(energy.size), m.astype(int)) for m in multiplicities(energy.size, rng, resamples=200)
    ]
    columns, reason = [0, 1], ""
    open_ = np.mean([np.linalg.cond(normalized[rows]) > _COLLINEAR for rows in resamples])
    if open_ > _OPEN:
        misfit = [np.linalg.norm(energy - normalized[:, [i]] @ _solve(normalized[:, [i]], energy)) for i in (0, 1)]
        columns = [int(np.argmin(misfit))]
        one, other = ("static power", "energy per spike") if columns == [0] else ("energy per spike", "static power")
        reason = (
            f"{one} is kept at 0: too few runs differ in spikes per window to tell it from the {other}, which alone "
            "explains the energies better; vary the windows or add silent runs"
        )

    def solve(rows: NDArray) -> Array:
        value = np.zeros(2)
        value[columns] = _solve(normalized[rows][:, columns], energy[rows] / unit) * unit
        return value / scale

    best = solve(np.arange(energy.size))
    low, high = percentile_ends([solve(rows) for rows in resamples], confidence)
    if not reason and best[0] == 0:
        reason = (
            "comes out at its bound 0: the energies of the runs do not rise with their spikes, so it cannot be told from the "
            f"static power (upper end of its interval: {high[0]:.3g} J)"
        )
    estimates = [Estimate(value=b, low=min(lo, b), high=max(hi, b)) for b, lo, hi in zip(best, low, high, strict=True)]
    return Energy(per_spike_j=estimates[0], static_w=estimates[1]), reason


def lost_field(energy: Energy | None) -> str:
    """Card field that a reason of :func:`fit_energy` is about."""
    if energy is None:
        return "energy"
    return "energy.static_w" if energy.static_w.value == 0 else "energy.per_spike_j"


def _solve(design: Array, energy: Array) -> Array:
    """Non-negative least squares."""
    return lsq_linear(design, energy, bounds=(0.0, np.inf), method="bvls").x
