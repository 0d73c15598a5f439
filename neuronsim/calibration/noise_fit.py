"""Temporal noise from repeated noisy runs of the same stimulus (plan 'phase_noise').

Each trial has a noise-free reference that fires at t_0. A noisy repeat that fires at t shows, at the comparator, the
deviation

    n = v(t) - v(t_0) - ramp (t - t_0)/tau        (v' (t - t_0) to first order)
    E n^2 = sigma_v^2 + diffusion_v^2 late + s        late = t_0/tau
    E n^2 = loop_v^2 (late - 1 + e^-late) + s         where the noise is inside the loop (manifest: noise.memory)
    s = (v' resolution)^2/6                           sampled output: the error of t and of t_0

with v the calibrated membrane: working in v keeps runs in which the membrane grazes the threshold from dominating. The
coefficients are fitted to n^2 by non-negative least squares, weighted by the inverse square of the fit (n^2 is
chi-square), the intervals by resampling whole trials.

A repeat that stays silent says that n was larger than all the membrane rises above the threshold within the window, c. Where
noise is small it does not come to that. Where it does, n^2 is replaced by its expectation, given n > c and the fit, and the
fit repeated until it stays (expectation maximization for a Gaussian; the intervals take these n^2 for measured).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import norm, t

from ..artifacts.card_parts import variance_v
from ..errors import DataError
from ..neuron.event_solver import membrane, slope
from ..statistics.bootstrap import newton_replicates, sigma_estimate, spread
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion
from .kernel_fit import KernelFit
from .stimuli import StimulusRows, split

MIN_TRIALS = 5
MIN_REPEATS = 30
#: a spike is due when it comes even with the threshold raised by this many sigma, within the window
_MARGIN = 5.0


@dataclass(frozen=True, kw_only=True)
class NoiseFit:
    """Temporal noise of the comparator and the oscillators, and missing spikes."""

    sigma_v: Estimate
    diffusion_v: Estimate
    missing: Estimate
    not_fitted: dict[str, str]
    loop_v: Estimate | None = None


def deviations(rows: StimulusRows, reference: NDArray[np.float64], kernel: KernelFit) -> NDArray[np.float64]:
    """n of each row (NaN where it or its reference is silent)."""
    both = rows.fired & np.isfinite(reference)
    n, part = np.full(len(rows), np.nan), rows[both]
    spike, quiet = (_above(part.times, part.weights, at[both] - kernel.delay, kernel) for at in (rows.out, reference))
    n[both] = spike - quiet
    return n


def _above(
    times: NDArray[np.float64], weights: NDArray[np.float64], at: NDArray[np.float64], kernel: KernelFit
) -> NDArray[np.float64]:
    """v - ramp t/tau at ``at``, which broadcasts against all but the last axis of ``times`` and ``weights``."""
    v = membrane(times, weights, at, tau=kernel.tau, second_pole_ratio=kernel.ratio, gain=kernel.gain)
    return v - kernel.ramp * at / kernel.tau


def references(rows: StimulusRows) -> tuple[StimulusRows, NDArray[np.float64]]:
    """The noisy rows, and the noise-free spike time of the same trial and chip for each (NaN where there is none)."""
    quiet = rows[rows.noise_seed == -1]
    noisy = rows[rows.noise_seed >= 0]
    time_of = {
        (int(trial), int(chip)): out for trial, chip, out in zip(quiet.trial, quiet.chip, quiet.out, strict=True)
    }
    keys = zip(noisy.trial, noisy.chip, strict=True)
    return noisy, np.array([time_of.get((int(trial), int(chip)), np.nan) for trial, chip in keys], dtype=np.float64)


def highest(rows: StimulusRows, reference: NDArray[np.float64], kernel: KernelFit) -> NDArray[np.float64]:
    """c of each row: the highest that its membrane, without noise, rises above the threshold from its reference spike on,
    within the window; at least 0, NaN without a reference."""
    c = np.full(len(rows), np.nan)
    on = np.isfinite(reference)
    part, start = rows[on], reference[on] - kernel.delay
    at = start[:, None] + np.linspace(0, 1, 65) * np.maximum(part.window - kernel.delay - start, 0.0)[:, None]
    above = _above(part.times[:, None, :], part.weights[:, None, :], at, kernel)
    c[on] = (above - above[:, :1]).max(axis=1)
    return c


def squares(
    n: NDArray[np.float64], c: NDArray[np.float64], variance: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """n^2 (rows,); where n is not known, its expectation given n > c for a Gaussian of ``variance``."""
    sigma = np.sqrt(np.maximum(variance, 1e-300))
    x = c / sigma
    # E[n^2 | n > c] = s^2 (1 + x phi(x)/Q(x)), Q the upper tail
    expected = sigma**2 * (1.0 + x * np.exp(norm.logpdf(x) - norm.logsf(x)))
    return np.where(np.isfinite(n), n**2, expected)


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
    noisy, reference = references(rows)
    n = deviations(noisy, reference, kernel)
    used = np.isfinite(n)
    _enough(noisy, used)
    # A stimulus that only just fires loses its late repeats and so looks quieter than it is: keep those clearly due.
    due = _due(noisy, reference, kernel, float(np.sqrt(np.nanmean(n**2))))
    if due[used].sum() >= MIN_REPEATS and np.unique(noisy.trial[used & due]).size >= MIN_TRIALS:
        used &= due
    else:
        used |= np.isfinite(reference) & (noisy.fired | ~due)
    missing = proportion(int((due & ~noisy.fired).sum()), int(due.sum()), confidence)
    late, trial = (reference[used] - kernel.delay) / kernel.tau, noisy.trial[used]
    known, c = n[used], highest(noisy[used], reference[used], kernel)
    square = squares(known, c, float(np.nanmean(known**2)))
    sampled = _sampled(noisy[used], reference[used], kernel, resolution_s)
    not_fitted: dict[str, str] = {}
    if not due.any():
        not_fitted["missing_probability"] = (
            f"not told from noise: no stimulus of plan 'phase_noise' would still fire with the threshold {_MARGIN:g} sigma higher"
        )
    if square.max() == 0.0:
        exact = Estimate.exact(0.0)
        return NoiseFit(sigma_v=exact, diffusion_v=exact, missing=missing, not_fitted=not_fitted)
    grown = variance_v(late, sigma_v=0.0, diffusion_v=float(not in_loop), loop_v=float(in_loop))
    design = np.stack([np.ones_like(late), grown], axis=1)
    columns = [1] if in_loop else [0, 1]
    if in_loop:
        not_fitted["timing_noise.sigma_v"] = "kept at 0: the noise is inside the loop (manifest: noise.memory)"
    elif late.std() < 0.02 * late.mean():
        columns = [0]
        not_fitted["timing_noise.diffusion_v"] = (
            f"kept at 0: the reference spike times spread by only {100 * late.std() / late.mean():.2g} %, so "
            "accumulated "
            "noise cannot be told from sigma_v; vary the stimuli"
        )
    for _ in range(60 if np.isnan(known).any() else 0):
        expected = design[:, columns] @ _components(design[:, columns], square, sampled)[0] + sampled
        before, square = square, squares(known, c, expected)
        if np.abs(square - before).max() < 1e-6 * square.mean():
            break
    value, share = _components(design[:, columns], square, sampled)
    value, error = _errors(design[:, columns], square - sampled, trial, value, share, float(square.mean()), seed)
    trials = np.unique(trial).size
    # The bootstrap saw only so many trials: widen by the ratio of the t to the normal quantile.
    widen = t.ppf(0.5 + confidence / 2, trials - len(columns)) / norm.ppf(0.5 + confidence / 2)
    freedom = square.size - len(columns)
    estimates = [sigma_estimate(v, e * widen, freedom, confidence) for v, e in zip(value, error, strict=True)]
    of_column = dict(zip(columns, estimates, strict=True))
    zero = Estimate.exact(0.0)
    return NoiseFit(
        sigma_v=of_column.get(0, zero),
        diffusion_v=zero if in_loop else of_column.get(1, zero),
        loop_v=of_column[1] if in_loop else None,
        missing=missing,
        not_fitted=not_fitted,
    )


def fit_noise_held_out(
    rows: StimulusRows,
    kernel: KernelFit,
    *,
    fraction: float,
    seed: int,
    confidence: float = 0.95,
    in_loop: bool = False,
    resolution_s: float = 0.0,
) -> tuple[NoiseFit, StimulusRows | None]:
    """:func:`fit_noise` on all stimuli but a held-out ``fraction``, and the runs of those.

    Where that leaves too few for the fit (plan 'phase_noise' with fewer than about 8 trials) all are fitted and None is
    held out, with a note. Raises DataError as :func:`fit_noise`.
    """
    fit_rows, test_rows = split(rows, fraction, np.random.default_rng(seed))
    held_out = test_rows[test_rows.noise_seed >= 0]
    how: dict[str, Any] = {"seed": seed, "confidence": confidence, "in_loop": in_loop, "resolution_s": resolution_s}
    try:
        if len(held_out):
            return fit_noise(fit_rows, kernel, **how), test_rows
    except DataError:
        pass
    fit = fit_noise(rows, kernel, **how)
    why = "plan 'phase_noise' has too few stimuli to hold any out: only noise-free runs are judged; raise its trials"
    return replace(fit, not_fitted=fit.not_fitted | {"quality.coverage": why}), None


def _enough(noisy: StimulusRows, used: NDArray[np.bool_]) -> None:
    trials = np.unique(noisy.trial[used]).size
    if trials < MIN_TRIALS or used.sum() < MIN_REPEATS:
        raise DataError(
            f"plan 'phase_noise' left {int(used.sum())} noisy spikes in {trials} trials with a noise-free reference "
            f"(noise_seed -1); at least {MIN_REPEATS} spikes in {MIN_TRIALS} trials are needed"
        )


def _due(noisy: StimulusRows, reference: NDArray[np.float64], kernel: KernelFit, sigma: float) -> NDArray[np.bool_]:
    """Rows whose reference fired and which would fire in the window even with the threshold raised by 5 ``sigma``."""
    return np.isfinite(reference) & np.isfinite(kernel.predict(noisy, threshold=1.0 + _MARGIN * sigma))


def sigma_over_predicted(
    rows: StimulusRows, kernel: KernelFit, noise: NoiseFit, *, resolution_s: float = 0.0, confidence: float = 0.95
) -> Estimate | None:
    """Spread of n in runs that the fit has not seen, over what ``noise`` and sampling predict (1: as predicted).

    None where fewer than 30 noisy runs have a reference. ``rows``: noise-free and noisy runs. The interval is by trial:
    repeats of one share its kernel error. Silent runs count as in the fit.
    """
    noisy, reference = references(rows)
    there = np.where(np.isfinite(reference), reference, np.nan)
    late = np.maximum((there - kernel.delay) / kernel.tau, 0.0)
    loop_v = 0.0 if noise.loop_v is None else noise.loop_v.value
    predicted = variance_v(late, sigma_v=noise.sigma_v.value, diffusion_v=noise.diffusion_v.value, loop_v=loop_v)
    due = _due(noisy, reference, kernel, float(np.sqrt(np.nanmax(predicted, initial=0.0))))
    used = np.isfinite(reference) & (noisy.fired | ~due)  # silent though due: a missing spike, no noise
    if used.sum() < MIN_REPEATS or predicted[used].min() <= 0:
        return None
    part, quiet = noisy[used], reference[used]
    predicted = predicted[used] + _sampled(part, quiet, kernel, resolution_s)
    n, c = deviations(part, quiet, kernel), highest(part, quiet, kernel)
    factor = 1.0
    for _ in range(200):
        square = squares(n, c, factor * predicted) / predicted
        before, factor = factor, float(square.mean())
        if abs(factor - before) < 1e-9 * factor:
            break
    by_trial = np.array([(square[part.trial == trial] - factor).sum() for trial in np.unique(part.trial)])
    trials = by_trial.size
    clustered = np.sqrt((by_trial**2).sum() * trials / max(trials - 1, 1)) / square.size
    error = max(float(clustered), factor * float(np.sqrt(2.0 / square.size)))
    return sigma_estimate(factor, error, 2.0 * (factor / error) ** 2, confidence)


def _sampled(
    rows: StimulusRows, reference: NDArray[np.float64], kernel: KernelFit, resolution_s: float
) -> NDArray[np.float64]:
    """s of each row: what sampling adds to n^2, of the spike and of its reference."""
    steepness = slope(
        rows.times,
        rows.weights,
        reference - kernel.delay,
        tau=kernel.tau,
        second_pole_ratio=kernel.ratio,
        ramp=kernel.ramp,
        gain=kernel.gain,
    )
    return (steepness * resolution_s) ** 2 / 6.0


def _components(
    design: NDArray[np.float64], square: NDArray[np.float64], sampled: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    design: NDArray[np.float64],
    square: NDArray[np.float64],
    trial: NDArray[np.int64],
    value: NDArray[np.float64],
    weight: NDArray[np.float64],
    scale: float,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    # Where a coefficient sits at 0 the unconstrained estimate (negative) gives the honest upper bound of its interval.
    return np.where(value > 0, value, np.minimum(free, 0.0)) * scale, error * scale
