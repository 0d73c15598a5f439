"""Chapters on the circuit: block schematic and pins, and what each cause of its errors costs."""

import json
from collections.abc import Collection, Iterator, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from neuronsim.arrays import Array
from neuronsim.units import percent

from ..page.columns import Column, in_unit, table
from ..page.elements import Block, Picture, Table, chapter
from ..page.figures import BLUE, INK, MUTED, PAPER, drawn, panels

_WIDTH, _HEIGHT = 0.62, 0.44  # of a box, in columns and rows


@chapter("Circuit", anchor="circuit")
def circuit(dataset: xr.Dataset) -> Iterator[Block]:
    """Block schematic and pins as the manifest told them; nothing for a dataset without."""
    attrs = dataset.attrs
    pins: dict[str, str] = json.loads(attrs.get("pins", "{}"))
    if not pins:
        return
    if "schematic" in attrs:
        layout = json.loads(attrs["schematic"])
        text = f"Block schematic, pins in bold: {attrs.get('netlist_level', '')} level"
        text += f", process {attrs['process']}" if attrs.get("process") else ""
        text += f"; {attrs['source']}" if attrs.get("source") else ""
        svg = schematic({name: tuple(at) for name, at in layout["blocks"].items()}, layout["wires"], layout["pins"])
        yield Picture(svg=svg, caption=f"{text}.")
    yield Table(caption="Pins.", header=("pin", "meaning"), rows=list(pins.items()))


@drawn
def schematic(
    blocks: dict[str, tuple[float, float]], wires: Sequence[tuple[str, str, str]], pins: Collection[str]
) -> Figure:
    """Boxes at (column, row), row 0 on top; names in ``pins`` without a box; ``wires`` (from, to, label) as arrows."""
    centers = {name: np.array([column, -row], dtype=float) for name, (column, row) in blocks.items()}
    x, y = np.array(list(centers.values())).T
    drawing, axes = panels(height=0.5 + 0.95 * (y.max() - y.min() + 1) * 0.9)
    axes.set_axis_off()
    axes.grid(False)
    axes.set_xlim(x.min() - 0.5, x.max() + 0.5)
    axes.set_ylim(y.min() - 0.45, y.max() + 0.45)
    for first, last, label in wires:
        _wire(axes, centers[first], centers[last], first in pins, last in pins, label)
    for name, at in centers.items():
        if name in pins:
            axes.text(at[0], at[1], name, ha="center", va="center", color=BLUE, fontweight="bold", fontsize=9)
            continue
        corner = (at[0] - _WIDTH / 2, at[1] - _HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(
                corner, _WIDTH, _HEIGHT, boxstyle="round,pad=0,rounding_size=0.05", facecolor=PAPER, edgecolor=INK,
                linewidth=1.1,
            )
        )  # fmt: skip
        words, style = name.replace(" ", "\n", 1), {"color": INK, "fontsize": 8.5, "linespacing": 1.05}
        axes.text(at[0], at[1], words, ha="center", va="center", **style)
    return drawing


def _wire(axes: Axes, start: Array, end: Array, from_pin: bool, to_pin: bool, label: str) -> None:
    """An arrow from edge to edge of two boxes, its label beside the middle."""
    way = end - start
    tail, tip = start + way * _share(way, from_pin), end - way * _share(way, to_pin)
    axes.annotate(
        "", xy=tuple(tip), xytext=tuple(tail),
        arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9},
    )  # fmt: skip
    if label:
        middle = (tail + tip) / 2
        upright = abs(way[1]) > 2 * abs(way[0])
        offset = (4, 0) if upright else (0, 3)
        axes.annotate(
            label, tuple(middle), xytext=offset, textcoords="offset points", color=MUTED, fontsize=8,
            ha="left" if upright else "center", va="center" if upright else "bottom",
        )  # fmt: skip


def _share(way: Array, pin: bool) -> float:
    """Share of the way that lies inside the block it starts from."""
    half = np.array([0.16, 0.12]) if pin else np.array([_WIDTH, _HEIGHT]) / 2
    with np.errstate(divide="ignore"):
        return float(np.min(half / np.abs(np.where(way == 0, 1e-9, way))))


_BUDGET: list[Column[dict[str, Any]]] = [
    Column("cause", itemgetter("cause")),
    Column("membrane, rms", itemgetter("membrane"), percent),
    Column("spike time, rms", itemgetter("spike_time_s"), in_unit("s")),
    Column("evidence", itemgetter("evidence")),
]


@chapter("Error budget", anchor="error_budget")
def budget_section(dataset: xr.Dataset) -> Iterator[Block]:
    """What each cause costs, as the manifest says: what stays and what was mended, each with its size (null: not told)."""
    terms = json.loads(dataset.attrs.get("error_budget", "[]"))
    words = "Membrane in thresholds, before the spike; one thing changed at a time (from the manifest)."
    for caption, mended in (("What the circuit has.", False), ("What it had, before it was mended.", True)):
        rows = [term for term in terms if term["mended"] == mended]
        if rows:
            yield table(f"{caption} {words}", _BUDGET, rows)
