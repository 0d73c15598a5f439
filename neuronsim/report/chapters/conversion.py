"""A conversion study: accuracy of converted networks against time, with and without the noise adaptor, and with corrections."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.analysis.noise_adaptor import EARLY, AdaptorEffect, adaptor_effect, all_levels, differences, means, times
from neuronsim.artifacts.conversion_study import ConversionStudy, Converted, Difference, Mean
from neuronsim.papers import paper003
from neuronsim.units import percent_points

from ..page.columns import Column, table
from ..page.elements import Note, Table
from ..page.figures import INK, MUTED, SERIES, VERMILION, draw_percent, drawn, legend_above, log_scale, panels
from ..page.study import Plot, StudyReport

_LINES: dict[bool, Any] = {True: "-", False: (0, (4, 2))}
_CORRECTIONS = {"none": "no correction", "negative-spikes": "negative spikes", "offset-spikes": "offset spikes"}
_TIME: Column[int | None] = Column("T", lambda time: "quantized ANN" if time is None else time)
_FIELDS = (
    "levels", "adaptor", "correction", "seed", "time", "accuracy", "ann", "ann_noisy", "full_precision", "spikes_per_neuron",
    "checkpoint_sha256",
)  # fmt: skip


def conversion_report(study: ConversionStudy) -> StudyReport:
    """Plot, tables and rows of one study."""
    about = _about(study)
    text = "This study was shortened (--quick): it shows that everything runs, not what the method can do."
    rows = [
        {**c.model_dump(), "time": time, "accuracy": accuracy}
        for c in study.converted
        for time, accuracy in zip(c.times, c.accuracy, strict=True)
    ]
    return StudyReport(
        study=study,
        name="conversion",
        title=f"Accuracy against time, with and without the noise adaptor ({study.data})",
        short="Noise adaptor",
        about=about,
        plots=[Plot(name="conversion", draw=conversion_plot, caption=about)],
        tables=_tables(study),
        rows=[{field: row[field] for field in _FIELDS} for row in rows],
        findings=[_words(study, effect) for p in all_levels(study) if (effect := adaptor_effect(study, p)) is not None],
        notes=[Note(text=text, warning=True)] if study.quick else [],
        command=study.command,
    )


def _about(study: ConversionStudy) -> str:
    """What was trained on what, and how much of it."""
    quick = " A shortened run: it shows that everything works, not what the method can do." if study.quick else ""
    return (
        f"{study.experiment} ({study.n_weights} weights) on {study.data_source}: {study.n_train} training images, "
        f"{study.epochs[0]} epochs in full precision with max-pools, {study.epochs[1]} quantized with average-pools; "
        f"{study.n_images} test images; {len(study.seeds)} seeds, the pretrained network of a seed shared by its variants. "
        f"Intervals: 95 %, t, over the seeds.{quick}"
    )


def _tables(study: ConversionStudy) -> list[Table]:
    """Accuracy against T with what the adaptor bought, a table for each p; the corrections; every network."""
    columns: list[Column[Converted]] = [
        Column("seed", "seed"),
        Column("network", lambda c: f"p = {c.levels}, {_with(c.adaptor)}"),
        Column("full precision", "full_precision", _hundredths),
        Column("quantized ANN", "ann", _hundredths),
        Column("ANN with noise", "ann_noisy", _hundredths),
        Column(f"T = {times(study)[-1]}", lambda c: c.accuracy[-1], _hundredths),
        Column("spikes per neuron and step", "spikes_per_neuron", "{:.3f}".format),
        Column("checkpoint", "checkpoint_sha256", lambda digest: digest[:12]),
    ]
    caption = "Every network, accuracy in percent. Full precision: ReLU and max-pools, before quantized training."
    corrected = {c.levels for c in study.converted if c.correction != "none"}
    return [
        *(_accuracy_table(study, levels) for levels in all_levels(study)),
        *(_corrections_table(study, levels) for levels in sorted(corrected)),
        table(caption, columns, [c for c in study.converted if c.correction == "none"], folded=True),
    ]


def _words(study: ConversionStudy, effect: AdaptorEffect) -> str:
    """What the study shows for one p."""
    parts = [
        f"with the adaptor the mean is higher at {_at(effect.better_early)} of T <= {EARLY}",
        f"the 95 % interval of the difference lies above 0 at {_at(effect.above)}, below 0 at {_at(effect.below)} "
        f"(of {effect.n_times} times, none corrected for their number)",
    ]
    if effect.late:
        first, last, without, with_adaptor = effect.late
        parts.append(
            f"from T = {first} to {last} accuracy changes by {100 * without:+.2f} points without, "
            f"{100 * with_adaptor:+.2f} with adaptor"
        )
    if effect.ann:
        paper = paper003.gain(effect.levels, None)
        beside = "" if paper is None else f" (paper {100 * paper:+.2f})"
        parts.append(f"the quantized ANN changes by {100 * effect.ann.mean:+.2f} points through the adaptor{beside}")
    return f"p = {effect.levels}, {len(study.seeds)} seeds: {'; '.join(parts)}."


def _at(some: list[int]) -> str:
    """Times in words."""
    return "T = " + ", ".join(map(str, some)) if some else "no T"


def _with(adaptor: bool) -> str:
    """With or without the adaptor, in words."""
    return "with adaptor" if adaptor else "without"


def _hundredths(value: float) -> str:
    """An accuracy in percent."""
    return f"{100 * value:.2f}"


def _accuracy_table(study: ConversionStudy, levels: int) -> Table:
    """Both variants and their difference against T, the paper's accuracy beside them where it has any."""
    steps = times(study, levels, "none")
    columns = [
        _TIME,
        Column("without", means(study, levels, False).get, _mean),
        Column("with adaptor", means(study, levels, True).get, _mean),
        Column("difference [95 %]", differences(study, levels).get, lambda d: percent_points(d.mean, d.low, d.high)),
    ]
    caption = (
        f"p = {levels}: accuracy in percent ± half width of its 95 % interval after T steps; difference in points, paired by "
        "seed. The ANN is meant without noise (epsilon = 0)."
    )
    papers = [adaptor for adaptor in (False, True) if any(paper003.value(levels, adaptor, time) for time in steps)]
    for adaptor in papers:
        header = f"paper: {'with' if adaptor else 'without'}"
        columns.append(Column(header, lambda time, a=adaptor: paper003.value(levels, a, time), _hundredths))
    if papers:
        same = study.data == "cifar10"
        other = "." if same else ", another network and other images: the course compares, not the level."
        caption += f" Beside it {paper003.CITATION}{other}"
    return table(caption, columns, [None, *steps])


