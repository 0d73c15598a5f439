"""Accuracy against a level: bits of the weights, signal-to-noise ratio of the weights, jitter of spike times."""

from typing import Any

from matplotlib.figure import Figure

from neuronsim.artifacts.robustness_study import Study
from neuronsim.papers.paper004 import BITS_TO_DB, CITATION, accuracy_by_bits
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Note, Table
from neuronsim.report.page.figures import MUTED, draw_percent, drawn, finish, legend_above, log_scale, panels
from neuronsim.units import trimmed

from ..chips_plot import series_color
from .points import (
    DASHED,
    ERROR_SCALE,
    PAPER_MARKS,
    accuracy_cell,
    draws,
    first,
    interval_words,
    level_column,
    levels,
    scale_by_error,
)

_TRAINED = "trained at this width"
_QUIET_DB = 43  # where the plot has "no noise"
_NO_JITTER = "no jitter"
# series -> (what jitters, its unit, factor of the level to it, label of the axis)
_SIDES = {
    "inputs": ("of input spikes, relative to t", "%", 100.0, "jitter of input spikes (% of t)"),
    "outputs": ("of every neuron's output spike", "τ", 1.0, "jitter of every neuron's spike (τ)"),
}


def quantization_notes(study: Study) -> list[Note]:
    """Where "after training" does not start from full-precision weights."""
    if any(n.trained_bits is None for n in study.networks):
        return []
    widths = sorted({n.trained_bits for n in study.networks if n.trained_bits is not None})
    text = (
        'No run kept a full-precision checkpoint: "after training" quantizes the weights behind those trained at '
        f"{', '.join(map(str, widths))} bit."
    )
    return [Note(text=text)]


def quantization_tables(study: Study) -> list[Table]:
    """Accuracy and weight SNR, a row for each width."""
    widths = sorted({p.bits for p in study.points if p.bits is not None}, reverse=True)
    corner = level_column("weights", "full precision", lambda bits: f"{bits} bit")
    accuracies: list[Column[int | None]] = [corner]
    ratios: list[Column[int | None]] = [corner]
    reference = accuracy_by_bits(study.data)
    if reference:
        name, row = reference
        published: Column[Any] = Column(f"{CITATION} ({name}), retrained", row.get, lambda value: f"{100 * value:.2f}")
        accuracies.append(published)
    for network in study.networks:
        full = first(study.series(network.label, "full precision"))
        for scope in ("neuron", "layer"):
            points = study.series(network.label, f"after training, per {scope}")
            if points:
                header = f"{network.label}, after training, range per {scope}"
                accuracies.append(Column(header, {None: full, **{p.bits: p for p in points}}.get, accuracy_cell))
                decibels = {p.bits: p.weight_snr_db for p in points}
                ratios.append(Column(f"{network.label}, range per {scope}", decibels.get, lambda db: f"{db:.1f}"))
        points = study.series(network.label, _TRAINED)
        if points:
            header = f"{network.label}, trained at {network.trained_bits} bit"
            accuracies.append(Column(header, {p.bits: p for p in points}.get, accuracy_cell))
    caption = (
        "Weight SNR of quantization after training (dB): 10 log10(sum w² / sum (w' - w)²); the paper counts "
        f"{BITS_TO_DB:g} per bit."
    )
    return [table("Accuracy (%).", accuracies, [None, *widths]), table(caption, ratios, widths)]


@drawn
def quantization_plot(study: Study) -> Figure:
    """Accuracy against bits: after training per neuron and per layer, trained at a width, and the paper's row."""
    drawing, axes = panels(height=3.9)
    widths = sorted({p.bits for p in study.points if p.bits is not None})
    at = {bits: x for x, bits in enumerate(widths)}
    runs = list(dict.fromkeys(_run(network.label) for network in study.networks))
    for network in study.networks:
        color = series_color(runs.index(_run(network.label)))
        for scope, line, marker in (("neuron", "-", "o"), ("layer", DASHED, "s")):
            points = study.series(network.label, f"after training, per {scope}")
            if points:
                x = [at[p.bits] for p in points if p.bits]
                label = f"{network.label}: after training, per {scope}"
                draw_percent(axes, x, points, "accuracy", color=color, linestyle=line, marker=marker, label=label)
        points = study.series(network.label, _TRAINED)
        if points:
            x = [at[p.bits] + 0.12 for p in points if p.bits]
            style = {"fmt": "*", "markersize": 10, "capsize": 2.5, "elinewidth": None, "zorder": 4}
            draw_percent(axes, x, points, "accuracy", color=color, label=f"{network.label}: as trained", **style)
    reference = accuracy_by_bits(study.data)
    if reference:
        known = {at[bits] - 0.12: 100 * value for bits, value in reference[1].items() if bits in at}
        label = f"{CITATION} ({reference[0]}, retrained)"
        axes.plot(list(known), list(known.values()), label=label, **PAPER_MARKS)
    axes.set_xticks(range(len(widths)), [f"{bits} bit" for bits in widths])
    axes.grid(axis="x", visible=False)
    scale_by_error(axes)
    finish(axes, "weight resolution", ERROR_SCALE, columns=2)
    return drawing


