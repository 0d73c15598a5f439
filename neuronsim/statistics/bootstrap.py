"""Confidence intervals that hold for the sample sizes of a characterization: bootstrap spread, small-sample quantiles.

Resampling is by weight: a resample is a vector of multiplicities (how often each unit was drawn), and an estimator near
its optimum answers to it by one Newton step. That gives hundreds of resamples for the price of one matrix product; the
tests hold it against full refits.
"""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import chi2, t

from ..arrays import Array
from .estimate import Estimate

#: no fit is trusted beyond this, in the unit of its (dimensionless) parameter: the resolution of stored spike times
RESOLUTION = 1e-10


def multiplicities(units: int, rng: np.random.Generator, *, resamples: int = 600) -> Array:
    """How often each of ``units`` was drawn in each resample with replacement: shape (resamples, units)."""
    return rng.multinomial(units, np.full(units, 1.0 / units), size=resamples).astype(np.float64)


def newton_replicates(information: Array, score: Array, rng: np.random.Generator, *, resamples: int = 600) -> Array:
    """Shift of the estimate in each resample, (resamples, p): (sum_u m_u I_u)^-1 sum_u m_u s_u.

    ``information`` (units, p, p) and ``score`` (units, p) are each unit's share of the curvature and gradient at the
    estimate. Replicates whose resample is singular are NaN.
    """
    units, p = score.shape
    m = multiplicities(units, rng, resamples=resamples)
    matrix = (m @ information.reshape(units, p * p)).reshape(-1, p, p)
    step = np.full((resamples, p), np.nan)
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(information.sum(axis=0))), 1e-300))
    normalized = matrix / (scale[:, None] * scale[None, :])
    good = np.linalg.cond(normalized) < 1e13
    if good.any():
        step[good] = np.linalg.solve(normalized[good], (m @ score)[good][..., None] / scale[:, None])[..., 0] / scale
    return step


def spread(replicates: Array) -> Array:
    """Standard error from replicates (resamples, p): infinite where more than 5 % of the resamples were singular."""
    bad = np.isnan(replicates).mean(axis=0) > 0.05
    return np.where(bad, np.inf, np.nanstd(np.where(bad, 0.0, replicates), axis=0))


def percentile_ends(replicates: ArrayLike, confidence: float) -> Array:
    """Both ends of the percentile interval of estimates from resamples (resamples, ...): shape (2, ...)."""
    return np.quantile(np.asarray(replicates, dtype=np.float64), [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)


def half_width(standard_error: float, freedom: float, confidence: float) -> float:
    """Half width of the two-sided interval from Student's t with ``freedom`` degrees of freedom."""
    quantile = float(t.ppf(0.5 + confidence / 2, max(freedom, 1.0)))
    return max(quantile * standard_error, RESOLUTION)


def variance_bounds(variance: float, standard_error: float, freedom: float, confidence: float) -> tuple[float, float]:
    """Interval of a variance component from its unconstrained estimate (may be negative) and standard error.

    Modified large sample limits (Graybill and Wang 1980): for one component they are the exact chi-square interval with
    ``freedom`` degrees of freedom; for a component left over after subtracting others they may reach 0. Bounds are >=
    0.
    """
    low_q, high_q = chi2.ppf([0.5 + confidence / 2, 0.5 - confidence / 2], max(freedom, 1.0)) / max(freedom, 1.0)
    total = standard_error * math.sqrt(max(freedom, 1.0) / 2.0)
    return max(variance - total * (1.0 - 1.0 / low_q), 0.0), max(variance + total * (1.0 / high_q - 1.0), 0.0)


def sigma_estimate(variance: float, standard_error: float, freedom: float, confidence: float) -> Estimate:
    """The :class:`Estimate` of a standard deviation from its unconstrained variance estimate (clipped at 0)."""
    low, high = variance_bounds(variance, standard_error, freedom, confidence)
    value = math.sqrt(max(variance, 0.0))
    return Estimate(value=value, low=min(math.sqrt(low), value), high=max(math.sqrt(high), value))


def rms_estimate(values: Array, rng: np.random.Generator, confidence: float) -> Estimate:
    """Root mean square of ``values`` with its bootstrap percentile interval."""
    square = np.asarray(values, dtype=np.float64) ** 2
    value = math.sqrt(square.mean())
    resampled = np.sqrt(multiplicities(square.size, rng) @ square / square.size)
    low, high = percentile_ends(resampled, confidence)
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def bias_and_spread(errors: Array, clip: float) -> tuple[float, float | None]:
    """Mean and standard deviation of ``errors`` clipped to +-``clip``; no deviation of a single one."""
    inside = np.clip(errors, -clip, clip)
    return float(inside.mean()), float(inside.std(ddof=1)) if inside.size > 1 else None
