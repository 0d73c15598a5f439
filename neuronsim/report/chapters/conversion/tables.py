"""Tables of a conversion study: the same cells in the terminal, in the .md file and in the report."""

from __future__ import annotations

import csv
import io

from neuronsim.artifacts.conversion_study import ConversionStudy, Difference, Mean
from neuronsim.papers import paper003
from neuronsim.report.page.elements import Table

TITLE = "Accuracy against time, with and without the noise adaptor"
NONE = "–"
_EARLY, _LATE = 4, 16
_NAMES = {"none": "no correction", "negative-spikes": "negative spikes", "offset-spikes": "offset spikes"}


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
    """Accuracy against T with what the adaptor bought, a table for each p; the corrections; every network."""
    found = [_against_time(study, levels, source) for levels in sorted({c.levels for c in study.converted})]
    corrected = [c.levels for c in study.converted if c.correction != "none"]
    found += [_corrections(study, levels, source) for levels in sorted(set(corrected))]
    found.append(_networks(study, source))
    return found


def markdown(study: ConversionStudy) -> str:
    """All tables as Markdown, under a title that says what they are about."""
    lines = [f"# {TITLE}", "", about(study), ""]
    for sentence in findings(study):
        lines += [f"- {sentence}", ""]
    for table in tables(study):
        lines += [table.markdown(), ""]
    if study.command:
        lines += [f"Made by `{study.command}`.", ""]
    return "\n".join(lines)


def findings(study: ConversionStudy) -> list[str]:
    """What the study shows for each p, as sentences made from its numbers."""
    found = []
    for levels in sorted({c.levels for c in study.converted}):
        bought = {d.time: d for d in study.differences if (d.levels, d.correction) == (levels, "none")}
        early = [d for time, d in bought.items() if time is not None and time <= _EARLY]
        if not early:
            continue
        parts = [
            f"with the adaptor the mean is higher at {_at([d.time for d in early if d.mean > 0])} of T <= {_EARLY}"
        ]
        known = [d for time, d in bought.items() if time is not None]
        above = [d.time for d in known if d.low is not None and d.low > 0]
        below = [d.time for d in known if d.high is not None and d.high < 0]
        parts.append(
            f"the 95 % interval of the difference lies above 0 at {_at(above)}, below 0 at "
            f"{_at(below)} (of {len(known)} times, none corrected for their number)"
        )
        late = [time for time in bought if time is not None and time >= _LATE]
        if len(late) > 1:
            curves = [{m.time: m.mean for m in study.curve(levels, adaptor)} for adaptor in (False, True)]
            plain, with_ = (100 * (curve[max(late)] - curve[min(late)]) for curve in curves)
            parts.append(
                f"from T = {min(late)} to {max(late)} accuracy changes by {plain:+.2f} points without, {with_:+.2f} with adaptor"
            )
        if None in bought:
            paper = paper003.gain(levels, None)
            beside = "" if paper is None else f" (paper {100 * paper:+.2f})"
            parts.append(
                f"the quantized ANN changes by {100 * bought[None].mean:+.2f} points through the adaptor{beside}"
            )
        found.append(f"p = {levels}, {len(study.seeds)} seeds: {'; '.join(parts)}.")
    return found


def _at(times_: list[int | None]) -> str:
    """Times in words."""
    return "T = " + ", ".join(str(time) for time in times_) if times_ else "no T"


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


def _against_time(study: ConversionStudy, levels: int, source: str) -> Table:
    steps = sorted({t for c in study.converted if (c.levels, c.correction) == (levels, "none") for t in c.times})
    without, with_ = (_by_time(study, levels, adaptor, "none") for adaptor in (False, True))
    bought = {d.time: d for d in study.differences if (d.levels, d.correction) == (levels, "none")}
    papers = [any(paper003.value(levels, adaptor, time) for time in steps) for adaptor in (False, True)]
    header = ["T", "without", "with adaptor", "difference [95 %]"]
    header += [name for name, shown in zip(("paper: without", "paper: with"), papers, strict=True) if shown]
    rows = []
    for time in (None, *steps):
        d = bought.get(time)
        row = ["quantized ANN" if time is None else str(time), _cell(without.get(time)), _cell(with_.get(time))]
        row.append(_gain(d))
        for adaptor, shown in zip((False, True), papers, strict=True):
            value = paper003.value(levels, adaptor, time)
            row += [] if not shown else [NONE if value is None else f"{100 * value:.2f}"]
        rows.append(row)
    caption = (
        f"p = {levels}: accuracy in percent ± half width of its 95 % interval after T steps; difference in points, paired by "
        "seed. The ANN is meant without noise (epsilon = 0)."
    )
    if any(papers):
        caption += f" Beside it {paper003.CITATION}"
        caption += (
            "."
            if study.data == "cifar10"
            else ", another network and other images: the course compares, not the level."
        )
    return Table(caption=caption, header=header, rows=rows, source=source)


def _corrections(study: ConversionStudy, levels: int, source: str) -> Table:
    curves = {
        (adaptor, correction): _by_time(study, levels, adaptor, correction)
        for adaptor in (False, True)
        for correction in _NAMES
    }
    last = max(t for c in study.converted if c.levels == levels and c.correction != "none" for t in c.times)
    rows = []
    for time in (None, *(time for time in times(study) if time <= last)):
        name = "quantized ANN" if time is None else str(time)
        rows.append([name, *(_cell(curve.get(time)) for curve in curves.values())])
        rows[-1] += [_paper(paper003.TABLE_5[correction].get(time)) for correction in _NAMES]
    caption = (
        f"Corrections during inference, p = {levels} (the paper's tables 4 and 5). Negative spikes take back spikes fired too "
        "early; offset spikes: the start of each neuron is calibrated on 4 steps before the T that count. "
        f"Beside them {paper003.CITATION_5}, with adaptor: another network and other images; at T >= 256 "
        f"{', '.join(_paper(paper003.TABLE_5[correction][256]) for correction in _NAMES)}."
    )
    header = ("T", *(f"{_with(adaptor)}, {_NAMES[correction]}" for adaptor, correction in curves))
    header += tuple(f"paper: {_NAMES[correction]}" for correction in _NAMES)
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


def _by_time(study: ConversionStudy, levels: int, adaptor: bool, correction: str) -> dict[int | None, Mean]:
    wanted = (levels, adaptor, correction)
    return {m.time: m for m in study.means if (m.levels, m.adaptor, m.correction) == wanted}


def _cell(mean: Mean | None) -> str:
    if mean is None:
        return NONE
    if mean.low is None or mean.high is None:
        return f"{100 * mean.mean:.2f}"
    # An interval that is cut at 0 or 1 has its whole half width on the other side.
    return f"{100 * mean.mean:.2f} ± {100 * max(mean.high - mean.mean, mean.mean - mean.low):.2f}"


def _gain(found: Difference | None) -> str:
    if found is None:
        return NONE
    ends = "" if found.low is None or found.high is None else f" [{100 * found.low:+.2f}, {100 * found.high:+.2f}]"
    return f"{100 * found.mean:+.2f}{ends}"


def _paper(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.2f}"


def _with(adaptor: bool) -> str:
    return "with adaptor" if adaptor else "without"
