"""Time resolution of a sampled output, found in the spike times themselves.

A flip-flop clocked with period T gives its spikes at t_0 + k T only. Over n spike times t_j of different stimuli

    R(f) = |mean_j e^{2 pi i f t_j}|

is 1 at f = 1/T and its multiples, whereas times without a grid give n R^2 ~ Exp(1) (Rayleigh's test). The lowest f at which
R stands out is 1/T; T follows from the straight line through t_j over k_j. No carrier needs to be declared, so the
resolution is that of the circuit, not of its data sheet.
"""

import math

import numpy as np

from ..arrays import Array
from .bootstrap import half_width
from .estimate import Estimate

MIN_SPIKES = 20
MOST_SPIKES = 400
#: periods sought, in units of tau: above, the times of one neuron are a few clusters; below, the steps do not matter
_LONGEST, _SHORTEST = 0.2, 0.004
_CLEAR = 0.6
_FALSE_ALARM = 1e-6


def fit_resolution(out: Array, tau: float, *, confidence: float = 0.95) -> Estimate | None:
    """Period in seconds of the grid on which the finite spike times ``out`` (runs,) lie; None when they lie on none.

    ``tau``: time constant in seconds. Grids of 0.004 to 0.2 tau are sought; on times without a grid one is found with
    probability 1e-6.
    """
    times = np.unique(out[np.isfinite(out)])[:: max(1, math.ceil(out.size / MOST_SPIKES))] / tau
    if times.size < MIN_SPIKES:
        return None
    times = times - times.mean()
    step = 1.0 / (8.0 * np.ptp(times))
    frequency = np.arange(1.0 / _LONGEST, 1.0 / _SHORTEST, step)
    strength = np.concatenate(
        [np.abs(np.exp(2j * np.pi * part[:, None] * times).mean(axis=1)) for part in np.array_split(frequency, 64)]
    )
    limit = max(_CLEAR, math.sqrt(math.log(frequency.size / _FALSE_ALARM) / times.size))
    found = strength >= max(limit, 0.8 * float(strength.max()))
    if not found.any():
        return None
    first = int(found.argmax())
    last = first + int((~found[first:]).argmax()) if not found[first:].all() else found.size
    peak = frequency[first + int(strength[first:last].argmax())]
    number, period, origin = times, 0.0, 0.0
    for _ in range(20):  # the line through the times over their numbers on the grid
        phase = np.angle(np.exp(2j * np.pi * peak * times).mean())
        number = np.round(peak * times - phase / (2 * np.pi))
        period, origin = np.polyfit(number, times, 1)
        if abs(period * peak - 1.0) < 1e-12:
            break
        peak = 1.0 / period
    error = times - origin - period * number
    scatter = math.sqrt(float((error**2).sum()) / max(times.size - 2, 1) / float(((number - number.mean()) ** 2).sum()))
    half = half_width(scatter, times.size - 2, confidence)
    return Estimate(value=float(period * tau), low=float((period - half) * tau), high=float((period + half) * tau))
