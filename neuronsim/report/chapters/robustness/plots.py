"""Pictures of the robustness studies: accuracy against bits, weight SNR and jitter, and on chips of a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neuronsim.artifacts.robustness_study import Point, Study
from neuronsim.papers.paper004 import BITS_TO_DB, CITATION, paper_row
from neuronsim.report.page.figures import INK, MUTED, VERMILION, drawn, error_bars, figure, legend_above, plain_ticks
from neuronsim.report.plots_energy import energy_plot, legend_height, series_color
from neuronsim.units import trimmed

_DASHED = (0, (4, 2))
_ACCURACY = "accuracy (%), error on a log scale"
_TICKS = (0, 20, 50, 70, 80, 90, 95, 97, 98, 99, 99.5, 99.8, 100)
_LEAST_ERROR = 0.1  # percent; where the scale turns linear, so that 100 % has a place
_PAPER: dict[str, Any] = {"marker": "D", "color": VERMILION, "linestyle": "none", "markersize": 5.5, "zorder": 5}


@drawn
def quantization_plot(study: Study) -> Figure:
    """Accuracy against bits: after training per neuron and per layer, trained at a width, and the paper's row."""
    drawing = figure(height=3.9)
    place = drawing.subplots()
    widths = sorted({p.bits for p in study.points if p.bits is not None})
    at = {bits: x for x, bits in enumerate(widths)}
    runs = list(dict.fromkeys(_run(network.label) for network in study.networks))
    for network in study.networks:
        color = series_color(runs.index(_run(network.label)))
        for scope, line, marker in (("neuron", "-", "o"), ("layer", _DASHED, "s")):
            found = study.series(network.label, f"after training, per {scope}")
            if found:
                label = f"{network.label}: after training, per {scope}"
                _curve(place, [at[p.bits] for p in found if p.bits], found, color, line, marker, label)
        found = study.series(network.label, "trained at this width")
        if found:
            x = [at[p.bits] + 0.12 for p in found if p.bits]
            label = f"{network.label}: as trained"
            y = 100 * np.array([p.accuracy for p in found])
            place.errorbar(
                x, y, yerr=_bars(found), fmt="*", color=color, markersize=10, capsize=2.5, label=label, zorder=4
            )
    reference = paper_row(study.data)
    if reference:
        found = {bits: value for bits, value in reference[1].items() if bits in at}
        x = [at[bits] - 0.12 for bits in found]
        place.plot(x, [100 * v for v in found.values()], label=f"{CITATION} ({reference[0]}, retrained)", **_PAPER)
    place.set_xticks(range(len(widths)), [f"{bits} bit" for bits in widths])
    place.grid(axis="x", visible=False)
    _window(place)
    legend_above(place, columns=2)
    place.set(xlabel="weight resolution", ylabel=_ACCURACY)
    return drawing


@drawn
def snr_plot(study: Study) -> Figure:
    """Accuracy against weight SNR: noise (mean, 95 % interval), and the paper's quantization at its 6.02 dB per bit."""
    drawing = figure(height=3.9)
    place = drawing.subplots()
    names = list(dict.fromkeys((p.network, p.series) for p in study.points if p.level is not None))
    networks = [network.label for network in study.networks]
    for number, (network, series) in enumerate(names):
        found = study.series(network, series)
        shift = 0.25 * (number - (len(names) - 1) / 2) * 4 / max(len(names), 4)
        x = [p.level + shift for p in found if p.level is not None]
        color, full = series_color(networks.index(network)), series == "full precision"
        _curve(place, x, found, color, "-" if full else _DASHED, "o" if full else "s", f"{network}: noise, {series}")
        quiet = study.series(network, f"{series}, no noise")
        if quiet and x:
            place.plot([43], [100 * quiet[0].accuracy], marker="o" if full else "s", color=color, markersize=4)
    reference = paper_row(study.data)
    if reference:
        found = {BITS_TO_DB * bits: 100 * value for bits, value in reference[1].items() if BITS_TO_DB * bits < 40}
        label = f"{CITATION} ({reference[0]}): {BITS_TO_DB:g} dB per bit"
        place.plot(list(found), list(found.values()), label=label, **_PAPER)
    levels = sorted({p.level for p in study.points if p.level is not None})
    place.set_xticks([*levels, 43], [*(trimmed(level, 3) for level in levels), "no noise"])
    _window(place)
    legend_above(place, columns=2)
    place.set(xlabel="weight SNR (dB)", ylabel=_ACCURACY)
    return drawing


