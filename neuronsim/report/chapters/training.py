"""Sections about a network: training, accuracy under each condition, confusion, decision times, energy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.training_run import METRICS, TrainingRun, load_epochs
from neuronsim.units import accuracies, accuracy, percent, quantity, trimmed

from ..page.elements import Block, Note, Picture, Section, Table, Text
from ..plots_network import accuracy_by_condition, decision_times, training_curves
from .bench import toml_text


def training_section(run: TrainingRun, path: Path, source: str, anchor: str) -> Section:
    """Curves of the training run with its run.json at ``path``, its stages, and how it was configured."""
    blocks: list[Block] = []
    epochs_of_all = load_epochs(path.with_name(METRICS))
    if epochs_of_all:
        blocks.append(
            Picture(
                svg=training_curves(epochs_of_all),
                caption="Loss and accuracy per epoch, over all stages.",
                source=source,
            )
        )
        rows = []
        for stage in dict.fromkeys(epoch.stage for epoch in epochs_of_all):
            epochs = [epoch for epoch in epochs_of_all if epoch.stage == stage]
            validation = np.array([epoch.val_accuracy for epoch in epochs])
            known = np.isfinite(validation)
            best = epochs[int(np.nanargmax(validation))] if known.any() else None
            last = epochs[-1]
            seconds = float(np.nansum([epoch.seconds for epoch in epochs]))
            rows.append(
                (
                    stage or "–",
                    str(len(epochs)),
                    trimmed(last.train_loss, 4),
                    accuracy(last.train_accuracy),
                    accuracy(last.val_accuracy),
                    f"{accuracy(best.val_accuracy)} (epoch {best.epoch})" if best else "–",
                    f"{seconds:.0f} s",
                )
            )
        header = (
            "stage",
            "epochs",
            "last training loss",
            "last training accuracy",
            "last validation",
            "best validation",
            "time",
        )
        blocks.append(Table(caption="Stages of the training.", header=header, rows=rows, source=source))
    else:
        blocks.append(
            Note(
                text="The run has no metrics.csv with epochs: it was stopped before its first epoch ended.",
                warning=True,
            )
        )
    record = run.model_dump(mode="json", exclude={"digest"})
    blocks.append(Text(caption="The run, as recorded by itself.", text=toml_text(record), source=source))
    return Section(title=f"Training of {path.resolve().parent.name}", anchor=anchor, blocks=blocks)


def evaluation_section(evaluation: Evaluation, source: str, anchor: str) -> Section:
    """Accuracy clean, quantized and under the card; confusion matrix, decision times, energy."""
    e = evaluation
    blocks: list[Block] = []
    if e.card_edited:
        blocks.append(
            Note(
                text="The card of this evaluation was edited by hand: the circuit did not measure these values.",
                warning=True,
            )
        )
    if e.conditions:
        caption = (
            f"Accuracy on {e.n_images} images of {e.data}. The interval is that of the mean over chips and images (both "
            "taken as samples), without chips the Wilson interval over the images. A single chip has none. Without frozen noise "
            "every repeat is another draw of the temporal noise on the nominal chip."
        )
        blocks.append(Picture(svg=accuracy_by_condition(e.conditions), caption=caption, source=source))
        header = (
            "condition",
            "bits",
            "noise",
            "frozen",
            "chips or draws",
            "accuracy",
            "95 % interval",
            "worst of them",
            "silent images",
            "out of range",
        )
        blocks.append(
            Table(
                caption="Accuracy. Noise: factor on the card's temporal noise. Out of range: neurons driven beyond the "
                "detector range of the card (–: no detector, or its limit not known).",
                header=header,
                rows=[_row(c) for c in e.conditions],
                source=source,
            )
        )
        blocks.append(_activity(e, source))
    if e.confusion:
        blocks.append(confusion_table(e, source))
    times = [time for time in e.class_times_tau if np.isfinite(time)]
    if times:
        p5, p50, p95 = np.percentile(times, [5, 50, 95])
        silent = len(e.class_times_tau) - len(times)
        caption = (
            f"Time of the first output spike of {len(times)} images, clean network: median {p50:.2f} τ, "
            f"5–95 % {p5:.2f} … {p95:.2f} τ" + (f"; {silent} silent images left out." if silent else ".")
        )
        blocks.append(Picture(svg=decision_times(times), caption=caption, source=source))
    origin = [
        ("checkpoint", e.checkpoint),
        ("checkpoint sha256", e.checkpoint_sha256),
        ("card", e.card or "none"),
        ("card digest", e.card_digest or "–"),
        ("data", e.data),
        ("images", str(e.n_images)),
        ("seed", str(e.seed)),
    ]
    blocks.append(Table(caption="Origin of the evaluation.", header=("what", "value"), rows=origin, source=source))
    return Section(title=f"Accuracy of {e.experiment}", anchor=anchor, blocks=blocks)


def confusion_table(e: Evaluation, source: str) -> Table:
    """Confusion matrix with its rows normalized for the shading."""
    counts = np.array(e.confusion, dtype=np.float64)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    classes = [str(index) for index in range(counts.shape[1])]
    recall = [
        percent(share[i, i], 4) if i < counts.shape[1] and counts[i].sum() else "–" for i in range(counts.shape[0])
    ]
    rows = [
        (str(i), *(f"{int(value)}" if value else "·" for value in counts[i]), recall[i]) for i in range(counts.shape[0])
    ]
    # The square root lets single confusions be seen beside a full diagonal.
    shade = [[0.0, *np.sqrt(share[i]), 0.0] for i in range(counts.shape[0])]
    total, right = counts.sum(), np.trace(counts)
    caption = (
        f"Confusion matrix of the clean network as deployed: {int(right)} of {int(total)} right. Rows: true class; "
        "columns: decision."
    )
    return Table(caption=caption, header=("true", *classes, "recall"), rows=rows, shade=shade, source=source)


def _row(c: Condition) -> tuple[str, ...]:
    chips = len(c.per_chip)
    return (
        c.name,
        str(c.bits) if c.bits is not None else "full",
        f"×{trimmed(c.noise_scale, 3)}" if c.noise_scale else "none",
        "yes" if c.frozen else "no",
        str(chips) if chips else "–",
        accuracy(c.accuracy),
        accuracies(c.low, c.high),
        accuracy(c.worst) if chips > 1 else "–",
        percent(c.silent_outputs),
        "–" if c.out_of_range is None else percent(c.out_of_range),
    )


def _activity(e: Evaluation, source: str) -> Table:
    layers = max((len(c.sparsity) for c in e.conditions), default=0)
    rows = []
    for c in e.conditions:
        energy = quantity(c.energy_per_inference_j, "J") if c.energy_per_inference_j is not None else "–"
        fired = [percent(value) for value in c.sparsity] + ["–"] * (layers - len(c.sparsity))
        rows.append((c.name, energy, *fired))
    header = ("condition", "energy per inference", *(f"layer {index + 1} fired" for index in range(layers)))
    caption = (
        "Energy per inference (– where the card has none: a behavioral netlist draws no supply current), and share of "
        "neurons that fired."
    )
    return Table(caption=caption, header=header, rows=rows, source=source)