def _corrections_table(study: ConversionStudy, levels: int) -> Table:
    """Every correction with and without the adaptor against T, the paper's table 5 beside them."""
    columns = [_TIME]
    for adaptor in (False, True):
        for correction, words in _CORRECTIONS.items():
            curve = means(study, levels, adaptor, correction)
            columns.append(Column(f"{_with(adaptor)}, {words}", curve.get, _mean))
    for correction, words in _CORRECTIONS.items():
        columns.append(Column(f"paper: {words}", paper003.TABLE_5[correction].get, _hundredths))
    last = max(time for correction in list(_CORRECTIONS)[1:] for time in times(study, levels, correction))
    caption = (
        f"Corrections during inference, p = {levels} (the paper's tables 4 and 5). Negative spikes take back spikes fired too "
        "early; offset spikes: the start of each neuron is calibrated on 4 steps before the T that count. "
        f"Beside them {paper003.CITATION_5}, with adaptor: another network and other images; at T >= 256 "
        f"{', '.join(_hundredths(paper003.TABLE_5[correction][256]) for correction in _CORRECTIONS)}."
    )
    return table(caption, columns, [None, *(time for time in times(study) if time <= last)])


def _mean(mean: Mean) -> str:
    if mean.low is None or mean.high is None:
        return _hundredths(mean.mean)
    # An interval that is cut at 0 or 1 has its whole half width on the other side.
    return f"{_hundredths(mean.mean)} ± {_hundredths(max(mean.high - mean.mean, mean.mean - mean.low))}"


@drawn
def conversion_plot(study: ConversionStudy) -> Figure:
    """Left: accuracy against T, solid with the adaptor, dashed without. Right: the paired difference, the paper's beside it."""
    drawing, (left, right) = panels(1, 2, height=4.0)
    for number, levels in enumerate(all_levels(study)):
        color = SERIES[number % len(SERIES)]
        for adaptor, marker in ((True, "o"), (False, "s")):
            label = f"p = {levels}, {'with' if adaptor else 'without'} adaptor"
            _errorbar(left, study.curve(levels, adaptor), 1.0, color, label, linestyle=_LINES[adaptor], marker=marker)
        _draw_gain(right, study, levels, color, number)
    for axes in (left, right):
        log_scale(axes, "x", base=2)
        axes.set_xlabel("steps T")
    for m in study.means:
        if m.time is None and m.correction == "none":
            left.axhline(100 * m.mean, color=MUTED, linewidth=0.8, linestyle=_LINES[m.adaptor])
    left.annotate("gray: quantized ANN", (0.98, 0.03), xycoords="axes fraction", color=MUTED, fontsize=8.5, ha="right")
    left.set_ylabel("accuracy (%)")
    right.axhline(0.0, color=INK, linewidth=0.8)
    right.set_ylabel("with minus without adaptor (points)")
    legend_above(left, columns=2)
    legend_above(right, columns=2)
    return drawing


def _errorbar(
    axes: Axes, points: Sequence[Mean] | Sequence[Difference], shift: float, color: str, label: str, **style: Any
) -> None:
    """Percent with 95 % intervals against time, the times multiplied by ``shift``."""
    if points:
        draw_percent(axes, [shift * (p.time or 0) for p in points], points, color=color, label=label, **style)


def _draw_gain(axes: Axes, study: ConversionStudy, levels: int, color: str, number: int) -> None:
    points = [d for d in differences(study, levels).values() if d.time is not None]
    shift = 1 + 0.06 * number  # bars of several p beside each other
    _errorbar(axes, points, shift, color, f"p = {levels}", marker="o")
    paper = [(d.time, paper003.gain(levels, d.time)) for d in points]
    known = [(time, 100 * gain) for time, gain in paper if gain is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", color=VERMILION, markersize=5.5, label=paper003.CITATION, zorder=5)
