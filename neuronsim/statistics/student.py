"""95 % intervals of accuracies over repeats, and of differences between two networks.

Over images: :mod:`neuronsim.statistics.proportions`; over repeats and images at once:
:mod:`neuronsim.statistics.crossed`. A single value has no
interval: its ends are None, never the value.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..errors import InputError

_LEVEL = 0.95
Interval = tuple[float, float | None, float | None]


def over_draws(values: Sequence[float]) -> Interval:
    """(mean, low, high): t interval of the mean of accuracies, cut to [0, 1]."""
    mean, low, high = over_values(values)
    return mean, None if low is None else max(0.0, low), None if high is None else min(1.0, high)


def over_values(values: Sequence[float]) -> Interval:
    """(mean, low, high): t interval of the mean of ``values``."""
    array = np.asarray(values, dtype=np.float64)
    mean, n = float(array.mean()), len(array)
    if n < 2:
        return mean, None, None
    half = float(stats.t.ppf(0.5 + _LEVEL / 2, n - 1) * array.std(ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half


def difference(values: Sequence[float], reference: Sequence[float], *, paired: bool) -> Interval:
    """(mean, low, high) of mean(values) - mean(reference).

    ``paired``: value k of both belongs together, t interval of the differences. Otherwise Welch's, for unequal variances.
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if paired:
        return over_values(list(a - b))
    mean = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2:
        return mean, None, None
    if a.std() + b.std() == 0:
        return mean, mean, mean
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(_LEVEL)
    return mean, float(interval.low), float(interval.high)


def paired_images(right: ArrayLike, reference: ArrayLike) -> tuple[float, float, float]:
    """(difference, low, high): accuracy of ``right`` minus that of ``reference``, both (images,), on the same images.

    Adjusted Wald interval of paired proportions (Bonett and Price, Br. J. Math. Stat. Psychol. 65 (2012) 479): with n images of
    which b only the first network has right and c only the second, p = (b + 1) / (n + 2), q = (c + 1) / (n + 2), the ends are
    p - q -+ z sqrt((p + q - (p - q)^2) / (n + 2)). It keeps a width where both agree on every image.
    """
    a, b = np.asarray(right, dtype=bool), np.asarray(reference, dtype=bool)
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise InputError(
            f"answers of shapes {a.shape} and {b.shape}: a paired difference needs the same images, one or more"
        )
    n = a.size
    p, q = ((a & ~b).sum() + 1) / (n + 2), ((b & ~a).sum() + 1) / (n + 2)
    half = float(stats.norm.ppf(0.5 + _LEVEL / 2) * math.sqrt((p + q - (p - q) ** 2) / (n + 2)))
    return float(a.mean() - b.mean()), float(p - q - half), float(p - q + half)
