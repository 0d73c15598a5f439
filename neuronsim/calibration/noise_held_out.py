"""Temporal noise on stimuli that its fit has not seen."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..artifacts.card_parts import TimingNoise
from ..errors import DataError
from ..statistics.bootstrap import sigma_estimate
from ..statistics.estimate import Estimate
from .held_out import split
from .kernel_fit import KernelFit
from .noise_fit import MIN_REPEATS, NoiseFit, fit_noise
from .noisy_runs import noisy_runs
from .stimuli import StimulusRows


def fit_noise_held_out(
    rows: StimulusRows, kernel: KernelFit, *, fraction: float, seed: int, **how: Any
) -> tuple[NoiseFit, StimulusRows | None]:
    """:func:`fit_noise` (options ``how``) of the nominal chip on all stimuli but a held-out ``fraction``, and the runs of those.

    Where that leaves too few for the fit (plan 'phase_noise' with fewer than about 8 trials) all are fitted and None is
    held out, with a note. Raises DataError as :func:`fit_noise`.
    """
    rows = rows[rows.chip == -1]
    fit_rows, test_rows = split(rows, fraction, np.random.default_rng(seed))
    try:
        if (test_rows.noise_seed >= 0).any():
            return fit_noise(fit_rows, kernel, seed=seed, **how), test_rows
    except DataError:
        pass
    fit = fit_noise(rows, kernel, seed=seed, **how)
    why = "plan 'phase_noise' has too few stimuli to hold any out: only noise-free runs are judged; raise its trials"
    return replace(fit, not_fitted=fit.not_fitted | {"quality.coverage": why}), None


def sigma_over_predicted(
    rows: StimulusRows, kernel: KernelFit, noise: TimingNoise, *, confidence: float = 0.95
) -> Estimate | None:
    """Spread of n in runs that the fit has not seen, over what ``noise`` and sampling predict (1: as predicted).

    None where fewer than 30 noisy runs have a reference. ``rows``: noise-free and noisy runs. The interval is by trial:
    repeats of one share its kernel error. Silent runs count as in the fit.
    """
    runs = noisy_runs(rows, kernel, 0.0 if noise.resolution_s is None else noise.resolution_s.value)
    predicted = noise.variance_v(np.maximum(runs.late, 0.0))
    due = runs.due(kernel, float(np.sqrt(predicted.max(initial=0.0))))
    used = runs.rows.fired | ~due  # silent though due: a missing spike, no noise
    if used.sum() < MIN_REPEATS or predicted[used].min() <= 0:
        return None
    runs = runs[used]
    predicted = predicted[used] + runs.sampled
    factor = 1.0
    for _ in range(200):
        square = runs.squares(factor * predicted) / predicted
        before, factor = factor, float(square.mean())
        if abs(factor - before) < 1e-9 * factor:
            break
    trial = runs.rows.trial
    by_trial = np.array([(square[trial == one] - factor).sum() for one in np.unique(trial)])
    clustered = np.sqrt((by_trial**2).sum() * runs.trials / max(runs.trials - 1, 1)) / square.size
    error = max(float(clustered), factor * float(np.sqrt(2.0 / square.size)))
    return sigma_estimate(factor, error, 2.0 * (factor / error) ** 2, confidence)
