"""Draw the picture of README.md from committed data: python docs/pictures.py

docs/neuron.png: one run of the transistor neuron in ngspice, the spike times of its transfer runs against what its card predicts,
and its output jitter against input jitter. Data: tests/benchmarks/transistor.nc (the dataset) and transistor_card.json (its card,
fitted to half of the transfer runs).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from neuronsim import ModelCard, TTFSCard
from neuronsim.analysis.table3 import output_jitter
from neuronsim.artifacts.dataset import Characterization, select
from neuronsim.calibration.prediction import spike_times

HERE = Path(__file__).parent
DATA = HERE.parent / "tests" / "benchmarks"
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#666666"
NS = 1e-9


def one_run(page: SubFigure, data: xr.Dataset) -> None:
    """The nominal run of plan ``energy``: input spikes, loop filter (the synaptic current), detector, output."""
    trace = next(t for t, run in enumerate(data["trace_run"].values) if data["plan"].values[int(run)] == "energy")
    row = data.isel(run=int(data["trace_run"].values[trace]))
    time = data["waveform_time_s"].values[trace] / NS
    real = np.isfinite(row["input_time_s"].values)
    times, weights = row["input_time_s"].values[real] / NS, row["weight"].values[real]
    inputs, *nodes = page.subplots(4, 1, sharex=True, height_ratios=(0.8, 1, 1, 0.8))
    inputs.vlines(times, 0, weights, color=BLUE, linewidth=2)
    inputs.plot(times, weights, "o", color=BLUE, markersize=4)
    inputs.set(ylim=(0, 1.1), ylabel="weight")
    inputs.set_title("two input spikes, one output spike", fontsize=10)
    names = {"lf": "loop filter", "up": "detector UP", "q": "output"}
    for axes, (node, name) in zip(nodes, names.items(), strict=True):
        axes.plot(time, data[f"waveform_{node}_v"].values[trace], color=ORANGE if node == "lf" else BLUE, linewidth=0.8)
        axes.set_ylabel(f"{name} / V", fontsize=8)
    spike = row["spike_time_s"].item() / NS
    for axes in (inputs, *nodes):
        axes.axvline(spike, color=RED, linestyle="--", linewidth=1)
    nodes[-1].set(xlabel="time / ns", xlim=(0, 80))


def against_card(axes: Axes, data: xr.Dataset, card: TTFSCard) -> None:
    """Spike times of the noise-free transfer runs against those that the card predicts."""
    rows = select(data, "transfer")
    times, weights = rows["input_time_s"].values, rows["weight"].values
    predicted = spike_times(card, times, weights) / NS
    measured = rows["spike_time_s"].values / NS
    both = np.isfinite(predicted) & np.isfinite(measured)
    last = float(max(predicted[both].max(), measured[both].max()))
    axes.plot([0, last], [0, last], color=GREY, linewidth=0.8)
    axes.plot(predicted[both], measured[both], "o", color=BLUE, markersize=3, alpha=0.7)
    axes.set(xlabel="card predicts / ns", ylabel="ngspice / ns", aspect="equal", xlim=(0, None), ylim=(0, None))
    axes.set_title(f"{both.sum()} random stimuli that fire it", fontsize=10)


def jitter(axes: Axes, data: xr.Dataset) -> None:
    """Distribution of the output jitter at each level of input jitter; the values of paper 004 over it."""
    levels = output_jitter(select(data, "jitter"), "jitter").levels
    at = np.array([100 * level.level for level in levels])
    errors = [100 * level.errors for level in levels]
    boxes = axes.boxplot(errors, positions=at, widths=0.9, showfliers=False, patch_artist=True, manage_ticks=False)
    for box in boxes["boxes"]:
        box.set(facecolor=BLUE, alpha=0.35)
    published = [100 * level.paper if level.paper is not None else np.nan for level in levels]
    axes.plot(at, published, "D", color=RED, markersize=5, label="paper 004, table 3")
    axes.set(xlabel="input jitter / %", ylabel="output jitter / %", xticks=at, ylim=(0, None))
    axes.legend(fontsize=8, loc="upper left")
    axes.set_title(f"jitter of the spike time, {len(errors[0])} trials each", fontsize=10)


def draw(path: Path) -> None:
    """Draw all three parts side by side."""
    data = Characterization.load(DATA / "transistor.nc").data
    card = ModelCard.load(DATA / "transistor_card.json")
    if not isinstance(card, TTFSCard):
        raise TypeError("transistor_card.json is the card of a neuron that fires once")
    page = Figure(figsize=(12, 4), layout="constrained")
    parts: Any = page.subfigures(1, 3, width_ratios=(1.15, 1, 1))
    left, middle, right = parts
    one_run(left, data)
    against_card(middle.subplots(), data, card)
    jitter(right.subplots(), data)
    page.savefig(path, dpi=110)


if __name__ == "__main__":
    draw(HERE / "neuron.png")
