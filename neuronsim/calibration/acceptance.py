"""Does a card still predict its circuit? The verdict on a few fresh runs."""

import math
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import betabinom, norm, t

from ..arrays import Array
from ..artifacts.card_parts import Quality

#: probability that either test rejects a healthy card
FALSE_ALARM = 0.005
#: relative differences between builds of the simulator and its libraries, which are no fault of a card
SIMULATOR = 1e-5


def outside_limit(quality: Quality, runs: int) -> int:
    """Largest number of ``runs`` fresh runs that lie outside for a healthy card; more do with probability 0.005 at most.

    A fresh run lies outside like a held-out one: beyond the 95th percentile of their errors, or with the wrong outcome.
    Both are known from as many runs as were held out only, so the number outside is beta-binomial.
    """
    compared = quality.n_compared or max(1, math.floor(0.8 * quality.n_held_out))
    wrong = round((1.0 - quality.spike_agreement) * quality.n_held_out)
    return _limit(runs, compared, wrong)


@cache
def _limit(runs: int, compared: int, wrong: int) -> int:
    rank = math.floor(0.95 * (compared - 1)) + 1  # the order statistic at or below the 95th percentile
    beyond = betabinom(runs, compared + 1 - rank + wrong, rank)
    return int((beyond.sf(np.arange(runs + 1)) <= FALSE_ALARM).argmax())


def drift_limit(quality: Quality, runs: int) -> tuple[float, float] | None:
    """(largest |drift| of a healthy card, common shift detected with probability 0.95); None for a card without spread."""
    if quality.spread is None or quality.bias is None or quality.n_compared is None or runs < 2:
        return None
    quantile = float(t.ppf(1.0 - FALSE_ALARM / 2, quality.n_compared - 1))
    limit = quantile * quality.spread * math.sqrt(1.0 / runs + 1.0 / quality.n_compared) + SIMULATOR
    return limit, limit + float(norm.ppf(0.95)) * quality.spread / math.sqrt(runs)


def judge(quality: Quality, *, simulated: Array, predicted: Array, allowed: Array, silent: float) -> dict[str, Any]:
    """The verdict's fields from (runs,) arrays: values in any unit, NaN = simulation failed, ``silent`` = no spike.

    ``allowed``: largest relative error of a run inside.
    """
    fires, due = np.isfinite(simulated) & (simulated != silent), predicted != silent
    both = fires & due
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(both, predicted / simulated - 1.0, np.nan)
    inside = np.where(both, np.abs(error) <= allowed, ~np.isnan(simulated) & (fires == due))
    outside, limit = int((~inside).sum()), outside_limit(quality, simulated.size)
    drift, bounds = None, drift_limit(quality, int(both.sum()))
    if both.sum() >= 2:
        drift = float(np.clip(error[both], -quality.p95_error, quality.p95_error).mean()) - (quality.bias or 0.0)
    drifts = drift is not None and bounds is not None and abs(drift) > bounds[0]
    return {
        "errors": error,
        "inside": inside,
        "outside": outside,
        "outside_limit": limit,
        "drift": drift,
        "drift_limit": None if bounds is None else bounds[0],
        "detectable_shift": None if bounds is None else bounds[1],
        "holds": outside <= limit and not drifts,
    }
