"""Accuracies at the levels of a study: as cells of a table, and as curves on a scale of the error."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neuronsim.artifacts.robustness_study import Point, Study
from neuronsim.report.page.columns import Column
from neuronsim.report.page.figures import VERMILION
from neuronsim.units import trimmed

DASHED = (0, (4, 2))
ERROR_SCALE = "accuracy (%), error on a log scale"
PAPER_MARKS: dict[str, Any] = {"marker": "D", "color": VERMILION, "linestyle": "none", "markersize": 5.5, "zorder": 5}
_TICKS = (0, 20, 50, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.8, 100)
_LEAST_ERROR = 0.1  # percent; where the scale turns linear, so that 100 % lies on it
_INTERVALS = {
    "images": "Wilson over the images where nothing is drawn",
    "draws and images": "repeats and images both taken as samples",
}


def accuracy_cell(point: Point) -> str:
    """Accuracy in percent; with draws also the half width of the 95 % interval of the mean."""
    if point.interval == "images" or point.low is None or point.high is None:
        return f"{100 * point.accuracy:.2f}"
    return f"{100 * point.accuracy:.2f} ±{50 * (point.high - point.low):.2f}"


def level_column(header: str, without: str, name: Callable[[Any], str]) -> Column[Any]:
    """First column of a table whose rows are levels: ``name`` of the level, and ``without`` for None."""
    return Column(header, lambda level: without if level is None else name(level))


def first(points: Sequence[Point]) -> Point | None:
    """The one point of a series without levels; None where it was not measured."""
    return points[0] if points else None


def levels(points: Iterable[Point]) -> list[float]:
    """All levels, rising."""
    return sorted({p.level for p in points if p.level is not None})


def draws(study: Study) -> int:
    """Draws of each point that has any."""
    return max((len(p.draws) for p in study.points), default=0)


def interval_words(study: Study) -> str:
    """What the 95 % intervals of the points of ``study`` are over."""
    return ", ".join(words for kind, words in _INTERVALS.items() if any(p.interval == kind for p in study.points))


def scale_by_error(axes: Axes) -> None:
    """Accuracy so that errors of 0.5 and of 50 % are both readable: y = -log(error + 0.1 %)."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines])
    low, high = float(np.clip(values.min(), 0, 100)), float(np.clip(values.max(), 0, 100))

    def forward(y: np.ndarray) -> np.ndarray:
        return -np.log10(np.maximum(100 - np.asarray(y, dtype=np.float64), 0) + _LEAST_ERROR)

    def backward(y: np.ndarray) -> np.ndarray:
        return 100 + _LEAST_ERROR - 10 ** -np.asarray(y, dtype=np.float64)

    axes.set_yscale("function", functions=(forward, backward))
    bottom, top = forward(np.array([low, high]))
    margin = max(0.06 * (top - bottom), 0.02)
    limits = backward(np.array([bottom - margin, min(top + margin, 1.0)]))
    axes.set_ylim(float(limits[0]), float(limits[1]))
    ticks = [tick for tick in _TICKS if limits[0] <= tick <= limits[1]]
    if len(ticks) < 3:
        ticks = [float(f"{tick:.4g}") for tick in np.linspace(low, high, 5)] if high > low else [low]
    axes.set_yticks(ticks, [trimmed(tick, 4) for tick in ticks])
