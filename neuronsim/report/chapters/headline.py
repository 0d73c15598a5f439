"""The figures a reader looks for first."""

from __future__ import annotations

from collections.abc import Sequence

from neuronsim.artifacts.base import Artifact
from neuronsim.artifacts.dataset import Characterization
from neuronsim.artifacts.evaluation import Condition, Evaluation
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError
from neuronsim.units import accuracies, accuracy, percent, quantity

from ..page.elements import Note, Tiles

Tile = tuple[str, str, str]


def headline(artifacts: Sequence[Artifact]) -> list[Tiles | Note]:
    """Tiles: accuracy per condition (clean, quantized, card), held-out error of each card, number of SPICE runs."""
    datasets = [artifact.data for artifact in artifacts if isinstance(artifact, Characterization)]
    cards = [artifact for artifact in artifacts if isinstance(artifact, TTFSCard | RateCard)]
    evaluations = [artifact for artifact in artifacts if isinstance(artifact, Evaluation)]
    blocks: list[Tiles | Note] = []
    for evaluation in evaluations:
        tiles = [tile for name in ("clean", "quantized", "card") if (tile := _accuracy(evaluation, name)) is not None]
        if len(evaluations) > 1:
            blocks.append(Note(text=f"{evaluation.experiment}, {evaluation.n_images} images of {evaluation.data}"))
        if tiles:
            blocks.append(Tiles(items=tiles))
    circuit: list[Tile] = []
    for card in cards:
        q = card.quality
        name = f" ({card.neuron})" if len(cards) > 1 else ""
        circuit.append(
            (
                f"held-out error of the card{name}",
                percent(q.median_error),
                f"median; p95 {percent(q.p95_error)} over {q.n_held_out} runs not used in the fit",
            )
        )
        if card.energy is not None:
            circuit.append(
                (f"energy per spike{name}", quantity(card.energy.per_spike_j.value, "J"), "from the supplies in SPICE")
            )
    if datasets:
        total = sum(int(data.sizes["run"]) for data in datasets)
        failed = sum(int((data["status"].values != "ok").sum()) for data in datasets)
        neurons = ", ".join(dict.fromkeys(str(data.attrs["neuron"]) for data in datasets))
        circuit.append(("SPICE runs", f"{total:,}".replace(",", " "), f"{neurons}; {failed} failed"))
    if circuit:
        blocks.append(Tiles(items=circuit))
    return blocks


def _accuracy(evaluation: Evaluation, name: str) -> Tile | None:
    try:
        condition = evaluation.condition(name)
    except InputError:
        return None
    label = {
        "clean": "accuracy, clean",
        "quantized": f"accuracy, {condition.bits}-bit weights",
        "card": "accuracy under the card",
    }[name]
    return label, accuracy(condition.accuracy), _interval(condition)


def _interval(condition: Condition) -> str:
    if condition.low is None:
        return "one chip: no interval"
    text = f"95 % interval {accuracies(condition.low, condition.high)}"
    chips = len(condition.per_chip)
    return f"{text}; {chips} chips, worst {accuracy(condition.worst)}" if chips > 1 else text
