"""How often the interval that a card predicts holds the spike time of a run that the fit has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Mask
from ..artifacts.ttfs_card import TTFSCard
from ..statistics.bootstrap import rms_estimate
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion
from .kernel_fit import KernelFit
from .prediction import spike_time_interval
from .stimuli import StimulusRows

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
