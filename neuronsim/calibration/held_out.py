"""Which runs a fit does not see: a share of every kind of run, drawn with a random phase."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Mask
from ..errors import DataError
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