def _run(label: str) -> str:
    """The run of a network's label: "name (4 bit)" -> "name"."""
    return label.partition(" (")[0]


def _curve(header: str, study: Study, network: str, series: str, quiet: str) -> Column[float | None]:
    """Accuracies of a series by level, and under None that of the series ``quiet``, which has no level."""
    points = {p.level: p for p in study.series(network, series)}
    return Column(header, {None: first(study.series(network, quiet)), **points}.get, accuracy_cell)


def _noise_series(study: Study) -> list[tuple[str, str]]:
    """(network, series) of every curve."""
    return list(dict.fromkeys((p.network, p.series) for p in study.points if p.level is not None))


def snr_tables(study: Study) -> list[Table]:
    """Accuracy, a row for each ratio."""
    columns: list[Column[float | None]] = [level_column("weight SNR", "no noise", lambda db: f"{trimmed(db)} dB")]
    for network, series in _noise_series(study):
        columns.append(_curve(f"{network}, {series}", study, network, series, f"{series}, no noise"))
    caption = f"Accuracy (%), mean over {draws(study)} frozen draws. 95 % interval: {interval_words(study)}."
    return [table(caption, columns, [None, *reversed(levels(study.points))])]


@drawn
def snr_plot(study: Study) -> Figure:
    """Accuracy against weight SNR: noise (mean, 95 % interval), and the paper's quantization at its 6.02 dB per bit."""
    drawing, axes = panels(height=3.9)
    names = _noise_series(study)
    networks = [network.label for network in study.networks]
    for number, (network, series) in enumerate(names):
        points = study.series(network, series)
        shift = 0.25 * (number - (len(names) - 1) / 2) * 4 / max(len(names), 4)
        x = [p.level + shift for p in points if p.level is not None]
        color, full = series_color(networks.index(network)), series == "full precision"
        line, marker = ("-", "o") if full else (DASHED, "s")
        label = f"{network}: noise, {series}"
        draw_percent(axes, x, points, "accuracy", color=color, linestyle=line, marker=marker, label=label)
        quiet = first(study.series(network, f"{series}, no noise"))
        if quiet and x:
            axes.plot([_QUIET_DB], [100 * quiet.accuracy], marker=marker, color=color, markersize=4)
    reference = accuracy_by_bits(study.data)
    if reference:
        known = {BITS_TO_DB * bits: 100 * value for bits, value in reference[1].items() if BITS_TO_DB * bits < 40}
        label = f"{CITATION} ({reference[0]}): {BITS_TO_DB:g} dB per bit"
        axes.plot(list(known), list(known.values()), label=label, **PAPER_MARKS)
    ticks = levels(study.points)
    axes.set_xticks([*ticks, _QUIET_DB], [*(trimmed(level, 3) for level in ticks), "no noise"])
    scale_by_error(axes)
    finish(axes, "weight SNR (dB)", ERROR_SCALE, columns=2)
    return drawing


def jitter_tables(study: Study) -> list[Table]:
    """Accuracy, a row for each jitter; a table for inputs and for outputs."""
    return [_side(study, series) for series in _SIDES]


def _side(study: Study, series: str) -> Table:
    what, unit, factor, _ = _SIDES[series]
    corner = level_column("jitter", "none", lambda level: f"{trimmed(factor * level, 3)} {unit}")
    columns: list[Column[float | None]] = [corner]
    for network in study.networks:
        columns.append(_curve(network.label, study, network.label, series, _NO_JITTER))
    caption = (
        f"Accuracy (%) under jitter {what} (rms): mean over {draws(study)} temporal draws. 95 % interval: "
        f"{interval_words(study)}."
    )
    rows = [None, *levels(p for p in study.points if p.series == series)]
    return table(caption, columns, rows)


@drawn
def jitter_plot(study: Study) -> Figure:
    """Accuracy against jitter of the input spikes (left) and of every neuron's output spike (right)."""
    drawing, (left, right) = panels(1, 2, sharey=True, height=3.5)
    for axes, (series, (_, _, factor, label)) in zip((left, right), _SIDES.items(), strict=True):
        for number, network in enumerate(study.networks):
            points = study.series(network.label, series)
            x = [factor * p.level for p in points if p.level is not None]
            draw_percent(
                axes, x, points, "accuracy", color=series_color(number), linestyle="-", marker="o", label=network.label
            )
            quiet = first(study.series(network.label, _NO_JITTER))
            if quiet:
                axes.axhline(100 * quiet.accuracy, color=series_color(number), linewidth=0.9, linestyle=(0, (4, 3)))
        log_scale(axes, "x")
        axes.set_xlabel(label)
    legend_above(left, columns=2)
    style = {"color": MUTED, "fontsize": 8.5, "ha": "left", "va": "bottom"}
    left.annotate("dashed: without jitter", (0.02, 0.03), xycoords="axes fraction", **style)
    scale_by_error(left)
    left.set_ylabel(ERROR_SCALE)
    return drawing
