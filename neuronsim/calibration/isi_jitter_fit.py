"""Interval jitter of a rate neuron: the density of its membrane noise from the spread of intervals over currents.

At each current the spread is that of the intervals within each run under noise (the first one left out), less the spread
without noise (the numerical floor of the deck). All currents share one density S (:mod:`neuronsim.neuron.interval_noise`); the
estimate is the mean of variance over the law's variance, weighted by degrees of freedom. The card tells it as coefficient
of variation of the interval at one reference current.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..neuron.firing_rate import interval
from ..neuron.interval_noise import interval_variance, linearity
from ..statistics.bootstrap import sigma_estimate
from ..statistics.estimate import Estimate
from .rate_noise import reference_current

MIN_INTERVALS = 10
MIN_CURRENTS = 4
_MOST_NONLINEAR = 0.2  # above, the first-order law is off by more than some percent
_MOST_FLOOR = 0.5  # of the variance: above, the deck's own scatter is what would be fitted


@dataclass(frozen=True, kw_only=True)
class JitterFit:
    """``jitter``: coefficient of variation at the reference current. ``error``: median over held-out currents of
    |sigma_predicted / sigma_measured - 1|, None when none could be held out; ``floor``: largest share of the spread, over
    currents, that is there without noise, None when that was not measured."""

    jitter: Estimate
    error: float | None
    n_held_out: int | None
    floor: float | None


@dataclass(frozen=True, kw_only=True)
class IntervalSpread:
    """Intervals under noise by current (all (n,)): their mean in s, their variance in s^2 with its degrees of freedom, and
    ``floor``, the variance without noise (NaN: not measured)."""

    current: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    freedom: NDArray[np.float64]
    floor: NDArray[np.float64]


def interval_spreads(dataset: xr.Dataset) -> IntervalSpread:
    """What the runs with noise show at each current; the first interval of every run is left out."""
    ok = (dataset["status"].values == "ok") & (dataset["chip"].values == -1)
    seeds, plan = dataset["noise_seed"].values, dataset["plan"].values
    current, spikes = dataset["input_current_a"].values.astype(np.float64), dataset["spike_times_s"].values

    def pooled(rows: NDArray[np.bool_]) -> tuple[float, int, float]:
        square, freedom, total, number = 0.0, 0, 0.0, 0
        for times in spikes[rows]:
            isi = np.diff(times[np.isfinite(times)])[1:]
            if isi.size >= 2:
                square += float(((isi - isi.mean()) ** 2).sum())
                freedom += isi.size - 1
                total, number = total + float(isi.sum()), number + isi.size
        return square, freedom, total / number if number else np.nan

    found = []
    for at in np.unique(current[ok & (seeds >= 0)]):
        square, freedom, mean = pooled(ok & (seeds >= 0) & (current == at))
        same_plans = np.isin(plan, np.unique(plan[ok & (seeds >= 0)]))
        quiet, n_quiet, _ = pooled(ok & (seeds < 0) & same_plans & (current == at))
        if freedom:
            found.append((at, mean, square / freedom, freedom, quiet / n_quiet if n_quiet else np.nan))
    columns = np.array(found, dtype=np.float64).reshape(-1, 5).T
    current, mean, variance, freedom, floor = columns
    return IntervalSpread(current=current, mean=mean, variance=variance, freedom=freedom, floor=floor)


def fit_isi_jitter(
    dataset: xr.Dataset,
    *,
    charge: float,
    rheobase: float,
    refractory: float,
    valid: tuple[float, float],
    held_out: float,
    rng: np.random.Generator,
    confidence: float,
    not_fitted: dict[str, str],
) -> JitterFit:
    """Fit the jitter at the reference current of the range ``valid`` (ampere); what is missing goes to ``not_fitted``."""
    none = JitterFit(jitter=Estimate.exact(0.0), error=None, n_held_out=None, floor=None)
    found = interval_spreads(dataset)
    neuron = {"charge_per_spike": charge, "rheobase": rheobase}
    law = interval_variance(found.current, density=1.0, **neuron)
    usable = np.isfinite(law) & (linearity(found.current, np.sqrt(found.variance), **neuron) <= _MOST_NONLINEAR)
    drowned = usable & (found.floor > _MOST_FLOOR * found.variance)
    usable &= ~drowned
    intervals = int(found.freedom[usable].sum())
    if intervals < MIN_INTERVALS and drowned.any():
        worst = float(np.sqrt(np.max((found.floor / found.variance)[drowned])))
        not_fitted["isi_jitter"] = (
            f"without noise the intervals scatter up to {worst:.2g} times as much as with it: lower the deck's numerical floor "
            "(plan 'membrane_noise' with fine = true), or raise the noise density"
        )
        return none
    if intervals < MIN_INTERVALS:
        not_fitted["isi_jitter"] = (
            f"the dataset has {intervals} independent intervals from runs with noise far enough above the rheobase, at least "
            f"{MIN_INTERVALS} are needed (plan 'membrane_noise')"
        )
        return none
    clean = np.maximum(found.variance - np.where(np.isnan(found.floor), 0.0, found.floor), 0.0)
    places = np.flatnonzero(usable)
    test = np.zeros(usable.size, dtype=bool)
    if places.size >= MIN_CURRENTS:
        # every so many currents with a random phase; the ends stay in the fit
        n = max(1, round(held_out * places.size))
        inner = np.linspace(1, places.size - 1, n, endpoint=False) + rng.random() * (places.size - 2) / n
        test[places[np.clip(inner.astype(int), 1, places.size - 2)]] = True
    fit = usable & ~test
    freedom = float(found.freedom[fit].sum())
    density = float((found.freedom * clean / law)[fit].sum() / freedom)
    at = reference_current(*valid, rheobase)
    period = float(interval(at, charge_per_spike=charge, rheobase=rheobase, refractory=refractory))
    variance = density * float(interval_variance(at, density=1.0, **neuron)) / period**2
    if not np.isfinite(variance):
        not_fitted["isi_jitter"] = "the rheobase lies above the currents of the dataset: raise them"
        return none
    error = None
    if test.any():
        measured = np.sqrt(clean[test])
        error = float(np.median(np.abs(np.sqrt(density * law[test]) / measured - 1))) if (measured > 0).all() else None
    if error is None:
        not_fitted["quality.isi_jitter_error"] = (
            f"{places.size} currents with noise, at least {MIN_CURRENTS} are needed to hold any out"
        )
    shares = np.sqrt(found.floor / found.variance)[usable]
    return JitterFit(
        jitter=sigma_estimate(variance, variance * np.sqrt(2.0 / freedom), freedom, confidence),
        error=error,
        n_held_out=int(test.sum()) if error is not None else None,
        floor=float(np.nanmax(shares)) if np.isfinite(shares).any() else None,
    )
