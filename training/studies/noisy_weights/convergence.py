"""Final accuracy and convergence time of a spiking network, as paper 000 defines them (section II-F)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neuronsim.errors import InputError

PAPER_BAND, PAPER_IMAGES = 0.0003, 10_000
_NEAR = 0.001  # a band wider than the fluctuations of a settled network: three images more or fewer decide the paper's
LENGTHS = (100, 300, 500)
_LEAST_TAIL = 0.1  # a range shorter than this part of the run shows no convergence


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """``accuracy``: mean of the converged range. ``step``: the first of that range, counted from 1; None: not converged, then
    the accuracy is the mean of the last tenth. ``within_1``, ``within_05``: first step above accuracy - 1 %, - 0.5 %.
    ``near``: the first from which on it stays within +-0.1 % (:func:`near_for`) of the accuracy."""

    accuracy: float
    step: int | None
    within_1: int | None
    within_05: int | None
    near: int | None


def band_for(images: int) -> float:
    """Half width of the converged range: +-0.03 % on 10,000 images; on fewer as much wider as samples scatter, >= 1 image."""
    return max(PAPER_BAND * math.sqrt(PAPER_IMAGES / images), 1.0 / images)


def near_for(images: int) -> float:
    """Half width of the wide range: +-0.1 %, and never less than one image."""
    return max(_NEAR, 1.0 / images)


def converge(curve: ArrayLike, band: float, near_band: float = _NEAR) -> Convergence:
    """``curve`` (steps,): accuracy after each step. From the earliest step on it stays within +-``band`` of the mean of the rest.

    ``near_band``: half width of the wide range. Raises InputError for an empty curve or a band that is not positive.
    """
    values = np.asarray(curve, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not band > 0:
        raise InputError(f"curve of shape {values.shape} and band {band:g}: need a curve (steps,) and a positive band")
    back = values[::-1]
    n = np.arange(1, values.size + 1)
    mean = (np.cumsum(back) / n)[::-1]
    above = (np.maximum.accumulate(back)[::-1] - mean) <= band + 1e-12
    below = (mean - np.minimum.accumulate(back)[::-1]) <= band + 1e-12
    first = int(np.argmax(above & below))
    least = max(1, math.ceil(_LEAST_TAIL * values.size))
    converged = values.size - first >= least
    final = float(mean[first]) if converged else float(values[-least:].mean())

    def crossing(loss: float) -> int | None:
        reached = np.flatnonzero(values > final - loss)
        return int(reached[0]) + 1 if reached.size else None

    outside = np.flatnonzero(np.abs(values - final) > near_band + 1e-12)
    near = int(outside[-1]) + 2 if outside.size else 1
    return Convergence(
        accuracy=final,
        step=first + 1 if converged else None,
        within_1=crossing(0.01),
        within_05=crossing(0.005),
        near=near if near <= values.size else None,
    )
