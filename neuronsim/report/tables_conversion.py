"""Tables of a conversion study: the same cells in the terminal, in the .md file and in the report."""

from __future__ import annotations

import csv
import io

from ..conversion_study import ConversionStudy, Mean
from . import paper003
from .blocks import Table

TITLE = "Accuracy against time, with and without the noise adaptor"
NONE = "–"
_NAMES = {"none": "none", "negative-spikes": "negative spikes", "offset-spikes": "offset spikes"}


def about(study: ConversionStudy) -> str:
    """What was trained on what, and how much of it."""
    quick = " A shortened run: it shows that everything works, not what the method can do." if study.quick else ""
    return (
        f"{study.experiment} ({study.n_weights} weights) on {study.data_source}: {study.n_train} training images, "
        f"{study.epochs[0]} epochs in full precision with max-pools, {study.epochs[1]} quantized with average-pools; "
        f"{study.n_images} test images; {len(study.seeds)} seeds, the pretrained network of a seed shared by its variants. "
        f"Intervals: 95 %, t, over the seeds.{quick}"
    )


def tables(study: ConversionStudy, source: str = "") -> list[Table]:
    """Accuracy against T, what the adaptor bought, and the corrections."""
    found = [_accuracy(study, source), _gains(study, source)]
    if any(c.correction != "none" for c in study.converted):
        found.append(_corrections(study, source))
    found.append(_networks(study, source))
    return found


def markdown(study: ConversionStudy) -> str:
    """All tables as Markdown, under a title that says what they are about."""
    lines = [f"# {TITLE}", "", about(study), ""]
    for table in tables(study):
        rows = [list(table.header), ["---"] * len(table.header), *map(list, table.rows)]
        lines += [table.caption, "", *("| " + " | ".join(row) + " |" for row in rows), ""]
    if study.command:
        lines += [f"Made by `{study.command}`.", ""]
    return "\n".join(lines)


def converted_csv(study: ConversionStudy) -> str:
    """One row per network, correction and time."""
    text = io.StringIO()
    fields = ["levels", "adaptor", "correction", "seed", "time", "accuracy", "ann", "ann_noisy", "full_precision"]
    writer = csv.DictWriter(text, [*fields, "spikes_per_neuron", "checkpoint_sha256"], lineterminator="\n")
    writer.writeheader()
    for c in study.converted:
        same = c.model_dump(exclude={"times", "accuracy"})
        for time, accuracy in zip(c.times, c.accuracy, strict=True):
            writer.writerow({**same, "time": time, "accuracy": accuracy})
    return text.getvalue()


def times(study: ConversionStudy) -> list[int]:
    """All times of the study, rising."""
    return sorted({time for c in study.converted for time in c.times})


def _accuracy(study: ConversionStudy, source: str) -> Table:
    steps = times(study)
    rows = []
    for levels, adaptor in _variants(study, "none"):
        by_time = _by_time(study, levels, adaptor, "none")
        cells = [_cell(by_time.get(time)) for time in (None, *steps)]
        rows.append([f"p = {levels}, {_with(adaptor)}", *cells])
        paper = [paper003.value(levels, adaptor, time) for time in (None, *steps)]
        if any(value is not None for value in paper):
            rows.append([f"  {paper003.CITATION}", *(NONE if v is None else f"{100 * v:.2f}" for v in paper)])
    header = ("network", "quantized ANN", *(f"T = {time}" for time in steps))
    caption = "Accuracy in percent ± half width of the 95 % interval; the ANN without its noise (epsilon = 0)."
    if study.data != "cifar10":
        caption += (
            " The paper's row is another network on other images: the course with T compares, the level does not."
        )
    return Table(caption=caption, header=header, rows=rows, source=source)


def _gains(study: ConversionStudy, source: str) -> Table:
    steps = times(study)
    rows = []
    for levels, correction in dict.fromkeys((d.levels, d.correction) for d in study.differences):
        by_time = {d.time: d for d in study.differences if (d.levels, d.correction) == (levels, correction)}
        cells = []
        for time in (None, *steps):
            d = by_time.get(time)
            cells.append(NONE if d is None else f"{100 * d.mean:+.2f} [{100 * d.low:+.2f}, {100 * d.high:+.2f}]")
        rows.append([f"p = {levels}, correction: {_NAMES[correction]}", *cells])
        paper = [paper003.gain(levels, time) for time in (None, *steps)]
        if correction == "none" and any(value is not None for value in paper):
            rows.append([f"  {paper003.CITATION}", *(NONE if v is None else f"{100 * v:+.2f}" for v in paper)])
    header = ("difference", "quantized ANN", *(f"T = {time}" for time in steps))
    caption = "What the adaptor bought: accuracy with minus without, in points, paired by seed, with its 95 % interval."
    return Table(caption=caption, header=header, rows=rows, source=source)


def _corrections(study: ConversionStudy, source: str) -> Table:
    rows = []
    levels = next(c.levels for c in study.converted if c.correction != "none")
    last = max(time for c in study.converted if c.correction != "none" for time in c.times)
    steps = [time for time in times(study) if time <= last]
    for adaptor in (False, True):
        for correction, name in _NAMES.items():
            by_time = _by_time(study, levels, adaptor, correction)
            if by_time:
                rows.append([f"{_with(adaptor)}, {name}", *(_cell(by_time.get(time)) for time in (None, *steps))])
    caption = (
        f"Corrections during inference, p = {levels} (the paper's tables 4 and 5). Negative spikes take back spikes fired too "
        "early; offset spikes: the start of each neuron is calibrated on 4 steps before the T that count."
    )
    header = ("correction", "quantized ANN", *(f"T = {time}" for time in steps))
    return Table(caption=caption, header=header, rows=rows, source=source)


def _networks(study: ConversionStudy, source: str) -> Table:
    rows = []
    for c in study.converted:
        if c.correction == "none":
            values = (c.full_precision, c.ann, c.ann_noisy, c.accuracy[-1])
            cells = [f"{100 * value:.2f}" for value in values]
            rows.append(
                [str(c.seed), f"p = {c.levels}, {_with(c.adaptor)}", *cells, f"{c.spikes_per_neuron:.3f}",
                 c.checkpoint_sha256[:12]]
            )  # fmt: skip
    header = (
        "seed", "network", "full precision", "quantized ANN", "ANN with noise", f"T = {times(study)[-1]}",
        "spikes per neuron and step", "checkpoint",
    )  # fmt: skip
    caption = "Every network, accuracy in percent. Full precision: ReLU and max-pools, before quantized training."
    return Table(caption=caption, header=header, rows=rows, source=source, folded=True)


def _variants(study: ConversionStudy, correction: str) -> list[tuple[int, bool]]:
    return sorted({(c.levels, c.adaptor) for c in study.converted if c.correction == correction})


def _by_time(study: ConversionStudy, levels: int, adaptor: bool, correction: str) -> dict[int | None, Mean]:
    wanted = (levels, adaptor, correction)
    return {m.time: m for m in study.means if (m.levels, m.adaptor, m.correction) == wanted}


def _cell(mean: Mean | None) -> str:
    return NONE if mean is None else f"{100 * mean.mean:.2f} ± {50 * (mean.high - mean.low):.2f}"


def _with(adaptor: bool) -> str:
    return "with adaptor" if adaptor else "without"
