"""Study files: accuracy or energy of trained networks over one sweep (written by ``training``, read by the report)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from pydantic import Field

from ..neuron.conductance_bank import FullScale
from ..schema import Part
from .base import JsonArtifact

Kind = Literal["quantization", "snr", "jitter", "card", "energy"]
TEMPORAL_ONLY = "temporal only"
"""Condition of a card study without mismatch: its draws are no chips."""
KINDS: tuple[Kind, ...] = get_args(Kind)


class Origin(Part):
    """One network of a study: a checkpoint of a run folder."""

    label: str
    experiment: str
    stage: int = Field(description="training stage whose best epoch it is, from 0")
    trained_bits: int | None = Field(description="weight resolution it was trained at; null: full precision")
    trained_card_digest: str | None = Field(description="card under whose noise it was trained; null: none")
    run_seed: int
    checkpoint: str
    checkpoint_sha256: str
    n_weights: int


class Point(Part):
    """Accuracy of one network at one level of one series.

    ``interval``, all 95 %: "images": Wilson interval over the images; "draws and images": of the mean over ``draws``, the
    accuracies of the single draws (chips, noise draws), draws and images both taken as samples
    (``neuronsim.statistics.crossed``).

    ``level``: bits, dB, or jitter, see ``Study.definition``.
    """

    network: str
    series: str
    level: float | None
    bits: int | None = Field(description="weight resolution; null: full precision")
    full_scale: FullScale
    accuracy: float
    low: float | None = Field(description="null: a single draw")
    high: float | None
    worst: float
    draws: list[float]
    interval: Literal["images", "draws and images"]
    silent_outputs: float = Field(description="fraction of images without any output spike")
    weight_snr_db: float | None = Field(default=None, description="10 log10(sum w^2 / sum (w' - w)^2) over all weights")
    out_of_range: float | None = Field(
        default=None,
        description="fraction of neuron evaluations outside the card's detector range; null: no detector, or limit not known",
    )


class Gain(Part):
    """Mean accuracy of ``network`` minus that of ``reference`` under the same card, with its 95 % interval.

    ``paired``: over the same chips, chip by chip (networks of equal layers). Interval: chips and images both taken as samples
    (``neuronsim.statistics.crossed``).
    """

    network: str
    reference: str
    condition: str
    mean: float
    low: float | None
    high: float | None
    chips: int
    paired: bool


class EnergyUse(Part):
    """Spikes and energy per inference of one network, mean over the images; definitions in ``neuronsim.training.ttfs.energy``."""

    network: str
    bits: int | None
    n_weights: int
    n_neurons: int
    sparsity: list[float] = Field(description="fraction of neurons that fired, per layer")
    mean_sparsity: float = Field(description="fired neurons over all neurons")
    input_spikes: float
    spikes: float = Field(description="spikes of neurons; inputs and biases not counted")
    spikes_by_decision: float = Field(description="those of them that come no later than the decision")
    synaptic_events: float = Field(description="spikes of inputs, biases and neurons times the synapses each drives")
    decision_tau: float
    rule_weights_j: float = Field(description="paper 004: weights x sparsity x energy per spike")
    rule_spikes_j: float = Field(description="spikes x energy per spike")
    rule_events_j: float = Field(description="synaptic events x energy per spike")
    card_spikes: float | None = None
    card_decision_tau: float | None = None
    card_window_tau: float | None = None
    card_active_j: float | None = None
    card_always_on_j: float | None = None
    card_chips: int = Field(default=1, description="chips that the means on the card are over")
    card_active_low_j: float | None = Field(default=None, description="95 % t interval of the mean over the chips")
    card_active_high_j: float | None = None
    card_always_on_low_j: float | None = None
    card_always_on_high_j: float | None = None
    card_static_share: float | None = Field(default=None, description="share of static power in card_active_j")


class Study(JsonArtifact):
    """Everything one sweep gave, with what it was made from."""

    noun: ClassVar[str] = "robustness study"
    made_by: ClassVar[str] = "neuronsim robustness RUN"

    kind: Literal["robustness_study"] = "robustness_study"
    schema_version: Literal[1] = 1
    study: Kind
    definition: str = Field(description="what the levels are")
    data: str = Field(description="name of the data set")
    data_source: str
    n_images: int
    seed: int
    card: str | None
    card_digest: str | None
    card_edited: bool
    networks: list[Origin]
    points: list[Point]
    gains: list[Gain]
    energy: list[EnergyUse]

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        card = [("model card", self.card_digest)] if self.card_digest else []
        return [*card, *(("checkpoint", network.checkpoint_sha256) for network in self.networks)]

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"experiments": [network.experiment for network in self.networks]}

    def order(self, path: Path) -> tuple[Any, ...]:
        """Folder by folder, the studies of each in the order of their kinds."""
        return (str(path.parent), KINDS.index(self.study))

    def repeats(self, point: Point) -> str:
        """What the draws of a point are: "chips", "temporal draws" (of one chip without mismatch), "noise draws"."""
        if self.study == "card":
            return "temporal draws" if point.series == TEMPORAL_ONLY else "chips"
        return "temporal draws" if self.study == "jitter" else "noise draws"

    def series(self, network: str, series: str, bits: int | Literal["any"] | None = "any") -> list[Point]:
        """The points of one curve in rising order of level (those without a level first)."""
        found = [p for p in self.points if p.network == network and p.series == series and bits in ("any", p.bits)]
        return sorted(found, key=lambda p: -1.0 if p.level is None else p.level)
