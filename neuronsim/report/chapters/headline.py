"""The figures a reader looks for first."""

from __future__ import annotations

from collections.abc import Sequence

from neuronsim.artifacts.base import Artifact
from neuronsim.artifacts.dataset import Characterization
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.units import accuracies, accuracy, percent, quantity

from ..page.elements import Note, Tiles

Tile = tuple[str, str, str]
_CONDITIONS = {
    "clean": "accuracy, clean",
    "quantized": "accuracy, {bits}-bit weights",
    "card": "accuracy under the card",
}


_CARD_ONLY = (
    "Accuracy under the card is a statement about the model card, not yet about the circuit: the card leaves out effects of "
    "the circuit (docs/measured.md lists them), and no network has been run in SPICE to confirm it."
)


def headline(artifacts: Sequence[Artifact]) -> list[Tiles | Note]:
    """Tiles: accuracy per condition (clean, quantized, card), held-out error of each card, number of SPICE runs."""
    datasets = [artifact.data for artifact in artifacts if isinstance(artifact, Characterization)]
    cards = [artifact for artifact in artifacts if isinstance(artifact, TTFSCard | RateCard)]
    evaluations = [artifact for artifact in artifacts if isinstance(artifact, Evaluation)]
    blocks: list[Tiles | Note] = []
    for e in evaluations:
        known = {c.name: c for c in e.conditions}
        tiles = [_accuracy(known[name], label) for name, label in _CONDITIONS.items() if name in known]
        if len(evaluations) > 1:
            blocks.append(Note(text=f"{e.experiment}, {e.n_images} images of {e.data}"))
        if tiles:
            blocks.append(Tiles(items=tiles))
        if "card" in known:
            blocks.append(Note(text=_CARD_ONLY))
    circuit = [tile for card in cards for tile in _card(card, f" ({card.neuron})" if len(cards) > 1 else "")]
    if datasets:
        total = sum(int(data.sizes["run"]) for data in datasets)
        failed = sum(int((data["status"].values != "ok").sum()) for data in datasets)
        neurons = ", ".join(dict.fromkeys(str(data.attrs["neuron"]) for data in datasets))
        circuit.append(("SPICE runs", f"{total:,}".replace(",", " "), f"{neurons}; {failed} failed"))
    return [*blocks, Tiles(items=circuit)] if circuit else blocks


def _card(card: TTFSCard | RateCard, name: str) -> list[Tile]:
    q = card.quality
    detail = f"median; p95 {percent(q.p95_error)} over {q.n_held_out} runs not used in the fit"
    tiles = [(f"held-out error of the card{name}", percent(q.median_error), detail)]
    if card.energy is not None:
        energy = quantity(card.energy.per_spike_j.value, "J")
        tiles.append((f"energy per spike{name}", energy, "from the supplies in SPICE"))
    return tiles


def _accuracy(condition: Condition, label: str) -> Tile:
    if condition.low is None:
        interval = "one chip: no interval"
    else:
        interval = f"95 % interval {accuracies(condition.low, condition.high)}"
        chips = len(condition.per_chip)
        interval += f"; {chips} chips, worst {accuracy(condition.worst)}" if chips > 1 else ""
    return label.format(bits=condition.bits), accuracy(condition.accuracy), interval
