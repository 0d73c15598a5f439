"""Convergence of spiking networks by noise and threshold (tables II, III, figures 4, 5 of paper 000); how noise averages out."""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.noisy_weights import (
    SLOWDOWN_LOSS,
    Slowdown,
    architectures,
    over_root,
    root_law,
    scales,
    slowdowns,
)
from neuronsim.artifacts.noisy_weights_study import NAMES, NoisyWeights, Row, SnrPoint
from neuronsim.papers.paper000 import CITATION
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import (
    INK,
    MUTED,
    SERIES,
    drawn,
    error_bars,
    finish,
    legend_above,
    log_scale,
    panels,
    plain_ticks,
)

from .cells import LEVEL, NETWORK, accuracy_cell, by_level, draw_accuracies, steps

_SLOWDOWN: list[Column[Slowdown]] = [
    Column("σ", "scale", "{:g}".format),
    Column("noise 0 %", "quiet", steps),
    Column("noise 100 %", "noisy", steps),
    Column("ratio", "ratio", "{:.2f}".format),
]


def _paper(field: str) -> Column[Row]:
    """The paper's time and its standard deviation."""

    def text(row: Row) -> str | None:
        mean, std = (getattr(row.paper, name, None) for name in (field, f"{field}_std"))
        return None if mean is None else f"{mean:g} ±{std:g}"

    return Column(CITATION, text)


def convergence_table(study: NoisyWeights, architecture: str) -> Table:
    """Times, spikes and events, a row for each noise level."""
    columns: list[Column[Row]] = [
        LEVEL,
        Column("convergence", "convergence", steps),
        _paper("convergence"),
        Column(f"stays within ±{_near(study)} %", "near", steps),
        Column("within 1 %", "within_1", steps),
        _paper("within_1"),
        Column("within 0.5 %", "within_05", steps),
        Column("not converged", lambda row: f"{row.not_converged} of {row.accuracy.n}"),
        Column("spikes", "spikes", "{:.0f}".format),
        Column("synaptic events", "events", "{:.3g}".format),
    ]
    number = "II" if architecture == "fc" else "III"
    caption = f"{NAMES[architecture]}: convergence time in steps ({CITATION}, table {number}); spikes and events per inference."
    return table(caption, columns, study.select(architecture, "snn", "temporal"))


def length_tables(study: NoisyWeights, architecture: str) -> list[Table]:
    """Convergence of the averaged curve, as runs of several lengths show it; no table where a result has no such curves."""
    rows = [row for row in study.select(architecture, "snn", "temporal") if row.by_length]
    if not rows:
        return []
    columns: list[Column[Row]] = [LEVEL]
    for k, n in enumerate(entry.steps for entry in rows[0].by_length):
        band = f"{100 * study.band:.3g}"
        columns.append(Column(f"first {n} steps: ±{band} %", lambda row, k=k: row.by_length[k].convergence))
        columns.append(Column(f"first {n} steps: ±{_near(study)} %", lambda row, k=k: row.by_length[k].near))
    caption = (
        f"{NAMES[architecture]}: convergence in steps of the accuracy averaged over all trials, had the run been that long. "
        "The range lies around the mean of the run's end, so what counts as converged depends on its length: compare equal ones."
    )
    return [table(caption, columns, rows)]


def _near(study: NoisyWeights) -> str:
    """The wide range in percent: 0.1, or an image where that is more."""
    return f"{100 * max(0.001, 1 / study.n_images):.3g}"


@drawn
def convergence_plot(study: NoisyWeights) -> Figure:
    """Error of the spiking networks against the step, for every noise level (behind tables II and III)."""
    names = architectures(study)
    drawing, every = panels(1, len(names), height=3.6)
    for axes, name in zip(np.atleast_1d(every), names, strict=True):
        for number, row in enumerate(study.select(name, "snn", "temporal")):
            error = 100 - 100 * np.array(row.curve)
            color = SERIES[number % len(SERIES)]
            axes.plot(study.curve_steps, np.maximum(error, 50 / study.n_images), color=color, label=f"{row.level:.0%}")
            if row.convergence is not None:
                axes.axvline(row.convergence.mean, color=color, linewidth=0.8, linestyle=(0, (1, 2)))
        finish(axes, f"step   {NAMES[name]}", "error (%)", log="xy", columns=6)
    return drawing


