"""Intervals of fractions: of runs, chips or images."""

import math
from statistics import NormalDist

from .estimate import Estimate

_LEVEL = 0.95


def proportion(successes: float, trials: float, confidence: float) -> Estimate:
    """Fraction with its Wilson score interval (E. B. Wilson 1927); (0, 0, 1) without trials.

    >>> sure = proportion(20, 20, 0.95)
    >>> round(sure.low, 3), sure.high
    (0.839, 1.0)
    """
    if trials == 0:
        return Estimate(value=0.0, low=0.0, high=1.0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / trials
    center = (p + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return Estimate(value=p, low=min(max(center - half, 0.0), p), high=max(min(center + half, 1.0), p))


def wilson(fraction: float, n: int) -> tuple[float, float]:
    """95 % Wilson interval of a ``fraction`` seen on ``n``: a whole number of them."""
    found = proportion(round(fraction * n), n, _LEVEL)
    return found.low, found.high
