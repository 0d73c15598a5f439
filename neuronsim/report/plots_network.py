"""Pictures of a network: training curves, accuracy under each condition, decision times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..artifacts.evaluation import Condition
from ..artifacts.training_run import Epoch
from .page.figures import BLUE, GREEN, INK, MUTED, SKY, VERMILION, drawn, error_bars, figure, legend_above


@drawn
def training_curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss (left) and accuracy (right) over the epochs of all stages in a row; a vertical line where a stage begins."""
    drawing = figure(height=3.1)
    left, right = drawing.subplots(1, 2)
    x = np.arange(1, len(epochs) + 1)
    columns = {
        name: np.array([getattr(e, name) for e in epochs])
        for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
    }
    marker = "o" if len(epochs) <= 40 else ""
    for place, what, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
        for part, color, label in (("train", BLUE, "training"), ("val", VERMILION, "validation")):
            values = scale * columns[f"{part}_{what}"]
            if np.isfinite(values).any():
                place.plot(x, values, marker=marker, markersize=3, color=color, label=label)
        for first, last, stage in _spans(epochs):
            if first:
                place.axvline(first + 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            # Losses fall and accuracies rise: the middle of a stage is free at the top and at the bottom, respectively.
            height, side = (0.99, "top") if what == "loss" else (0.03, "bottom")
            place.annotate(
                stage,
                ((first + last) / 2 + 1, height),
                xycoords=("data", "axes fraction"),
                color=MUTED,
                fontsize=8.5,
                ha="center",
                va=side,
            )
        place.set_xlabel("epoch, all stages")
        place.set_xlim(0.5, len(epochs) + 0.5)
        place.xaxis.get_major_locator().set_params(integer=True)
        if place.lines:
            legend_above(place)
    left.set_ylabel("loss")
    right.set_ylabel("accuracy (%)")
    return drawing


def _spans(epochs: Sequence[Epoch]) -> list[tuple[int, int, str]]:
    """(first index, last index, name) of each stage."""
    starts = [i for i in range(len(epochs)) if i == 0 or epochs[i].stage != epochs[i - 1].stage]
    return [(a, b - 1, epochs[a].stage) for a, b in zip(starts, [*starts[1:], len(epochs)], strict=True)]


@drawn
def accuracy_by_condition(conditions: Sequence[Condition]) -> Figure:
    """Per condition: each chip's accuracy (dots), the mean with its 95 % interval, and the worst chip."""
    drawing = figure(height=1.0 + 0.52 * max(len(conditions), 2))
    place = drawing.subplots()
    for row, condition in enumerate(conditions):
        chips = 100 * np.array(condition.per_chip)
        if chips.size > 1:
            spread = ((np.arange(chips.size) * 0.6180339887) % 1 - 0.5) * 0.5
            place.plot(chips, row + spread, ".", color=SKY, markersize=5, alpha=0.8)
            place.plot([100 * condition.worst], [row], "v", color=VERMILION, markersize=6)
        mean = 100 * condition.accuracy
        bars = 100 * error_bars([condition.accuracy], [condition.low], [condition.high])
        place.errorbar(
            [mean], [row], xerr=bars, fmt="o", color=INK, markersize=5, capsize=3.5, elinewidth=1.4, zorder=4
        )
    place.set_yticks(range(len(conditions)), [condition.name for condition in conditions])
    place.set_ylim(len(conditions) - 0.5, -0.5)
    place.grid(axis="y", visible=False)
    handles = [Line2D([], [], marker="o", color=INK, markersize=5, label="mean, 95 % interval")]
    if any(len(condition.per_chip) > 1 for condition in conditions):
        handles.append(Line2D([], [], marker=".", linestyle="none", color=SKY, label="one chip or draw"))
        handles.append(Line2D([], [], marker="v", linestyle="none", color=VERMILION, label="worst of them"))
    place.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.3)
    place.set_xlabel("accuracy (%)")
    return drawing


@drawn
def decision_times(times_tau: Sequence[float]) -> Figure:
    """Histogram of the first output spike of each image, in tau; silent images are left out."""
    drawing = figure(height=2.8)
    place = drawing.subplots()
    times = np.array(times_tau, dtype=np.float64)
    times = times[np.isfinite(times)]
    place.hist(times, bins=min(max(int(np.sqrt(times.size)), 8), 40), color=GREEN, alpha=0.75)
    place.axvline(
        float(np.median(times)),
        color=INK,
        linewidth=1.2,
        linestyle=(0, (4, 2)),
        label=f"median {np.median(times):.2f} τ",
    )
    legend_above(place)
    place.set(xlabel="decision time (τ)", ylabel="images")
    return drawing
