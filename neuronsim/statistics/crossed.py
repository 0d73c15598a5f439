"""95 % intervals over repeats and images at once: every repeat (chip, noise draw) answered the same images.

Let y_ci be right (1) or wrong (0) on image i in repeat c, C repeats, N images. Both are samples: of the chips that could be
made, and of the images that could be shown. The variance of the mean over both is estimated without bias by the mean squares of
the crossed table (two-way random effects, one answer per cell; in the evaluation of readers on cases: Gallas, Acad. Radiol. 13
(2006) 353; degrees of freedom as Hillis, Stat. Med. 26 (2007) 596):

    V = Var_c(mean_i y) / C + [Var_i(mean_c y) / N - S / (C N)]_+,   S: mean square of what neither explains
    degrees of freedom: V^2 / sum over both terms of term^2 / (its number - 1)

A crossed bootstrap estimates the same V but for a factor (C - 1) / C and without the t quantile, so it is too narrow on few
chips. A t interval over the accuracies of the chips has the first term only: it speaks of these images, not of others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..arrays import Array, Mask

_QUANTILE = 0.975
Interval = tuple[float, float | None, float | None]


@dataclass(frozen=True)
class _Table:
    """Mean squares of answers (repeats, images): variances of the mean by repeats, by images, and by what is left."""

    mean: float
    repeats: float
    rest: float
    by_image: Array
    shape: tuple[int, int]

    @classmethod
    def of(cls, values: ArrayLike) -> _Table:
        values = np.asarray(values, dtype=np.float64)
        c, n = values.shape
        by_repeat, by_image, mean = values.mean(axis=1), values.mean(axis=0), float(values.mean())
        left = float(((values - by_repeat[:, None] - by_image + mean) ** 2).sum()) / ((c - 1) * (n - 1))
        return cls(mean, float(by_repeat.var(ddof=1)) / c, left / (c * n), by_image, (c, n))


def accuracy_interval(right: Sequence[Mask]) -> Interval:
    """(mean, low, high) of the accuracy of ``right`` (repeats, images). Ends None with less than two repeats or images.

    Wilson's interval with the number of independent images that would have the variance V, and the t quantile: it stays in
    [0, 1]. Where every answer is right, that of the images: chips do not add images.
    """
    mean, n, enough = _sizes(right)
    if not enough:
        return mean, None, None
    variance, freedom = _variance([_Table.of(np.stack(right))], paired=True)
    images = mean * (1 - mean) / variance if variance > 0 else n
    q = float(stats.t.ppf(_QUANTILE, freedom if variance > 0 else n - 1))
    center, total = mean + q * q / (2 * images), 1 + q * q / images
    half = q * math.sqrt(mean * (1 - mean) / images + (q / (2 * images)) ** 2)
    return mean, max(0.0, min(mean, (center - half) / total)), min(1.0, max(mean, (center + half) / total))


def difference_interval(right: Sequence[Mask], reference: Sequence[Mask], *, paired: bool) -> Interval:
    """(mean, low, high) of the accuracy of ``right`` minus that of ``reference``, both (repeats, images), on the same images.

    ``paired``: repeat c of both is the same chip. Otherwise the chips of both are independent, and their terms add. Ends None
    with less than two repeats or images.
    """
    mean, _, enough = _sizes(right)
    other, _, enough_too = _sizes(reference)
    if not (enough and enough_too):
        return mean - other, None, None
    if paired:
        tables = [_Table.of(np.asarray(right, dtype=np.float64) - np.asarray(reference, dtype=np.float64))]
    else:
        tables = [_Table.of(np.stack(right)), _Table.of(np.stack(reference))]
    variance, freedom = _variance(tables, paired=paired)
    half = float(stats.t.ppf(_QUANTILE, freedom)) * math.sqrt(variance) if variance > 0 else 0.0
    return mean - other, mean - other - half, mean - other + half


def _variance(tables: list[_Table], *, paired: bool) -> tuple[float, float]:
    """(V, its degrees of freedom) of one table, or of the difference of two with independent repeats."""
    n = tables[0].shape[1]
    by_image = tables[0].by_image if paired else tables[0].by_image - tables[1].by_image
    images = max(float(by_image.var(ddof=1)) / n - sum(table.rest for table in tables), 0.0)
    variance = sum(table.repeats for table in tables) + images
    spread = sum(table.repeats**2 / (table.shape[0] - 1) for table in tables) + images**2 / (n - 1)
    return variance, variance**2 / spread if spread > 0 else math.inf


def _sizes(right: Sequence[Mask]) -> tuple[float, int, bool]:
    values = np.asarray(right, dtype=np.float64)
    return float(values.mean()), values.shape[1], min(values.shape) >= 2
