"""Temporal noise from repeated noisy runs of the same stimulus (plan 'phase_noise').

The deviations n at the comparator (:mod:`neuronsim.calibration.noisy_runs`) of runs whose reference fires at t_0 have

    E n^2 = sigma_v^2 + diffusion_v^2 late + s        late = t_0/tau
    E n^2 = loop_v^2 (late - 1 + e^-late) + s         where the noise is inside the loop (manifest: noise.memory)

with s of a sampled output. The coefficients are fitted to n^2 by non-negative least squares, weighted by the inverse square
of the fit (n^2 is chi-square), the intervals by resampling whole trials.

Where noise is large enough to silence repeats, their n^2 is replaced by its expectation, given n > c and the fit, and the
fit repeated until it stays (expectation maximization for a Gaussian; the intervals take these n^2 as measured).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm, t

from ..arrays import Array, Mask
from ..artifacts.card_parts import TimingNoise, variance_v
from ..errors import DataError
from ..statistics.bootstrap import newton_replicates, sigma_estimate, spread
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion
from .kernel_fit import KernelFit
from .noisy_runs import MARGIN, NoisyRuns, noisy_runs
from .stimuli import StimulusRows

FIELDS = ("timing_noise.sigma_v", "timing_noise.diffusion_v", "missing_probability")
MIN_TRIALS = 5
MIN_REPEATS = 30
_ZERO = Estimate.exact(0.0)


@dataclass(frozen=True, kw_only=True)
class NoiseFit:
    """Temporal noise of the comparator and the oscillators (``terms``, by field of the card), and missing spikes."""

    terms: dict[str, Estimate] = field(default_factory=dict)
    missing: Estimate = _ZERO
    not_fitted: dict[str, str] = field(default_factory=dict)

    def term(self, *, floor_s: Estimate, resolution_s: Estimate | None) -> TimingNoise:
        """The card's term, with the error that noise-free runs have."""
        terms: dict[str, Any] = {"sigma_v": _ZERO, "diffusion_v": _ZERO, "loop_v": None} | self.terms
        return TimingNoise(**terms, floor_s=floor_s, resolution_s=resolution_s)


def fit_noise(
    rows: StimulusRows,
    kernel: KernelFit,
    *,
    seed: int,
    confidence: float = 0.95,
    in_loop: bool = False,
    resolution_s: float = 0.0,
) -> NoiseFit:
    """Fit the noise coefficients, and count missing spikes. ``in_loop``: the noise is that of the oscillators of the loop.

    Raises DataError when fewer than 5 trials with a reference, or fewer than 30 noisy spikes, are left.
    """
    runs = noisy_runs(rows, kernel, resolution_s)
    used, due = _used(runs, kernel)
    missing = proportion(int((due & ~runs.rows.fired).sum()), int(due.sum()), confidence)
    not_fitted: dict[str, str] = {}
    if not due.any():
        not_fitted["missing_probability"] = (
            f"not told from noise: no stimulus of plan 'phase_noise' would still fire with the threshold {MARGIN:g} sigma higher"
        )
    runs = runs[used]
    square = runs.squares(float(np.nanmean(runs.n**2)))
    if square.max() == 0.0:
        return NoiseFit(missing=missing, not_fitted=not_fitted)
    terms = _terms(runs.late, in_loop, not_fitted)
    design = np.stack([_column(name, runs.late) for name in terms], axis=1)
    for _ in range(60 if np.isnan(runs.n).any() else 0):
        expected = design @ _components(design, square, runs.sampled)[0] + runs.sampled
        before, square = square, runs.squares(expected)
        if np.abs(square - before).max() < 1e-6 * square.mean():
            break
    value, share = _components(design, square, runs.sampled)
    value, error = _errors(
        design, square - runs.sampled, runs.rows.trial, value, share, scale=float(square.mean()), seed=seed
    )
    # The bootstrap saw only so many trials: widen by the ratio of the t to the normal quantile.
    widen = t.ppf(0.5 + confidence / 2, runs.trials - len(terms)) / norm.ppf(0.5 + confidence / 2)
    freedom = square.size - len(terms)
    estimates = [sigma_estimate(v, e * widen, freedom, confidence) for v, e in zip(value, error, strict=True)]
    return NoiseFit(terms=dict(zip(terms, estimates, strict=True)), missing=missing, not_fitted=not_fitted)


