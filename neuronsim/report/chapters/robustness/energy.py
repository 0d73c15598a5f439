"""Energy per inference by each rule and on the card, and the spikes behind it."""

import numpy as np
from matplotlib.figure import Figure

from neuronsim.artifacts.robustness_study import EnergyUse, Study
from neuronsim.papers import paper004
from neuronsim.report.page.columns import Column, numbered, table, turned
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import INK, drawn, legend_above, panels, plain_ticks
from neuronsim.units import percent, quantity, significant, trimmed

from ..chips_plot import legend_height, series_color

_SPIKE = quantity(paper004.SPIKE_J, "J")


def _joules(value: float) -> str:
    return quantity(value, "J", 3)


def _on_card(header: str, field: str) -> Column[EnergyUse]:
    """Energy on the card with its interval over the chips, where it has one."""

    def text(e: EnergyUse) -> str | None:
        value, low, high = (getattr(e, f"card_{field}{end}_j") for end in ("", "_low", "_high"))
        if value is None:
            return None
        if low is None or high is None:
            return _joules(value)
        return f"{quantity(value, 'J')} [{quantity(low, 'J')}, {quantity(high, 'J')}]"

    return Column(header, text)


_ENERGIES: list[Column[EnergyUse]] = [
    Column("rule", "network"),
    Column(f"{_SPIKE} per spike", "rule_spikes_j", _joules),
    Column(f"{_SPIKE} per synaptic event", "rule_events_j", _joules),
    Column(f"weights × sparsity × {_SPIKE}", "rule_weights_j", _joules),
    _on_card("card, active window", "active"),
    _on_card("card, always on", "always_on"),
]
_COUNTS: list[Column[EnergyUse]] = [
    Column("what", "network"),
    Column("weights", "n_weights"),
    Column("neurons", "n_neurons"),
    Column("input spikes", "input_spikes", significant),
    Column("spikes", "spikes", significant),
    Column("spikes by decision", "spikes_by_decision", significant),
    Column("synaptic events", "synaptic_events", significant),
    Column("decision", "decision_tau", lambda tau: f"{tau:.2f} τ"),
    Column("clock window, card", "card_window_tau", lambda tau: f"{trimmed(tau, 3)} τ"),
    Column("static share, card, active window", "card_static_share", percent),
]
_SPARSITY: list[Column[EnergyUse]] = [Column("network", "network"), Column("all neurons", "mean_sparsity", percent)]
# (field, its words) of the plot
_RULES = (
    ("card_active_j", "card, active window"),
    ("card_always_on_j", "card, always on"),
    ("rule_spikes_j", f"{_SPIKE} per spike"),
    ("rule_weights_j", f"weights × sparsity\n× {_SPIKE} (paper)"),
    ("rule_events_j", f"{_SPIKE} per\nsynaptic event"),
)


def energy_tables(study: Study) -> list[Table]:
    """Energy by each rule, counts of spikes and events, and sparsity of each layer."""
    caption = (
        f"Energy per inference. The third rule is the one behind the paper's {quantity(paper004.MNIST_INFERENCE_J, 'J')} "
        "(paper 004, section 4.1: 21K weights, sparsity 0.94). Active window: static power until the decision; always on: for a "
        "fixed clock, at least 5 τ."
    )
    chips = max((e.card_chips for e in study.energy if e.card_active_j is not None), default=0)
    if chips:
        over = "s with its 95 % t interval over them" if chips > 1 else ", no interval"
        caption += f" Card: mean over {chips} chip{over}."
    layers = numbered("layer {}", "sparsity", study.energy, percent)
    counts = "Counts per inference, mean over the images."
    return [
        turned(table(caption, _ENERGIES, study.energy)),
        turned(table(counts, _COUNTS, study.energy)),
        table("Sparsity: share of neurons that fire.", [*_SPARSITY, *layers], study.energy),
    ]


@drawn
def energy_plot(study: Study) -> Figure:
    """Energy per inference by each rule and on the card (left, logarithmic), and the share of neurons that fire (right)."""
    rules = [rule for rule in _RULES if any(getattr(e, rule[0]) is not None for e in study.energy)]
    networks = len(study.energy)
    drawing, (left, right) = panels(
        1, 2, width_ratios=[1.9, 1], height=1.0 + 0.24 * len(rules) * max(networks, 2) + legend_height(networks, 3)
    )
    step = 0.8 / networks
    for number, e in enumerate(study.energy):
        offset = (number - (networks - 1) / 2) * step
        for row, (name, _) in enumerate(rules):
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
    left.set_yticks(range(len(rules)), [words for _, words in rules])
    left.set_ylim(len(rules) - 0.5, -0.5)
    left.grid(axis="y", visible=False)
    left.set_xlabel("energy per inference (nJ)")
    legend_above(left, columns=3)
    layers = max((len(e.sparsity) for e in study.energy), default=1)
    right.set_xticks(range(layers), [f"{number + 1}" for number in range(layers)])
    right.set_ylim(0, 100)
    right.grid(axis="x", visible=False)
    right.set(xlabel="layer of neurons", ylabel="neurons that fire (%)")
    return drawing
