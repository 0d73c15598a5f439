"""Picture of the energy study: energy per inference by each rule, and sparsity per layer."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ..artifacts.robustness_study import Study
from ..units import trimmed
from .page.figures import INK, SERIES, SKY, VERMILION, drawn, figure, legend_above, plain_ticks

_COLORS = tuple(color for color in SERIES if color not in (VERMILION, SKY))


def series_color(number: int) -> str:
    """Color of the network of that number in every plot of a study; the paper's and the worst chip's are kept free."""
    return _COLORS[number % len(_COLORS)]


def legend_height(entries: int, columns: int) -> float:
    """Height in inches that a legend above the axes takes."""
    return 0.17 * -(-entries // columns)


@drawn
def energy_plot(study: Study) -> Figure:
    """Energy per inference by each rule and on the card (left, logarithmic), and the share of neurons that fire (right)."""
    rules = (
        ("card_active_j", "card, active window"),
        ("card_always_on_j", "card, always on"),
        ("rule_spikes_j", "10 pJ per spike"),
        ("rule_weights_j", "weights × sparsity\n× 10 pJ (paper)"),
        ("rule_events_j", "10 pJ per\nsynaptic event"),
    )
    shown = [(name, words) for name, words in rules if any(getattr(e, name) is not None for e in study.energy)]
    networks = len(study.energy)
    drawing = figure(height=1.0 + 0.24 * len(shown) * max(networks, 2) + legend_height(networks, 3))
    left, right = drawing.subplots(1, 2, width_ratios=[1.9, 1])
    step = 0.8 / networks
    for number, e in enumerate(study.energy):
        offset = (number - (networks - 1) / 2) * step
        for row, (name, _) in enumerate(shown):
            value = getattr(e, name)
            if value:
                left.plot([1e9 * value], [row + offset], "o", color=series_color(number), markersize=6, zorder=3)
                left.annotate(
                    f"{trimmed(1e9 * value, 3)}", (1e9 * value, row + offset), xytext=(7, 0), textcoords="offset points",
                    va="center", fontsize=8.5, color=INK,
                )  # fmt: skip
        left.plot([], [], "o", color=series_color(number), label=e.network)
        x = np.arange(len(e.sparsity)) + offset
        right.bar(x, [100 * s for s in e.sparsity], width=step * 0.9, color=series_color(number), alpha=0.8)
    left.set_xscale("log")
    low, high = left.get_xlim()
    left.set_xlim(low / 1.3, high * 2.2)
    plain_ticks(left.xaxis)
    left.set_yticks(range(len(shown)), [words for _, words in shown])
    left.set_ylim(len(shown) - 0.5, -0.5)
    left.grid(axis="y", visible=False)
    left.set_xlabel("energy per inference (nJ)")
    legend_above(left, columns=3)
    layers = max((len(e.sparsity) for e in study.energy), default=1)
    right.set_xticks(range(layers), [f"{number + 1}" for number in range(layers)])
    right.set_ylim(0, 100)
    right.grid(axis="x", visible=False)
    right.set(xlabel="layer of neurons", ylabel="neurons that fire (%)")
    return drawing
