"""The ideal n-LIF neuron in closed form (paper 004, equations 3 and 4).

    sum_{i: t_i < t} w_i (1 - e^{-(t - t_i)/tau}) = threshold          solved for the first t

In z = e^{t/tau} this is z = sum_C w_i z_i / (sum_C w_i - threshold) over the causal set C = {i: t_i < t} (equation 4).
Weights are *normalized*: one unit weight alone lifts v to 1. The paper's equation 3,
dv/dt = sum_i W_i e^{-(t - t_i)/tau}, has the dimensional weight W_i = w_i / tau and the same threshold.
"""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from . import array_checks


def spike_time(times: ArrayLike, weights: ArrayLike, *, tau: float = 1.0, threshold: float = 1.0) -> Array:
    """First output spike time of the ideal n-LIF neuron.

    sum_{i: t_i < t} w_i (1 - e^{-(t - t_i)/tau}) = threshold  (paper 004, equations 3 and 4, normalized weights).

    ``times`` and ``weights``: shape (..., n), broadcast to each other; time in the unit of ``tau``, +inf for a silent
    input; weights signed. Returns shape (...), +inf where the neuron stays silent. Events are walked in time order, so
    the result is the *first* crossing whatever the signs; only time differences enter, so times of thousands of tau
    are safe.

    Raises InputError for NaN, shapes that do not broadcast, weights that are not finite, tau <= 0 or threshold <= 0.

    >>> spike_time([0.3, 0.6], [0.9, 0.8]).round(4)  # (0.9 e^0.3 + 0.8 e^0.6) / 0.7 = e^1.3397
    np.float64(1.3397)
    >>> spike_time([0.3, 0.6], [[0.9, 0.8], [0.4, 0.5]])  # a total weight below the threshold stays silent
    array([1.33971474,        inf])
    """
    t, w = array_checks.spikes(times, weights)
    tau_ = float(array_checks.positive("tau", tau, "time constant"))
    theta = float(array_checks.positive("threshold", threshold, "level"))
    order = np.argsort(t, axis=-1, kind="stable")
    # Events first: the loop below runs over inputs and is vectorized over rows.
    t = np.moveaxis(np.take_along_axis(t, order, axis=-1), -1, 0)
    w = np.moveaxis(np.take_along_axis(w, order, axis=-1), -1, 0)
    out = np.full(t.shape[1:], np.inf)
    v, current = np.zeros((2, *out.shape))  # membrane, and synaptic current tau dv/dt, just after each event
    open_rows = np.ones(out.shape, dtype=bool)
    for k in range(t.shape[0]):
        open_rows &= np.isfinite(t[k])
        if not open_rows.any():
            break
        current = current + w[k]
        following = t[k + 1] if k + 1 < t.shape[0] else np.full_like(out, np.inf)
        with np.errstate(invalid="ignore"):
            gap = np.where(open_rows, (following - t[k]) / tau_, 0.0)
        rise = -current * np.expm1(-gap)
        # A current that reaches the threshold only asymptotically (equality at gap = inf) never fires.
        fires = open_rows & (theta - v <= rise) & (theta - v < current)
        if fires.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                wait = -np.log1p(-(theta - v) / current)
                out = np.where(fires, t[k] + tau_ * np.minimum(wait, gap), out)
            open_rows &= ~fires
        v = v + rise
        current = current * np.exp(-gap)
    return out
