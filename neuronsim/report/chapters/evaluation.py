"""A network as deployed: accuracy clean, quantized and under the card, energy, confusions, and when it decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.trained_network import confusion, decision_times
from neuronsim.arrays import Array
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.units import accuracies, accuracy, percent, quantity, trimmed

from ..page.columns import Column, numbered, table
from ..page.elements import Block, Note, Picture, Section, Table
from ..page.figures import GREEN, INK, drawn, legend_above, panels
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
    legend_above(axes)
    axes.set(xlabel="decision time (τ)", ylabel="images")
    return drawing
