"""95 % intervals of accuracies: over images, over draws, and of differences between two networks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

_LEVEL = 0.95


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """Wilson interval of a fraction ``accuracy`` seen on ``n`` images."""
    low, high = stats.binomtest(round(accuracy * n), n).proportion_ci(confidence_level=_LEVEL, method="wilson")
    return float(low), float(high)


def over_draws(values: Sequence[float]) -> tuple[float, float, float]:
    """(mean, low, high): t interval of the mean of accuracies, cut to [0, 1]. A single draw has no width."""
    mean, half = _t_interval(np.asarray(values, dtype=np.float64))
    return mean, max(0.0, mean - half), min(1.0, mean + half)


def difference(values: Sequence[float], reference: Sequence[float], *, paired: bool) -> tuple[float, float, float]:
    """(mean, low, high) of mean(values) - mean(reference).

    ``paired``: draw k of both is the same chip, t interval of the differences. Otherwise Welch's interval, for unequal variances.
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if paired:
        mean, half = _t_interval(a - b)
        return mean, mean - half, mean + half
    mean = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2 or a.std() + b.std() == 0:
        return mean, mean, mean
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(_LEVEL)
    return mean, float(interval.low), float(interval.high)


def _t_interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half width."""
    n = len(values)
    if n < 2:
        return float(values.mean()), 0.0
    half = stats.t.ppf(0.5 + _LEVEL / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)
    return float(values.mean()), float(half)
