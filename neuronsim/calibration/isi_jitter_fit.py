"""Interval jitter of a rate neuron: the density of its membrane noise from the spread of intervals over currents.

At each current the spread is that of the intervals within each run under noise (the first one left out), less the spread
without noise (the numerical floor of the deck). All currents share one density S (:mod:`neuronsim.neuron.interval_noise`); the
estimate is the mean of variance over the law's variance, weighted by degrees of freedom. The card gives it as coefficient
of variation of the interval at one reference current.
"""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array, Mask
from ..artifacts.card_parts import Range
from ..neuron.firing_rate import interval
from ..neuron.interval_noise import interval_variance, linearity
from ..statistics.bootstrap import sigma_estimate
from ..statistics.estimate import Estimate
from .fi_fit import FIFit
from .prediction import reference_current

MIN_INTERVALS = 10
MIN_CURRENTS = 4
_MOST_NONLINEAR = 0.2  # above, the first-order law is off by more than some percent
_MOST_FLOOR = 0.5  # of the variance: above, the deck's own scatter is what would be fitted


class IntervalSpread(NamedTuple):
    """Intervals under noise by current (all (n,)): their mean in s, their variance in s^2 with its degrees of freedom, and
    ``floor``, the variance without noise (NaN: not measured)."""

    current: Array
    mean: Array
    variance: Array
    freedom: Array
    floor: Array


def interval_spreads(dataset: xr.Dataset) -> IntervalSpread:
    """What the runs with noise show at each current; the first interval of every run is left out."""
    ok = (dataset["status"].values == "ok") & (dataset["chip"].values == -1)
    seeds, plan = dataset["noise_seed"].values, dataset["plan"].values
    current, spikes = dataset["input_current_a"].values.astype(np.float64), dataset["spike_times_s"].values

    def pooled(rows: Mask) -> tuple[float, int, float]:
        square, freedom, total, number = 0.0, 0, 0.0, 0
        for times in spikes[rows]:
            isi = np.diff(times[np.isfinite(times)])[1:]
            if isi.size >= 2:
                square += float(((isi - isi.mean()) ** 2).sum())
                freedom += isi.size - 1
                total, number = total + float(isi.sum()), number + isi.size
        return square, freedom, total / number if number else np.nan

    table = []
    for at in np.unique(current[ok & (seeds >= 0)]):
        square, freedom, mean = pooled(ok & (seeds >= 0) & (current == at))
        same_plans = np.isin(plan, np.unique(plan[ok & (seeds >= 0)]))
        quiet, n_quiet, _ = pooled(ok & (seeds < 0) & same_plans & (current == at))
        if freedom:
            table.append((at, mean, square / freedom, freedom, quiet / n_quiet if n_quiet else np.nan))
    return IntervalSpread(*np.array(table, dtype=np.float64).reshape(-1, 5).T)


def fit_isi_jitter(
    dataset: xr.Dataset,
    curve: FIFit,
    valid: Range,
    not_fitted: dict[str, str],
    *,
    held_out: float,
    seed: int,
    confidence: float,
) -> tuple[Estimate, dict[str, Any]]:
    """The jitter (coefficient of variation) at the reference current of the range ``valid`` (ampere), and its fields of Quality.

    What is missing goes to ``not_fitted``.
    """
    spreads = interval_spreads(dataset)
    law = interval_variance(spreads.current, density=1.0, **curve.leaky)
    usable, why = _usable(spreads, law, curve)
    at = reference_current(valid.low, valid.high, curve.estimates["rheobase_a"].value)
    unit = float(interval_variance(at, density=1.0, **curve.leaky))
    if not why and not np.isfinite(unit):
        why = "the rheobase lies above the currents of the dataset: raise them"
    if why:
        not_fitted["isi_jitter"] = why
        return Estimate.exact(0.0), {}
    clean = np.maximum(spreads.variance - np.where(np.isnan(spreads.floor), 0.0, spreads.floor), 0.0)
    test = _held_out(usable, held_out, np.random.default_rng(seed + 2))
    fit = usable & ~test
    freedom = float(spreads.freedom[fit].sum())
    density = float((spreads.freedom * clean / law)[fit].sum() / freedom)
    variance = density * unit / float(interval(at, **curve.neuron)) ** 2
    error = None
    if test.any() and (clean[test] > 0).all():
        error = float(np.median(np.abs(np.sqrt(density * law[test]) / np.sqrt(clean[test]) - 1)))
    if error is None:
        not_fitted["quality.isi_jitter_error"] = (
            f"{int(usable.sum())} currents with noise, at least {MIN_CURRENTS} are needed to hold any out"
        )
    shares = np.sqrt(spreads.floor / spreads.variance)[usable]
    return sigma_estimate(variance, variance * np.sqrt(2.0 / freedom), freedom, confidence), {
        "isi_jitter_error": error,
        "n_isi_jitter": int(test.sum()) if error is not None else None,
        "isi_jitter_floor": float(np.nanmax(shares)) if np.isfinite(shares).any() else None,
    }


def _usable(spreads: IntervalSpread, law: Array, curve: FIFit) -> tuple[Mask, str]:
    """Currents at which the first-order law holds and the noise stands out of the deck's floor; why they are too few, or ""."""
    holds = np.isfinite(law)
    holds &= linearity(spreads.current, np.sqrt(spreads.variance), **curve.leaky) <= _MOST_NONLINEAR
    drowned = holds & (spreads.floor > _MOST_FLOOR * spreads.variance)
    usable = holds & ~drowned
    intervals = int(spreads.freedom[usable].sum())
    if intervals >= MIN_INTERVALS:
        return usable, ""
    if drowned.any():
        worst = float(np.sqrt(np.max((spreads.floor / spreads.variance)[drowned])))
        return usable, (
            f"without noise the intervals scatter up to {worst:.2g} times as much as with it: lower the deck's numerical floor "
            "(plan 'membrane_noise' with fine = true), or raise the noise density"
        )
    return usable, (
        f"the dataset has {intervals} independent intervals from runs with noise far enough above the rheobase, at least "
        f"{MIN_INTERVALS} are needed (plan 'membrane_noise')"
    )


def _held_out(usable: Mask, fraction: float, rng: np.random.Generator) -> Mask:
    """Every so many of the ``usable`` currents with a random phase; the ends stay in the fit. None of fewer than 4."""
    at = np.flatnonzero(usable)
    test = np.zeros(usable.size, dtype=bool)
    if at.size >= MIN_CURRENTS:
        n = max(1, round(fraction * at.size))
        inner = np.linspace(1, at.size - 1, n, endpoint=False) + rng.random() * (at.size - 2) / n
        test[at[np.clip(inner.astype(int), 1, at.size - 2)]] = True
    return test
