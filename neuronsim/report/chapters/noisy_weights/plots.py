"""Pictures of the noisy-weights reproduction: paper 000's figures 2 to 5 with its stated values, and the 1/sqrt(n) law."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.artifacts.noisy_weights_study import ANN_PAPER, ANN_SAMPLE, NAMES, NoisyWeights, Row
from neuronsim.report.page.figures import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SERIES,
    VERMILION,
    drawn,
    error_bars,
    figure,
    legend_above,
    plain_ticks,
)

_CURVES = (
    ("ann", ANN_PAPER, "ANN, one draw per trial", VERMILION, "-"),
    ("ann", ANN_SAMPLE, "ANN, per inference", ORANGE, "-"),
    ("ann", "frozen", "ANN, frozen", PURPLE, (0, (4, 2))),
    ("snn", "temporal", "SNN, temporal", BLUE, "-"),
    ("snn", "frozen", "SNN, frozen", GREEN, (0, (4, 2))),
)


def _architectures(study: NoisyWeights) -> list[str]:
    return list(dict.fromkeys(network.architecture for network in study.networks))


def _error_bars(rows: list[Row], place: Axes, **style: Any) -> None:
    y = 100 * np.array([row.accuracy.mean for row in rows])
    bars = 100 * error_bars(
        [row.accuracy.mean for row in rows], [row.accuracy.low for row in rows], [row.accuracy.high for row in rows]
    )
    place.errorbar([100 * row.level for row in rows], y, yerr=bars, capsize=2.5, markersize=4, marker="o", **style)


@drawn
def accuracy_plot(study: NoisyWeights) -> Figure:
    """Accuracy of both sides against the noise level (figures 2 and 3); diamonds: what the paper's text states."""
    names = _architectures(study)
    drawing = figure(height=3.9)
    for place, name in zip(np.atleast_1d(drawing.subplots(1, len(names))), names, strict=True):
        for side, noise, label, color, line in _CURVES:
            rows = study.select(name, side, noise)
            if rows:
                _error_bars(rows, place, label=label, color=color, linestyle=line)
            said = [(100 * r.level, 100 * r.paper.accuracy) for r in rows if r.paper and r.paper.accuracy is not None]
            if said:
                place.plot(
                    *zip(*said, strict=True),
                    marker="D",
                    linestyle="none",
                    markersize=5,
                    color=color,
                    markerfacecolor="none",
                )
        place.plot([], [], "D", color="0.4", markersize=5, markerfacecolor="none", label="paper 000, its text")
        place.set(xlabel=f"noise over weight (%)   {NAMES[name]}", ylabel="accuracy (%)")
        legend_above(place, columns=2)
    return drawing


@drawn
def convergence_plot(study: NoisyWeights) -> Figure:
    """Error of the spiking networks against the step, for every noise level (behind tables II and III)."""
    names = _architectures(study)
    drawing = figure(height=3.6)
    for place, name in zip(np.atleast_1d(drawing.subplots(1, len(names))), names, strict=True):
        for number, row in enumerate(study.select(name, "snn", "temporal")):
            error = 100 - 100 * np.array(row.curve)
            color = SERIES[number % len(SERIES)]
            place.plot(study.curve_steps, np.maximum(error, 50 / study.n_images), color=color, label=f"{row.level:.0%}")
            if row.convergence is not None:
                place.axvline(row.convergence.mean, color=color, linewidth=0.8, linestyle=(0, (1, 2)))
        place.set(xscale="log", yscale="log", xlabel=f"step   {NAMES[name]}", ylabel="error (%)")
        plain_ticks(place.xaxis)
        plain_ticks(place.yaxis)
        legend_above(place, columns=6)
    return drawing


@drawn
def threshold_plot(study: NoisyWeights) -> Figure:
    """Accuracy at each threshold scale (figure 4, left) and the ratio of convergence times at 100 % and 0 % noise (figure 5)."""
    names = _architectures(study)
    drawing = figure(height=3.6)
    places = np.atleast_1d(drawing.subplots(1, len(names) + 1))
    for place, name in zip(places, names, strict=False):
        for number, scale in enumerate(_scales(study, name)):
            rows = study.select(name, "snn", "temporal", scale)
            _error_bars(rows, place, label=f"σ = {scale:g}", color=SERIES[number % len(SERIES)])
        place.set(xlabel=f"noise over weight (%)   {NAMES[name]}", ylabel="SNN accuracy (%)")
        legend_above(place, columns=2)
    last = places[-1]
    for number, name in enumerate(names):
        which = "within_05" if name == "fc" else "within_1"
        points = []
        for scale in _scales(study, name):
            found = {row.level: getattr(row, which) for row in study.select(name, "snn", "temporal", scale)}
            if found.get(0.0) and found.get(1.0):
                points.append((scale, found[1.0].mean / found[0.0].mean))
        if points:
            loss = "0.5 %" if name == "fc" else "1 %"
            last.plot(*zip(*points, strict=True), marker="o", color=SERIES[number], label=f"{name}, within {loss}")
    last.set(xscale="log", xlabel="threshold scale σ", ylabel="time at 100 % / time at 0 %")
    plain_ticks(last.xaxis)
    if last.lines:
        legend_above(last, columns=2)
    return drawing


@drawn
def snr_plot(study: NoisyWeights) -> Figure:
    """Signal-to-noise ratio against the spike count; the dashed lines grow like its square root."""
    drawing = figure(height=3.4)
    place = drawing.subplots()
    for number, name in enumerate(_architectures(study)):
        for kind, line in (("temporal", "-"), ("frozen", (0, (1, 2)))):
            found = [p for p in study.snr if p.architecture == name and p.noise == kind]
            if not found:
                continue
            x, y = np.array([p.spikes for p in found]), np.array([p.snr for p in found])
            bars = np.maximum([y - [p.low for p in found], [p.high for p in found] - y], 0)
            color = SERIES[number]
            place.errorbar(
                x, y, yerr=bars, color=color, linestyle=line, marker="o", capsize=2.5, label=f"{name}, {kind}"
            )
            if kind == "temporal":
                law = float(np.exp(np.mean(np.log(y) - 0.5 * np.log(x))))
                place.plot(x, law * np.sqrt(x), color=MUTED, linestyle=(0, (4, 2)), linewidth=0.9)
    place.set(xscale="log", yscale="log", xlabel="spikes of the winning output", ylabel="mean / standard deviation")
    place.set_title("dashed: ∝ √n", color=INK, loc="right")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    if place.lines:
        legend_above(place, columns=4)
    return drawing


def _scales(study: NoisyWeights, name: str) -> list[float]:
    return sorted({row.scale for row in study.rows if row.architecture == name and row.side == "snn"})


def plots(study: NoisyWeights) -> dict[str, tuple[object, str]]:
    """The pictures that the study has data for: name -> (picture, caption)."""
    found: dict[str, tuple[object, str]] = {
        "accuracy": (
            accuracy_plot,
            "Accuracy under noisy weights: mean over networks and trials, bars: 95 % interval of the mean; open diamonds: what "
            "the paper's text states (figures 2 and 3).",
        ),
        "convergence": (convergence_plot, "Error after each step; dotted: mean convergence time (tables II and III)."),
    }
    if any(row.scale != 1 for row in study.rows):
        found["thresholds"] = (threshold_plot, "Threshold scale of the first hidden layer (figures 4 and 5).")
    if study.snr:
        found["snr"] = (snr_plot, "Signal-to-noise ratio of the winning output's count under 100 % noise.")
    return found
