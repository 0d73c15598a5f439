"""Chapter on example waveforms: what goes into the neuron, what its nodes do, and when it fires."""

import re
import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.units import prefix_for, quantity

from ..page.elements import Block, Note, Picture, chapter
from ..page.figures import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SERIES, VERMILION, drawn, panels

_PANELS = (
    ("membrane", ("mem", "membrane", "v", "vm", "vmem", "thr", "threshold", "vth")),
    ("phase", ("err", "error", "phase_error", "pd", "lf", "phi")),
    ("logic", ("out", "spike", "q", "up", "set", "xor")),
)
_LOGIC = (GREEN, PURPLE, ORANGE)  # apart from the first ones of SERIES, which the panels above have
_NAMES = {
    "mem": "membrane potential", "membrane": "membrane potential", "vm": "membrane potential", "thr": "threshold",
    "threshold": "threshold", "vth": "threshold", "pd": "phase detector", "lf": "loop filter", "err": "phase error",
    "phase_error": "phase error", "phi": "VCO2 phase", "out": "output", "spike": "output", "up": "UP (XOR output)",
}  # fmt: skip
_MOST_TRACES = 4


@chapter("Example waveforms", short="Waveforms", anchor="waveforms")
def waveforms(dataset: xr.Dataset) -> Iterator[Block]:
    """The recorded example runs; nothing when the dataset has none."""
    recorded = int(dataset.sizes.get("trace", 0)) if "waveform_time_s" in dataset else 0
    for trace in range(min(recorded, _MOST_TRACES)):
        text = f"Run {int(dataset['trace_run'].values[trace])}: {title(dataset, trace)}."
        caption = f"{text} Dashed: output spike as measured by interpolated crossing."
        yield Picture(svg=waveform(dataset, trace), caption=caption)
    if recorded > _MOST_TRACES:
        yield Note(text=f"{recorded - _MOST_TRACES} more recorded runs are in the dataset.")


def nodes(dataset: xr.Dataset) -> list[str]:
    """Names of the recorded nodes, in the order of the file."""
    names = [str(n) for n in dataset.data_vars if str(n).startswith("waveform_") and str(n) != "waveform_time_s"]
    return [name.removeprefix("waveform_") for name in names]


def title(dataset: xr.Dataset, trace: int) -> str:
    """What one trace shows, in words: plan, trial, and when it fired."""
    row = dataset.isel(run=int(dataset["trace_run"].values[trace]))
    text = f"plan {row['plan'].item()}, trial {int(row['trial'])}"
    if dataset.attrs["code"] == "rate":
        return f"{text}, input {quantity(row['input_current_a'].item(), 'A')}, {quantity(row['rate_hz'].item(), 'Hz')}"
    if np.isfinite(row["level"].item()):
        text += f", level {row['level'].item():g}"
    spike = row["spike_time_s"].item()
    return f"{text}, " + (f"spike at {quantity(spike, 's', 5)}" if np.isfinite(spike) else "silent")


@drawn
def waveform(dataset: xr.Dataset, trace: int) -> Figure:
    """One trace: input spikes with their weights on top, then the nodes, the output spike marked through all."""
    row = dataset.isel(run=int(dataset["trace_run"].values[trace]))
    time = dataset["waveform_time_s"].values[trace]
    keep = np.isfinite(time)
    scale, unit = prefix_for(time, "s")
    ttfs = dataset.attrs["code"] == "ttfs"
    groups = _grouped(nodes(dataset))
    heights = {"membrane": 1.6, "logic": 0.7}
    ratios = [0.7] * ttfs + [heights.get(kind, 1.1) for kind, _ in groups]
    drawing, axes = panels(len(ratios), height=0.6 + 1.05 * sum(ratios), sharex=True, height_ratios=ratios)
    every = list(np.atleast_1d(axes))
    if ttfs:
        _draw_inputs(every[0], row, scale)
    for axes, (kind, names) in zip(every[int(ttfs) :], groups, strict=True):
        colors = _LOGIC if kind == "logic" else SERIES
        for index, name in enumerate(names):
            variable, node = dataset[f"waveform_{name}"], name.removesuffix("_v")
            threshold = node in ("thr", "threshold", "vth")
            label = _short(str(variable.attrs.get("long_name", "")), node)
            line, color = ("--", MUTED) if threshold else ("-", colors[index % len(colors)])
            axes.plot(time[keep] / scale, variable.values[trace][keep], line, color=color, label=label)
        axes.set_ylabel(_axis_label(dataset, names))
        _legend_beside(axes)
    _mark_spikes(every, _output_spikes(row, ttfs) / scale, named=ttfs)
    every[-1].set_xlabel(f"time ({unit})")
    every[-1].set_xlim(time[keep].min() / scale, time[keep].max() / scale)
    return drawing


def _mark_spikes(panels: Sequence[Axes], spikes: np.ndarray, *, named: bool) -> None:
    """Output spikes as lines through all panels; many would bury the traces, so they are marked at the upper edge only."""
    style = {"ymin": 0.0 if len(spikes) == 1 else 0.92, "color": VERMILION, "linewidth": 1.0, "linestyle": (0, (4, 2))}
    for axes in panels:
        for spike in spikes:
            axes.axvline(spike, **style)
    if named and len(spikes):
        text = {"color": VERMILION, "fontsize": 8.5, "xytext": (3, 2), "textcoords": "offset points"}
        panels[0].annotate("output spike", (spikes[0], 1.0), xycoords=("data", "axes fraction"), **text)


def _short(description: str, node: str) -> str:
    """What the node is, in few words: the description up to its first colon or comma, wrapped, else the usual name."""
    words = re.split(r"[:,;(]", description)[0].strip() or _NAMES.get(node, node)
    return textwrap.fill(words, 24)


def _grouped(names: list[str]) -> list[tuple[str, list[str]]]:
    groups: list[tuple[str, list[str]]] = []
    left = list(names)
    for kind, members in _PANELS:
        own = [name for name in left if name.removesuffix("_v") in members]
        if own:
            groups.append((kind, own))
            left = [name for name in left if name not in own]
    return groups + [("other", [name]) for name in left]


def _axis_label(dataset: xr.Dataset, names: list[str]) -> str:
    units = {str(dataset[f"waveform_{name}"].attrs.get("units", "V")) for name in names}
    return " / ".join(sorted(units)) if units else "V"


def _output_spikes(row: xr.Dataset, ttfs: bool) -> np.ndarray:
    spikes = np.atleast_1d(row["spike_time_s" if ttfs else "spike_times_s"].values)
    return spikes[np.isfinite(spikes)]


def _draw_inputs(axes: Axes, row: xr.Dataset, scale: float) -> None:
    times, weights = row["input_time_s"].values, row["weight"].values
    real = np.isfinite(times)
    times, weights = times[real] / scale, weights[real]
    for sign, color, label in ((weights >= 0, BLUE, "excitatory"), (weights < 0, INK, "inhibitory")):
        if sign.any():
            axes.vlines(times[sign], 0, weights[sign], color=color, linewidth=2.0)
            axes.plot(times[sign], weights[sign], "o", color=color, markersize=3.5, label=label)
    axes.axhline(0, color=MUTED, linewidth=0.6)
    axes.margins(y=0.25)
    axes.set_ylabel("weight")
    _legend_beside(axes)


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, handlelength=1.4)
