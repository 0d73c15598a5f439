"""A network: its training, and as deployed: accuracy clean, quantized and under the card, energy, confusions, when it decides."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.trained_network import Stage, confusion, decision_times, stages
from neuronsim.arrays import Array
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.training_run import METRICS, Epoch, TrainingRun, load_epochs
from neuronsim.units import accuracies, accuracy, percent, quantity, trimmed

from ..page.columns import Column, numbered, table
from ..page.elements import Block, Note, Picture, Section, Table, Text
from ..page.figures import BLUE, GREEN, INK, MUTED, VERMILION, drawn, finish, legend_above, panels
from .bench import toml_text
from .chips_plot import OnChips, draw_on_chips

_CONDITIONS: list[Column[Condition]] = [
    Column("condition", "name"),
    Column("bits", lambda c: "full" if c.bits is None else c.bits),
    Column("noise", "noise_scale", lambda scale: f"×{trimmed(scale, 3)}" if scale else "none"),
    Column("frozen", "frozen", lambda frozen: "yes" if frozen else "no"),
    Column("chips or draws", lambda c: len(c.per_chip) or None),
    Column("accuracy", "accuracy", accuracy),
    Column("95 % interval", lambda c: accuracies(c.low, c.high)),
    Column("worst of them", lambda c: c.worst if len(c.per_chip) > 1 else None, accuracy),
    Column("silent images", "silent_outputs", percent),
    Column("out of range", "out_of_range", percent),
]


def evaluation_section(evaluation: Evaluation, source: str, anchor: str) -> Section:
    """Accuracy clean, quantized and under the card; confusion matrix, decision times, energy."""
    e = evaluation
    blocks: list[Block] = []
    if e.card_edited:
        text = "The card of this evaluation was edited by hand: the circuit did not measure these values."
        blocks.append(Note(text=text, warning=True))
    if e.conditions:
        blocks += _accuracy(e, source)
    if e.confusion:
        blocks.append(_confusion_table(e, source))
    times = decision_times(e)
    if times.size:
        p5, median, p95 = np.percentile(times, [5, 50, 95])
        caption = (
            f"Time of the first output spike of {times.size} images, clean network: median {median:.2f} τ, "
            f"5–95 % {p5:.2f} … {p95:.2f} τ"
        )
        silent = len(e.class_times_tau) - times.size
        caption += f"; {silent} silent images left out." if silent else "."
        blocks.append(Picture(svg=decision_times_plot(times), caption=caption, source=source))
    origin = {
        "checkpoint": e.checkpoint,
        "checkpoint sha256": e.checkpoint_sha256,
        "card": e.card or "none",
        "card digest": e.card_digest or "–",
        "data": e.data,
        "images": str(e.n_images),
        "seed": str(e.seed),
    }
    caption = "Origin of the evaluation."
    blocks.append(Table(caption=caption, header=("what", "value"), rows=list(origin.items()), source=source))
    return Section(title=f"Accuracy of {e.experiment}", anchor=anchor, blocks=blocks)


def _accuracy(e: Evaluation, source: str) -> list[Block]:
    """Accuracy under every condition, energy, and which neurons fired."""
    caption = (
        f"Accuracy on {e.n_images} images of {e.data}. The interval is that of the mean over chips and images (both "
        "taken as samples), without chips the Wilson interval over the images. A single chip has none. Without frozen noise "
        "every repeat is another draw of the temporal noise on the nominal chip."
    )
    rule = (
        "Accuracy. Noise: factor on the card's temporal noise. Out of range: neurons driven beyond the "
        "detector range of the card (–: no detector, or its limit not known)."
    )
    activity = (
        "Energy per inference (– where the card has none: a behavioral netlist draws no supply current), and share of "
        "neurons that fired."
    )
    columns: list[Column[Condition]] = [
        Column("condition", "name"),
        Column("energy per inference", "energy_per_inference_j", lambda energy: quantity(energy, "J")),
    ]
    columns += numbered("layer {} fired", "sparsity", e.conditions, percent)
    return [
        Picture(svg=accuracy_by_condition(e.conditions), caption=caption, source=source),
        table(rule, _CONDITIONS, e.conditions, source=source),
        table(activity, columns, e.conditions, source=source),
    ]


def _confusion_table(e: Evaluation, source: str) -> Table:
    """Confusion matrix, shaded by the share of each class."""
    found = confusion(e)
    columns: list[Column[int]] = [Column("true", int)]
    for decided in range(found.counts.shape[1]):
        columns.append(Column(str(decided), lambda true, d=decided: int(found.counts[true, d]) or "·"))
    columns.append(Column("recall", lambda true: float(found.recall[true]), lambda recall: percent(recall, 4)))
    # The square root lets single confusions be seen beside a full diagonal.
    shade = [[0.0, *np.sqrt(row), 0.0] for row in found.share]
    caption = (
        f"Confusion matrix of the clean network as deployed: {found.right} of {int(found.counts.sum())} right. Rows: true class; "
        "columns: decision."
    )
    return table(caption, columns, range(len(found.counts)), shade=shade, source=source)


@drawn
def accuracy_by_condition(conditions: Sequence[Condition]) -> Figure:
    """Per condition: each chip's accuracy (dots), the mean with its 95 % interval, and the worst chip."""
    return draw_on_chips([OnChips(c.name, "", c.accuracy, c.low, c.high, c.worst, c.per_chip) for c in conditions], {})


@drawn
def decision_times_plot(times: Array) -> Figure:
    """Histogram of the first output spike of each image (n,), in tau."""
    drawing, axes = panels(height=2.8)
    axes.hist(times, bins=min(max(int(np.sqrt(times.size)), 8), 40), color=GREEN, alpha=0.75)
    median = float(np.median(times))
    axes.axvline(median, color=INK, linewidth=1.2, linestyle=(0, (4, 2)), label=f"median {median:.2f} τ")
    finish(axes, "decision time (τ)", "images")
    return drawing


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