def _used(runs: NoisyRuns, kernel: KernelFit) -> tuple[Mask, Mask]:
    """(Runs whose n^2 is fitted, runs in which a spike is due). Raises DataError where too few are left."""
    used = np.isfinite(runs.n)
    if runs[used].trials < MIN_TRIALS or used.sum() < MIN_REPEATS:
        raise DataError(
            f"plan 'phase_noise' left {int(used.sum())} noisy spikes in {runs[used].trials} trials with a noise-free "
            f"reference (noise_seed -1); at least {MIN_REPEATS} spikes in {MIN_TRIALS} trials are needed"
        )
    # A stimulus that only just fires loses its late repeats and so looks quieter than it is: keep those clearly due.
    due = runs.due(kernel, float(np.sqrt(np.nanmean(runs.n**2))))
    clear = used & due
    if clear.sum() >= MIN_REPEATS and runs[clear].trials >= MIN_TRIALS:
        return clear, due
    return runs.rows.fired | ~due, due


def _terms(late: Array, in_loop: bool, not_fitted: dict[str, str]) -> list[str]:
    """Coefficients that the data resolve; the others are named in ``not_fitted``."""
    if in_loop:
        not_fitted["timing_noise.sigma_v"] = "kept at 0: the noise is inside the loop (manifest: noise.memory)"
        return ["loop_v"]
    if late.std() < 0.02 * late.mean():
        not_fitted["timing_noise.diffusion_v"] = (
            f"kept at 0: the reference spike times spread by only {100 * late.std() / late.mean():.2g} %, so accumulated "
            "noise cannot be told from sigma_v; vary the stimuli"
        )
        return ["sigma_v"]
    return ["sigma_v", "diffusion_v"]


def _column(name: str, late: Array) -> Array:
    """Variance of the membrane by the coefficient ``name`` alone, at 1."""
    sigma_v, diffusion_v, loop_v = (float(name == one) for one in ("sigma_v", "diffusion_v", "loop_v"))
    return variance_v(late, sigma_v=sigma_v, diffusion_v=diffusion_v, loop_v=loop_v)


def _components(design: Array, square: Array, sampled: Array) -> tuple[Array, Array]:
    """Coefficients >= 0 of ``square`` - ``sampled`` over ``design``, and the weight of every row."""
    scale = square.mean()
    y, sampled = (square - sampled) / scale, sampled / scale
    weight = np.ones_like(y)
    for _ in range(20):
        root = np.sqrt(weight)
        value = nnls(design * root[:, None], y * root)[0]
        weight = 1.0 / np.maximum(design @ value + sampled, 1e-3) ** 2
    return value * scale, weight


def _errors(
    design: Array, square: Array, trial: NDArray[np.int64], value: Array, weight: Array, *, scale: float, seed: int
) -> tuple[Array, Array]:
    """Unconstrained estimates where positive, else those of the constrained fit; and standard errors (by trial)."""
    y, value = square / scale, value / scale
    information = weight[:, None, None] * design[:, :, None] * design[:, None, :]
    score = weight[:, None] * design * (y - design @ value)[:, None]
    trials, index = np.unique(trial, return_inverse=True)
    p = design.shape[1]
    by_trial_i, by_trial_s = np.zeros((trials.size, p, p)), np.zeros((trials.size, p))
    np.add.at(by_trial_i, index, information)
    np.add.at(by_trial_s, index, score)
    total = by_trial_i.sum(axis=0)
    replicates = newton_replicates(by_trial_i, by_trial_s, np.random.default_rng(seed))
    model = np.sqrt(np.diagonal(2.0 * np.linalg.pinv(total)))  # Gaussian noise: Var n^2 = 2 (E n^2)^2
    error = np.maximum(np.where(np.isfinite(spread(replicates)), spread(replicates), 0.0), model)
    free = value + np.linalg.pinv(total) @ by_trial_s.sum(axis=0)
    # Where a coefficient sits at 0 the unconstrained estimate (negative) gives the upper bound of its interval.
    return np.where(value > 0, value, np.minimum(free, 0.0)) * scale, error * scale
