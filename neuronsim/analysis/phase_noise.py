"""Plan 'phase_noise': spread of the spike time over repeated runs of a stimulus, referred to the threshold through the slope."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..artifacts.ttfs_card import TTFSCard
from .expected_spikes import equation_4, relative_error, slope_at, tau_s

MIN_REPEATS = 5


class Repeated(NamedTuple):
    """Stimuli that were repeated under noise, all (n,): noise level, number of runs that fired, mean and sigma of the spike
    time in tau, slope of the ideal membrane there in thresholds per tau (> 0), and tau in seconds."""

    level: Array
    runs: Array
    when_tau: Array
    sigma_tau: Array
    slope: Array
    tau_s: Array


class NoiseLevel(NamedTuple):
    """Over the stimuli of one noise level: median of sigma in seconds, rms of sigma times slope in thresholds."""

    level: float
    stimuli: int
    runs: int
    median_sigma_s: float
    rms_threshold: float


def repeated_stimuli(rows: xr.Dataset) -> Repeated | None:
    """Spread of every stimulus of ``rows`` that fired at least five times under noise; None where there is no such stimulus.

    Stimuli at which the ideal membrane falls are left out.
    """
    spikes, tau = rows["spike_time_s"].values, tau_s(rows)
    groups: dict[tuple[float, int, bytes], list[int]] = defaultdict(list)
    for row in np.flatnonzero(np.isfinite(spikes) & (rows["noise_seed"].values >= 0)):
        stimulus = rows["input_time_s"].values[row].tobytes() + rows["weight"].values[row].tobytes()
        groups[float(rows["level"].values[row]), int(rows["chip"].values[row]), stimulus].append(int(row))
    repeated = [members for members in groups.values() if len(members) >= MIN_REPEATS]
    if tau is None or not repeated:
        return None
    first = np.array([members[0] for members in repeated])
    mean = np.array([spikes[members].mean() for members in repeated])
    sigma = np.array([spikes[members].std(ddof=1) for members in repeated])
    slope = slope_at(rows.isel(run=first), mean)
    level = np.nan_to_num(rows["level"].values[first])
    runs = np.array([len(members) for members in repeated])
    columns = level, runs, mean / tau[first], sigma / tau[first], slope, tau[first]
    return Repeated(*(column[slope > 0] for column in columns))


def by_noise_level(repeated: Repeated) -> list[NoiseLevel]:
    """One row per noise level."""
    level, runs, _, sigma, slope, tau = repeated
    result = []
    for at in np.unique(level):
        here = level == at
        rms = float(np.sqrt(np.mean((sigma * slope)[here] ** 2)))
        result.append(
            NoiseLevel(float(at), int(here.sum()), int(runs[here].sum()), float(np.median((sigma * tau)[here])), rms)
        )
    return result


def card_sigma_tau(card: TTFSCard, when_tau: Array, slope: Array) -> Array:
    """sigma_t in tau that the card predicts at ``when_tau`` and ``slope`` (thresholds per tau)."""
    noise, floor = card.timing_noise, card.timing_noise.floor_s.value / card.kernel.tau_s.value
    return np.sqrt(noise.variance_v(when_tau) / slope**2 + floor**2)


def noise_free_error(rows: xr.Dataset) -> Array:
    """|t / t_equation_4 - 1| of the runs without noise: the numerical floor of the deck."""
    calm = rows.isel(run=np.flatnonzero(rows["noise_seed"].values < 0))
    return relative_error(calm["spike_time_s"].values, equation_4(calm))
