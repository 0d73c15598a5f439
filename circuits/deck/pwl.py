"""Piecewise-linear source text for spikes and noise."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def _points(points: Iterable[tuple[float, float]]) -> str:
    return "PWL(" + " ".join(f"{time:.12e} {value:.9g}" for time, value in points) + ")"


def step(time_s: float, edge_s: float, low_v: float, high_v: float) -> str:
    """A line that rises at ``time_s`` (middle of an edge of ``edge_s``) and stays. Silent (inf): constant low."""
    if not np.isfinite(time_s):
        return f"DC {low_v:.9g}"
    if time_s <= 0:
        return f"DC {high_v:.9g}"
    edge_s = min(edge_s, 2 * time_s)  # the edge cannot begin before the run
    points = [(time_s - edge_s / 2, low_v), (time_s + edge_s / 2, high_v)]
    return _points(points if points[0][0] <= 0 else [(0.0, low_v), *points])


def pulse(
    time_s: float, edge_s: float, width_s: float, low_v: float, high_v: float, *, again_s: float | None = None
) -> str:
    """A pulse of area width_s * (high_v - low_v) centered on ``time_s``, with ``again_s`` another one that much later.
    Silent (inf): constant low."""
    if not np.isfinite(time_s):
        return f"DC {low_v:.9g}"
    rise = max(time_s - width_s / 2, edge_s)
    half = edge_s / 2
    points = [(0.0, low_v)]
    for start in (rise,) if again_s is None else (rise, rise + again_s):
        fall = start + width_s
        points += [(start - half, low_v), (start + half, high_v), (fall - half, high_v), (fall + half, low_v)]
    return _points(points)


def samples(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> str:
    """A sampled waveform, joined linearly, over several SPICE lines."""
    words = [f"{t:.9e} {v:.7g}" for t, v in zip(times_s, values, strict=True)]
    rows = [" ".join(words[i : i + 8]) for i in range(0, len(words), 8)]
    return "PWL(" + "\n+ ".join(rows) + ")"