def threshold_tables(study: NoisyWeights, architecture: str) -> list[Table]:
    """Accuracy by noise level and scale, and times by scale."""
    select = partial(study.select, architecture, "snn", "temporal")
    curves = {scale: by_level(select(scale)) for scale in scales(study, architecture)}
    levels = sorted({level for rows in curves.values() for level in rows})
    columns: list[Column[float]] = [Column("noise", float, "{:.0%}".format)]
    columns += [Column(f"σ = {scale:g} (%)", rows.get, accuracy_cell) for scale, rows in curves.items()]
    accuracy = f"{NAMES[architecture]}: accuracy at threshold scale σ of the first hidden layer ({CITATION}, fig. 4)."
    _, loss = SLOWDOWN_LOSS[architecture]
    times = (
        f"{NAMES[architecture]}: steps to within {loss} of the final accuracy, and their ratio ({CITATION}, fig. 5)."
    )
    return [table(accuracy, columns, levels), table(times, _SLOWDOWN, slowdowns(study, architecture))]


@drawn
def threshold_plot(study: NoisyWeights) -> Figure:
    """Accuracy at each threshold scale (figure 4, left) and the ratio of convergence times at 100 % and 0 % noise (figure 5)."""
    names = architectures(study)
    drawing, every = panels(1, len(names) + 1, height=3.6)
    for axes, name in zip(every, names, strict=False):
        for number, scale in enumerate(scales(study, name)):
            rows = study.select(name, "snn", "temporal", scale)
            draw_accuracies(axes, rows, label=f"σ = {scale:g}", color=SERIES[number % len(SERIES)])
        finish(axes, f"noise over weight (%)   {NAMES[name]}", "SNN accuracy (%)", columns=2)
    last = every[-1]
    for number, name in enumerate(names):
        points = [(s.scale, s.ratio) for s in slowdowns(study, name) if s.ratio is not None]
        if points:
            label = f"{name}, within {SLOWDOWN_LOSS[name][1]}"
            last.plot(*zip(*points, strict=True), marker="o", color=SERIES[number], label=label)
    last.set(xscale="log", xlabel="threshold scale σ", ylabel="time at 100 % / time at 0 %")
    plain_ticks(last.xaxis)
    if last.lines:
        legend_above(last, columns=2)
    return drawing


_COLUMNS: list[Column[SnrPoint]] = [
    NETWORK,
    Column("noise", "noise"),
    Column("level", "level", "{:.0%}".format),
    Column("steps", "steps"),
    Column("spikes of the winner", "spikes", "{:.1f}".format),
    Column("signal to noise", lambda p: f"{p.snr:.2f} [{p.low:.2f}, {p.high:.2f}]"),
    Column("over √spikes", over_root, "{:.2f}".format),
]


def snr_table(study: NoisyWeights) -> Table:
    """Every ratio, and over the root of the spike count."""
    caption = (
        "Mean over standard deviation of the winning output's spike count in repeated inferences of the same images. Noise that "
        "is averaged by n spikes grows like √n (paper 000, IV-A): the last column is constant. Frozen noise does not average out."
    )
    return table(caption, _COLUMNS, study.snr)


@drawn
def snr_plot(study: NoisyWeights) -> Figure:
    """Signal-to-noise ratio against the spike count; the dashed lines grow like its square root."""
    drawing, axes = panels(height=3.4)
    for number, name in enumerate(architectures(study)):
        color = SERIES[number]
        for kind, line in (("temporal", "-"), ("frozen", (0, (1, 2)))):
            points = [p for p in study.snr if p.architecture == name and p.noise == kind]
            if not points:
                continue
            x, y = np.array([p.spikes for p in points]), [p.snr for p in points]
            axes.errorbar(
                x, y, yerr=error_bars(y, [p.low for p in points], [p.high for p in points]), color=color, linestyle=line,
                marker="o", capsize=2.5, label=f"{name}, {kind}",
            )  # fmt: skip
            if kind == "temporal":
                axes.plot(x, root_law(points) * np.sqrt(x), color=MUTED, linestyle=(0, (4, 2)), linewidth=0.9)
    axes.set(xlabel="spikes of the winning output", ylabel="mean / standard deviation")
    axes.set_title("dashed: ∝ √n", color=INK, loc="right")
    log_scale(axes, "xy")
    if axes.lines:
        legend_above(axes, columns=4)
    return drawing
