"""One training run: curves of loss and accuracy, its stages, and how it was configured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.trained_network import Stage, stages
from neuronsim.artifacts.training_run import METRICS, Epoch, TrainingRun, load_epochs
from neuronsim.units import accuracy, trimmed

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, Section, Text
from ..page.figures import BLUE, MUTED, VERMILION, drawn, legend_above, panels
from .bench import toml_text

_STAGES: list[Column[Stage]] = [
    Column("stage", lambda stage: stage.name or None),
    Column("epochs", "n_epochs"),
    Column("last training loss", "last.train_loss", trimmed),
    Column("last training accuracy", "last.train_accuracy", accuracy),
    Column("last validation", "last.val_accuracy", accuracy),
    Column("best validation", "best", lambda epoch: f"{accuracy(epoch.val_accuracy)} (epoch {epoch.epoch})"),
    Column("time", "seconds", "{:.0f} s".format),
]


def training_section(run: TrainingRun, path: Path, source: str, anchor: str) -> Section:
    """Curves of the training run with its run.json at ``path``, its stages, and how it was configured."""
    blocks: list[Block] = []
    epochs = load_epochs(path.with_name(METRICS))
    if epochs:
        caption = "Loss and accuracy per epoch, over all stages."
        blocks.append(Picture(svg=training_curves(epochs), caption=caption, source=source))
        blocks.append(table("Stages of the training.", _STAGES, stages(epochs), source=source))
    else:
        text = "The run has no metrics.csv with epochs: it was stopped before its first epoch ended."
        blocks.append(Note(text=text, warning=True))
    record = run.model_dump(mode="json", exclude={"digest"})
    blocks.append(Text(caption="The run, as recorded by itself.", text=toml_text(record), source=source))
    return Section(title=f"Training of {path.resolve().parent.name}", anchor=anchor, blocks=blocks)


@drawn
def training_curves(epochs: Sequence[Epoch]) -> Figure:
    """Loss (left) and accuracy (right) over the epochs of all stages in a row; a vertical line where a stage begins."""
    drawing, (left, right) = panels(1, 2, height=3.1)
    x = np.arange(1, len(epochs) + 1)
    marker = "o" if len(epochs) <= 40 else ""
    for axes, what, scale in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
        for part, color, label in (("train", BLUE, "training"), ("val", VERMILION, "validation")):
            values = scale * np.array([getattr(e, f"{part}_{what}") for e in epochs])
            if np.isfinite(values).any():
                axes.plot(x, values, marker=marker, markersize=3, color=color, label=label)
        # Losses fall and accuracies rise: the middle of a stage is free at the top and at the bottom, respectively.
        height, side = (0.99, "top") if what == "loss" else (0.03, "bottom")
        for first, last, stage in _spans(epochs):
            if first:
                axes.axvline(first + 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
            axes.annotate(
                stage, ((first + last) / 2 + 1, height), xycoords=("data", "axes fraction"), color=MUTED, fontsize=8.5,
                ha="center", va=side,
            )  # fmt: skip
        axes.set_xlabel("epoch, all stages")
        axes.set_xlim(0.5, len(epochs) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if axes.lines:
            legend_above(axes)
    left.set_ylabel("loss")
    right.set_ylabel("accuracy (%)")
    return drawing


def _spans(epochs: Sequence[Epoch]) -> list[tuple[int, int, str]]:
    """(first index, last index, name) of each stage."""
    starts = [i for i in range(len(epochs)) if i == 0 or epochs[i].stage != epochs[i - 1].stage]
    return [(a, b - 1, epochs[a].stage) for a, b in zip(starts, [*starts[1:], len(epochs)], strict=True)]
