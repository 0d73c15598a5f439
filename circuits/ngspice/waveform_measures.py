"""Spike times from simulated waveforms: crossings interpolated by a cubic, never read off the nearest sample."""

import numpy as np
from numpy.typing import NDArray


def _interpolated(t: NDArray[np.float64], y: NDArray[np.float64], k: int) -> float:
    """Zero of y between samples k-1 and k, by the cubic through four neighbouring samples (linear at the ends)."""
    t0, t1, y0, y1 = t[k - 1], t[k], y[k - 1], y[k]
    linear = t0 - y0 * (t1 - t0) / (y1 - y0)
    if k < 2 or k + 1 >= t.size:
        return float(linear)
    ts = t[k - 2 : k + 2]
    if np.diff(ts).min() < 1e-6 * (ts[-1] - ts[0]):  # a breakpoint lies here: a cubic through it would overshoot
        return float(linear)
    scale = t1 - t0
    polynomial = np.polynomial.Polynomial.fit((ts - t0) / scale, y[k - 2 : k + 2], 3, domain=[0, 1], window=[0, 1])
    x = (linear - t0) / scale
    slope = polynomial.deriv()
    for _ in range(50):
        derivative = slope(x)
        if derivative == 0:
            return float(linear)
        step = polynomial(x) / derivative
        x -= step
        if abs(step) < 1e-14:
            break
    return float(t0 + x * scale) if -1e-9 <= x <= 1 + 1e-9 else float(linear)


def crossings(
    time_s: NDArray[np.float64], difference: NDArray[np.float64], *, edge: str = "rising"
) -> NDArray[np.float64]:
    """All times at which ``difference`` passes zero upwards (``edge`` = "rising") or downwards; shapes (n,) -> (m,)."""
    y = difference if edge == "rising" else -difference
    keep = np.concatenate(([True], np.diff(time_s) > 0))  # ngspice may repeat a time at a breakpoint
    t, y = time_s[keep], y[keep]
    rising = np.flatnonzero((y[:-1] < 0) & (y[1:] >= 0)) + 1
    return np.array([_interpolated(t, y, int(k)) for k in rising])


def envelope(time_s: NDArray[np.float64], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """``values`` on ``n`` equally spaced times, for plots, n even: of every two neighbors' stretch the extremes are kept.

    A spike that is shorter than the spacing keeps its height; its time is right to within two samples.
    """
    grid = np.linspace(time_s[0], time_s[-1], n)
    drawn = np.interp(grid, time_s, values)
    stretch = np.minimum(((time_s - time_s[0]) * (n / 2) / (time_s[-1] - time_s[0])).astype(np.int64), n // 2 - 1)
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    for start, end in zip(first, [*first[1:], len(values)], strict=True):
        part, pair = values[start:end], slice(2 * stretch[start], 2 * stretch[start] + 2)
        low, high = start + int(part.argmin()), start + int(part.argmax())
        if low != high and (values[low] < drawn[pair].min() or values[high] > drawn[pair].max()):
            drawn[pair] = values[min(low, high)], values[max(low, high)]
    return drawn