@drawn
def jitter_plot(study: Study) -> Figure:
    """Accuracy against jitter of the input spikes (left) and of every neuron's output spike (right)."""
    drawing = figure(height=3.5)
    left, right = drawing.subplots(1, 2, sharey=True)
    for place, series, factor, label in (
        (left, "inputs", 100.0, "jitter of input spikes (% of t)"),
        (right, "outputs", 1.0, "jitter of every neuron's spike (τ)"),
    ):
        for number, network in enumerate(study.networks):
            found = study.series(network.label, series)
            x = [factor * p.level for p in found if p.level is not None]
            _curve(place, x, found, series_color(number), "-", "o", network.label)
            quiet = study.series(network.label, "no jitter")
            if quiet:
                place.axhline(100 * quiet[0].accuracy, color=series_color(number), linewidth=0.9, linestyle=(0, (4, 3)))
        place.set_xscale("log")
        plain_ticks(place.xaxis)
        place.set_xlabel(label)
    legend_above(left, columns=2)
    left.annotate(
        "dashed: without jitter",
        (0.02, 0.03),
        xycoords="axes fraction",
        color=MUTED,
        fontsize=8.5,
        ha="left",
        va="bottom",
    )
    _window(left)
    left.set_ylabel(_ACCURACY)
    return drawing


@drawn
def card_plot(study: Study) -> Figure:
    """Per condition and network: each chip (dots), the mean with its 95 % interval, and the worst chip."""
    conditions = list(dict.fromkeys(p.series for p in study.points))
    networks = [network.label for network in study.networks]
    rows = len(conditions) * len(networks)
    drawing = figure(height=1.1 + 0.3 * max(rows, 5) + legend_height(len(networks), 3))
    place = drawing.subplots()
    step = 0.8 / len(networks)
    for p in study.points:
        which = networks.index(p.network)
        row = conditions.index(p.series) + (which - (len(networks) - 1) / 2) * step
        color = series_color(which)
        chips = 100 * np.array(p.draws)
        if chips.size:
            spread = ((np.arange(chips.size) * 0.6180339887) % 1 - 0.5) * step * 0.6
            place.plot(chips, row + spread, ".", color=color, markersize=4.5, alpha=0.4)
            place.plot([100 * p.worst], [row], "v", color=VERMILION, markersize=5.5, zorder=4)
        place.errorbar(
            [100 * p.accuracy], [row], xerr=_bars([p]), fmt="o", color=color, markersize=5, capsize=3, elinewidth=1.4, zorder=5,
            markeredgecolor=INK, markeredgewidth=0.6,
        )  # fmt: skip
    place.set_yticks(range(len(conditions)), [_words(c, study.card) for c in conditions])
    place.set_ylim(len(conditions) - 0.5, -0.5)
    place.grid(axis="y", visible=False)
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            color=series_color(i),
            markeredgecolor=INK,
            markersize=5,
            label=f"{name}: mean, 95 % interval",
        )
        for i, name in enumerate(networks)
    ]
    handles.append(Line2D([], [], marker=".", linestyle="none", color=MUTED, label="one chip or draw"))
    handles.append(Line2D([], [], marker="v", linestyle="none", color=VERMILION, label="worst of them"))
    place.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.3)
    place.set_xlabel("accuracy (%)")
    return drawing


PLOTS = {
    "quantization": quantization_plot,
    "snr": snr_plot,
    "jitter": jitter_plot,
    "card": card_plot,
    "energy": energy_plot,
}


def _run(label: str) -> str:
    """The run of a network's label: "name (4 bit)" -> "name"."""
    return label.partition(" (")[0]


def _words(condition: str, card: str | None) -> str:
    return {"card": f"chips of\n{card}", "no noise": "card without\nnoise"}.get(condition, condition)


def _bars(found: Sequence[Point]) -> np.ndarray:
    return 100 * error_bars([p.accuracy for p in found], [p.low for p in found], [p.high for p in found])


def _curve(
    place: Axes, x: Sequence[float], found: Sequence[Point], color: str, line: Any, marker: str, label: str
) -> None:
    y = [100 * p.accuracy for p in found]
    place.errorbar(
        x, y, yerr=_bars(found), color=color, linestyle=line, marker=marker, markersize=4, capsize=2, elinewidth=0.8, label=label
    )  # fmt: skip


def _window(place: Axes) -> None:
    """Accuracy so that errors of 0.5 and of 50 % are both readable: y = -log(error + 0.1 %)."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in place.lines])
    low, high = float(np.clip(values.min(), 0, 100)), float(np.clip(values.max(), 0, 100))

    def forward(y: np.ndarray) -> np.ndarray:
        return -np.log10(np.maximum(100 - np.asarray(y, dtype=np.float64), 0) + _LEAST_ERROR)

    def backward(y: np.ndarray) -> np.ndarray:
        return 100 + _LEAST_ERROR - 10 ** -np.asarray(y, dtype=np.float64)

    place.set_yscale("function", functions=(forward, backward))
    bottom, top = forward(np.array([low, high]))
    margin = max(0.06 * (top - bottom), 0.02)
    limits = backward(np.array([bottom - margin, min(top + margin, 1.0)]))
    place.set_ylim(float(limits[0]), float(limits[1]))
    ticks = [tick for tick in _TICKS if limits[0] <= tick <= limits[1]]
    if len(ticks) < 3:
        ticks = [float(f"{tick:.4g}") for tick in np.linspace(low, high, 5)] if high > low else [low]
    place.set_yticks(ticks, [trimmed(tick, 4) for tick in ticks])
