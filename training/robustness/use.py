"""The energy study: spikes and energy per inference of every deployed network, by rule and on a chip of the card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from neuronsim.card import TTFSCard
from neuronsim.studies import EnergyUse

from ..energy import PAPER_SPIKE_J, activity, card_energy, clock_window
from .subjects import Subject, Workbench
from .sweeps import Settings, chip
from .tasks import Task


def energy(found: Sequence[Subject], bench: Workbench, settings: Settings) -> list[Task]:
    """Per deployed network: one pass that counts spikes, and with a card one pass on chip 0 (the spread over chips is small)."""
    tasks = []
    for subject in (subject for subject in found if subject.final):
        scope = subject.experiment.full_scale
        tasks.append(
            Task(
                subject=subject,
                series="exact neurons",
                level=None,
                bits=subject.bits,
                scope=scope,
                draw=None,
                key=["activity", subject.bits, scope],
                compute=_counting(subject, bench),
            )
        )
        if settings.card is not None and settings.card.energy is not None:
            tasks.append(chip(subject, bench, settings, "card", True, True, 0))
    return tasks


def _counting(subject: Subject, bench: Workbench) -> Callable[[], dict[str, Any]]:
    def compute() -> dict[str, Any]:
        counted = vars(activity(bench.network(subject), bench.batches(subject)))
        return {**counted, "n": counted["n_images"]}

    return compute


def uses(tasks: Sequence[Task], results: Sequence[dict[str, Any]], card: TTFSCard | None) -> list[EnergyUse]:
    """The rows of the energy table."""
    found = []
    pairs = list(zip(tasks, results, strict=True))
    for task, counted in pairs:
        if task.series != "exact neurons":
            continue
        origin = task.subject.origin
        weights = origin.n_weights * counted["mean_sparsity"]
        on_card = next((r for t, r in pairs if t.subject is task.subject and t.series == "card"), None)
        counts = {name: value for name, value in counted.items() if name not in ("n", "n_images")}
        found.append(
            EnergyUse(
                network=origin.label,
                bits=task.bits,
                n_weights=origin.n_weights,
                rule_weights_j=weights * PAPER_SPIKE_J,
                rule_spikes_j=counted["spikes"] * PAPER_SPIKE_J,
                rule_events_j=counted["synaptic_events"] * PAPER_SPIKE_J,
                **counts,
                **_of_card(on_card, card),
            )
        )
    return found


def _of_card(trial: dict[str, Any] | None, card: TTFSCard | None) -> dict[str, Any]:
    if trial is None or card is None:
        return {}
    spikes, neurons, decision = trial["spikes"], trial["neurons"], trial["decision_tau"]
    window = clock_window(trial["slowest_tau"])
    active, always = card_energy(card, spikes, neurons, decision), card_energy(card, spikes, neurons, window)
    if active is None or always is None:
        return {}
    return {
        "card_spikes": spikes,
        "card_decision_tau": decision,
        "card_window_tau": window,
        "card_active_j": sum(active),
        "card_always_on_j": sum(always),
        "card_static_share": active[1] / sum(active) if sum(active) > 0 else 0.0,
    }
