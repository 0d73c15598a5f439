"""Which runs a fit does not see, a share of every kind drawn with a random phase, and how well a card predicts them."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Mask
from ..artifacts.card_parts import Quality
from ..errors import DataError
from ..statistics.bootstrap import bias_and_spread
from .stimuli import StimulusRows


def _every(n: int, fraction: float, rng: np.random.Generator) -> Mask:
    """``fraction`` of an ordered list of ``n``, evenly spaced: holds out the same share of each stratum, however small."""
    position = (np.arange(n) + rng.random()) * fraction
    return np.diff(np.floor(position), prepend=np.floor(position[0] - fraction)) > 0


def split(rows: StimulusRows, fraction: float, rng: np.random.Generator) -> tuple[StimulusRows, StimulusRows]:
    """(fit, held out): ``fraction`` of the trials held out, drawn within each stratum (fired or not, number of inputs).

    All rows of one trial go to the same side, so that no stimulus is on both.
    """
    kinds = zip(rows.trial, rows.fired, rows.inputs, strict=True)
    stratum = {int(trial): (bool(fired), int(n)) for trial, fired, n in kinds}
    trials = np.array(sorted(stratum))
    shuffled = sorted(rng.permutation(trials), key=lambda trial: stratum[trial])  # stable: random within a stratum
    held = np.isin(rows.trial, np.array(shuffled)[_every(len(shuffled), fraction, rng)])
    return rows[~held], rows[held]


def split_curve(current: Array, hertz: Array, fraction: float, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """(fit, held out) as masks (n,): an even share along the current axis; the end points stay in the fit.

    Raises DataError where no held-out run fires.
    """
    taken = _every(current.size, fraction, rng)
    taken[0] = taken[-1] = False
    test = np.zeros(current.size, dtype=bool)
    test[np.argsort(current, kind="stable")[taken]] = True
    if not (test & (hertz > 0)).any():
        raise DataError(f"no firing run could be held out of {current.size}: sweep more currents in plan 'fi'")
    return ~test, test


def held_out_quality(measured: Array, predicted: Array, *, silent: float, n_fit: int) -> tuple[Quality, Array, Mask]:
    """(Quality, signed relative errors, the runs that these are of), from (runs,) spike times or rates; ``silent``: no spike.

    The errors are over the runs in which both circuit and card fire. Raises DataError where there is none.
    """
    fires, due = measured != silent, predicted != silent
    both = fires & due
    if not both.any():
        raise DataError(
            f"no held-out run fires in both circuit and card ({measured.size} held out): the card does not describe this "
            "circuit, or too few runs were held out"
        )
    errors = predicted[both] / measured[both] - 1.0
    p95 = float(np.quantile(np.abs(errors), 0.95))
    bias, spread = bias_and_spread(errors, p95)
    quality = Quality(
        n_fit=n_fit,
        n_held_out=measured.size,
        median_error=float(np.median(np.abs(errors))),
        p95_error=p95,
        spike_agreement=float((fires == due).mean()),
        n_compared=errors.size,
        bias=bias,
        spread=spread,
    )
    return quality, errors, both


def over_targets(measured: Array, predicted: Array, resolution_s: float) -> dict[str, float]:
    """Spike-time errors over their targets (fields of Quality): median 1 %, 95th percentile 3 %.

    ``resolution_s``: the period of a sampled output (0: none), whose spike times no card predicts better than half of it.
    """
    late = np.abs(predicted - measured)
    return {
        "median_over_target": float(np.median(late / np.maximum(0.01 * measured, resolution_s / 2))),
        "p95_over_target": float(np.quantile(late / np.maximum(0.03 * measured, resolution_s), 0.95)),
    }
