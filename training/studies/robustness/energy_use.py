"""The energy study: spikes and energy per inference of every deployed network, by rule and on a chip of the card."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from neuronsim.artifacts.robustness_study import EnergyUse
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.papers import paper004
from neuronsim.statistics.student import over_values
from neuronsim.training.ttfs.energy import activity, card_energy, clock_window

from .subjects import Subject, Workbench
from .sweeps import chip, deployed
from .tasks import Task


def energy(subjects: Sequence[Subject], bench: Workbench) -> list[Task]:
    """Per deployed network: one pass that counts spikes, and with a card one on each of its chips."""
    tasks = []
    for subject in deployed(subjects):
        key = ["activity", subject.bits, subject.full_scale]
        count = partial(_counted, subject, bench)
        tasks.append(Task(subject=subject, series="exact neurons", bits=subject.bits, key=key, compute=count))
        if bench.card is not None and bench.card.energy is not None:
            tasks += [chip(subject, bench, "card", True, True, number) for number in range(bench.plan.chips)]
    return tasks


def _counted(subject: Subject, bench: Workbench) -> dict[str, Any]:
    counted = vars(activity(bench.network(subject), bench.batches(subject)))
    return {**counted, "n": counted["n_images"]}


def uses(tasks: Sequence[Task], results: Sequence[dict[str, Any]], card: TTFSCard | None) -> list[EnergyUse]:
    """The rows of the energy table."""
    rows = []
    pairs = list(zip(tasks, results, strict=True))
    for task, counted in pairs:
        if task.series != "exact neurons":
            continue
        origin = task.subject.origin
        on_card = [r for t, r in pairs if t.subject is task.subject and t.series == "card"]
        counts = {name: value for name, value in counted.items() if name not in ("n", "n_images")}
        rows.append(
            EnergyUse(
                network=origin.label,
                bits=task.bits,
                n_weights=origin.n_weights,
                rule_weights_j=origin.n_weights * counted["mean_sparsity"] * paper004.SPIKE_J,
                rule_spikes_j=counted["spikes"] * paper004.SPIKE_J,
                rule_events_j=counted["synaptic_events"] * paper004.SPIKE_J,
                **counts,
                **_of_card(on_card, card),
            )
        )
    return rows


def _of_card(trials: list[dict[str, Any]], card: TTFSCard | None) -> dict[str, Any]:
    """Means over the chips, and the intervals of both energies over them."""
    if not trials or card is None:
        return {}
    windows = [clock_window(trial["slowest_tau"]) for trial in trials]
    active, always, static = [], [], []
    for trial, window in zip(trials, windows, strict=True):
        spikes, neurons, decision = trial["spikes"], trial["neurons"], trial["decision_tau"]
        until, through = card_energy(card, spikes, neurons, decision), card_energy(card, spikes, neurons, window)
        if until is None or through is None:
            return {}
        active.append(sum(until))
        static.append(until[1])
        always.append(sum(through))
    use: dict[str, Any] = {}
    for name, values in (("active", active), ("always_on", always)):
        names = (f"card_{name}_j", f"card_{name}_low_j", f"card_{name}_high_j")
        use |= zip(names, over_values(values), strict=True)
    return use | {
        "card_chips": len(trials),
        "card_spikes": float(np.mean([trial["spikes"] for trial in trials])),
        "card_decision_tau": float(np.mean([trial["decision_tau"] for trial in trials])),
        "card_window_tau": float(np.mean(windows)),
        "card_static_share": float(np.mean(static)) / use["card_active_j"] if use["card_active_j"] > 0 else 0.0,
    }
