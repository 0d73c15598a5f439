"""Values of a noisy-weights study as cells of its tables and points of its plots."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from neuronsim.artifacts.noisy_weights_study import NAMES, Row, Spread
from neuronsim.report.page.columns import Column
from neuronsim.report.page.figures import draw_percent

NETWORK: Column[Any] = Column("network", lambda row: NAMES[row.architecture])
LEVEL: Column[Any] = Column("noise", "level", "{:.0%}".format)


def by_level(rows: Sequence[Row]) -> dict[float, Row]:
    """The rows of one curve by their noise level."""
    return {row.level: row for row in rows}


def accuracy_cell(row: Row) -> str:
    """Accuracy in percent, its 95 % interval, and of several trials their standard deviation."""
    value = row.accuracy
    if value.low is None or value.high is None:
        return f"{100 * value.mean:.2f}"
    spread = f" sd {100 * value.std:.2f}" if value.n > 1 else ""
    return f"{100 * value.mean:.2f} [{100 * value.low:.2f}, {100 * value.high:.2f}]{spread}"


def steps(value: Spread) -> str:
    """A time in steps with its 95 % interval."""
    if value.low is None or value.high is None:
        return f"{value.mean:.1f}"
    return f"{value.mean:.1f} [{value.low:.1f}, {value.high:.1f}] sd {value.std:.1f}"


def few_images(rows: Sequence[Row]) -> int | None:
    """On how many images ``rows`` were run, where it is not on the study's."""
    return next((row.n_images for row in rows if row.n_images is not None), None)


def draw_accuracies(axes: Axes, rows: Sequence[Row], **style: Any) -> None:
    """Accuracy against the noise level, both in percent, with 95 % intervals."""
    style = {"marker": "o", "capsize": 2.5, "elinewidth": None, **style}
    draw_percent(axes, [100 * row.level for row in rows], [row.accuracy for row in rows], **style)
