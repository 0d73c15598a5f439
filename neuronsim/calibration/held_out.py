"""Which runs a fit does not see, a share of every kind drawn with a random phase, and how well a card predicts them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..artifacts.card_parts import Quality
from ..artifacts.ttfs_card import TTFSCard
from ..errors import DataError
from ..statistics.bootstrap import bias_and_spread, rms_estimate
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion
from .kernel_fit import KernelFit
from .prediction import spike_time_interval
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


LEVEL = 0.9


def covered(card: TTFSCard, rows: StimulusRows, *, temporal: bool) -> Mask:
    """Rows whose outcome (spike time, or silence) lies within the predicted 90 % interval."""
    low, high = spike_time_interval(card, rows.times, rows.weights, level=LEVEL, window=rows.window, temporal=temporal)
    return (low <= rows.out) & (rows.out <= high)


def coverage(inside: Mask, trial: NDArray[np.int64], confidence: float) -> Estimate:
    """Fraction of ``inside`` (runs,) with its Wilson interval.

    Repeats of one ``trial`` share the error of the kernel, and so are not independent. The number of runs in the
    Wilson interval is divided by the design effect: the variance between trials over that of independent runs, at least 1
    (Kish, Survey Sampling, 1965).
    """
    n, p = inside.size, float(inside.mean())
    trials, index = np.unique(trial, return_inverse=True)
    effect = 1.0
    if 0 < p < 1 and 1 < trials.size < n:
        surplus = np.bincount(index, weights=inside - p)
        variance = trials.size / (trials.size - 1) * float((surplus**2).sum()) / n**2
        effect = max(variance / (p * (1 - p) / n), 1.0)
    elif trials.size < n:
        effect = n / trials.size  # all or none inside: the runs say nothing of how they cluster
    return proportion(p * n / effect, n / effect, confidence)


def held_out_coverage(
    card: TTFSCard,
    kernel: KernelFit,
    *,
    fit_rows: StimulusRows,
    test_rows: StimulusRows,
    noisy_rows: StimulusRows | None,
    seed: int,
    confidence: float,
) -> dict[str, Any]:
    """The fields of Quality about the predicted interval: of held-out ``noisy_rows``, else of the noise-free ``test_rows``."""
    judged = test_rows if noisy_rows is None else noisy_rows
    # Only rows in which circuit or card fires: that both are silent is no feat of an interval.
    judged = judged[judged.fired | np.isfinite(kernel.predict(judged))]
    if noisy_rows is None:
        # The card's floor is of the held-out runs themselves, which only the floor of the fit can judge.
        predicted = kernel.predict(fit_rows)
        both = fit_rows.fired & np.isfinite(predicted)
        floor = rms_estimate(predicted[both] - fit_rows.out[both], np.random.default_rng(seed), confidence)
        card = card.model_copy(update={"timing_noise": card.timing_noise.model_copy(update={"floor_s": floor})})
    inside = covered(card, judged, temporal=noisy_rows is not None)
    return {
        "coverage": coverage(inside, judged.trial, confidence),
        "n_coverage": len(judged),
        "coverage_of": "noise_free" if noisy_rows is None else "noisy",
    }
