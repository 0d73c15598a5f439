"""Accumulated jitter of a free-running oscillator: sigma(m) of the time over m periods, and the law kappa t^p through it.

White frequency noise gives sigma = kappa sqrt(t), so p = 1/2 and a single-sideband phase noise of
L(f) = kappa^2 f0^2/f^2 (Demir, Mehrotra and Roychowdhury, Phase noise in oscillators, TCAS-I 2000; Abidi, JSSC 2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..errors import DataError
from ..statistics.bootstrap import percentile_ends
from ..statistics.estimate import Estimate

_RESAMPLES = 400


@dataclass(frozen=True, kw_only=True)
class JitterLaw:
    """sigma(t) = kappa sqrt(t) with kappa in s^0.5, and the exponent of a free power law, both over one decade of lags.

    ``lag``: periods; ``sigma_s``: of the time over so many, shape (n,). Intervals: bootstrap over oscillators.
    """

    period_s: float
    lag: NDArray[np.int64]
    sigma_s: Array
    kappa: Estimate
    exponent: Estimate


def lags_of(edges: int, lowest: int = 2) -> NDArray[np.int64]:
    """Lags of the decade from ``lowest`` periods up, fewer where a series of ``edges`` edges is too short for it."""
    top = min(10 * lowest, (edges - 1) // 3)
    return np.unique(np.geomspace(lowest, max(top, lowest + 1), 8).astype(np.int64))


def accumulated(series: Sequence[Array], lag: NDArray[np.int64], period_s: float) -> Array:
    """sigma (series, lags) in seconds of the time over each lag, in every series of rising edges alone."""
    return np.array([[np.sqrt(np.mean((e[m:] - e[:-m] - m * period_s) ** 2)) for m in lag] for e in series])


def mean_period(series: Sequence[Array]) -> float:
    """Mean period in seconds over all series together."""
    return float(sum(e[-1] - e[0] for e in series) / sum(e.size - 1 for e in series))


def jitter_law(series: Sequence[Array], *, seed: int = 0, confidence: float = 0.95) -> JitterLaw:
    """The law through the accumulated jitter of equal oscillators, one series of rising edges (s) each.

    Raises DataError when there are fewer than 2 series or one has fewer than 10 edges.
    """
    if len(series) < 2 or min(e.size for e in series) < 10:
        raise DataError(
            f"accumulated jitter needs at least 2 oscillators of 10 edges; there are {len(series)}, the shortest of "
            f"{min((e.size for e in series), default=0)}"
        )
    period = mean_period(series)
    lag = lags_of(min(e.size for e in series))
    square = accumulated(series, lag, period) ** 2
    time, weight = lag * period, 1.0 / np.sqrt(lag)  # long lags have fewer independent windows

    def fit(rows: NDArray[np.int64]) -> tuple[float, float]:
        mean = square[rows].mean(axis=0)
        kappa = np.sqrt(np.average(mean / time, weights=weight**2))
        slope = np.polyfit(np.log(time), 0.5 * np.log(mean), 1, w=weight)[0]
        return float(kappa), float(slope)

    best = fit(np.arange(len(series)))
    rng = np.random.default_rng(seed)
    drawn = [fit(rng.integers(0, len(series), len(series))) for _ in range(_RESAMPLES)]
    low, high = percentile_ends(drawn, confidence)
    kappa, exponent = (
        Estimate(value=b, low=min(float(lo), b), high=max(float(hi), b))
        for b, lo, hi in zip(best, low, high, strict=True)
    )
    return JitterLaw(period_s=period, lag=lag, sigma_s=np.sqrt(square.mean(axis=0)), kappa=kappa, exponent=exponent)


def phase_noise_dbc_hz(kappa: float, frequency_hz: float, offset_hz: float) -> float:
    """L(offset) in dBc/Hz of white frequency noise, far enough from the carrier that it is not yet flat."""
    return float(10 * np.log10((kappa * frequency_hz / offset_hz) ** 2))
