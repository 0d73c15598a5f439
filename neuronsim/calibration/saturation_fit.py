"""The detector's linear range from runs that leave it (plan 'saturation').

The limit is the one at which the calibrated kernel with a saturated detector (:mod:`neuronsim.neuron.saturated_solver`)
explains the measured spike times best: least sum over the runs of min(relative error, 0.5)^2, where a wrong spike/no-spike
outcome counts as 0.5. The objective has flat parts and corners, so it is scanned, then refined; the interval is the
bootstrap over runs on the fine scan.
"""

import numpy as np

from ..arrays import Array
from ..errors import DataError
from ..statistics.bootstrap import multiplicities, percentile_ends
from ..statistics.estimate import Estimate
from .kernel_fit import KernelFit
from .stimuli import StimulusRows, nominal

FIELDS = ("kernel.xor_limit_weight",)
_WORST = 0.5


def peak_error(rows: StimulusRows, kernel: KernelFit) -> Array:
    """Largest |phase error| of each run, in unit weights, until its spike, by the linear kernel."""
    end = np.minimum(np.where(rows.fired, rows.out - kernel.delay, np.inf), rows.window)
    with np.errstate(invalid="ignore"):
        age = (rows.times[:, :, None] - rows.times[:, None, :]) / kernel.tau  # [row, when, source]
    decay = np.where((age >= 0) & np.isfinite(rows.times)[:, :, None], np.exp(-np.where(age >= 0, age, 0.0)), 0.0)
    after = np.einsum("rws,rs->rw", decay, rows.weights)
    seen = np.isfinite(rows.times) & (rows.times < end[:, None])
    return np.abs(np.where(seen, after, 0.0)).max(axis=1)


def _losses(rows: StimulusRows, kernel: KernelFit, limits: Array) -> Array:
    """Loss of every run at every limit: (limits, rows)."""
    out = kernel.predict(rows, xor_limit=limits[:, None])
    with np.errstate(invalid="ignore"):
        error = np.abs(out - rows.out) / rows.out
    error = np.where(rows.fired & np.isfinite(out), error, np.where(rows.fired == np.isfinite(out), 0.0, _WORST))
    return np.minimum(error, _WORST) ** 2


def fit_limit(rows: StimulusRows, kernel: KernelFit, *, floor: float, seed: int, confidence: float = 0.95) -> Estimate:
    """xor_limit_weight with its interval, from the nominal of ``rows``.

    ``floor``: rms relative error of the card on runs inside the range; only a loss well above it counts as saturation.

    Raises DataError when fewer than 5 runs are left, or none of them shows the end of the linear range.
    """
    rows = nominal(rows)
    if len(rows) < 5:
        raise DataError(f"plan 'saturation' left only {len(rows)} noise-free runs, at least 5 are needed")
    peak = peak_error(rows, kernel)
    top = float(peak.max())
    grid = np.geomspace(max(top * 0.02, 1e-3), top * 1.05, 160)
    loss = _losses(rows, kernel, grid)
    linear, total = loss[-1], loss.sum(axis=1)
    saturated = int(((linear > (10 * floor) ** 2) & (linear > 1e-6)).sum())
    if saturated < 3 or total.min() > 0.5 * linear.sum():
        raise DataError(
            f"no run of plan 'saturation' leaves the detector's linear range: the phase error reached {top:.3g} unit weights, "
            "and the linear card explains the spike times; raise the plan's levels"
        )
    at = int(total.argmin())
    for _ in range(3):
        grid = np.linspace(grid[max(at - 2, 0)], grid[min(at + 2, grid.size - 1)], 81)
        loss = _losses(rows, kernel, grid)
        at = int(loss.sum(axis=1).argmin())
    best = float(grid[at])
    drawn = multiplicities(len(rows), np.random.default_rng(seed), resamples=400)
    width = 0.002
    while True:  # the bootstrap needs a scan as wide as the answer varies
        scan = best * np.linspace(1 - width, 1 + width, 201)
        chosen = scan[(drawn @ _losses(rows, kernel, scan).T).argmin(axis=1)]
        low, high = percentile_ends(chosen, confidence)
        if width >= 0.5 or (low > scan[2] and high < scan[-3]):
            break
        width *= 4
    step = scan[1] - scan[0]
    return Estimate(value=best, low=min(float(low) - step, best), high=max(float(high) + step, best))
