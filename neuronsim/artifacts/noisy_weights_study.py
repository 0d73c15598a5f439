"""Result file of ``neuronsim reproduce noisy-weights``: rate-coded networks under noisy synaptic weights (paper 000).

Beside every row stands what the paper prints for it (:mod:`neuronsim.papers.paper000`).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..schema import Part
from .base import JsonArtifact

Architecture = Literal["fc", "cnn"]
NAMES: dict[str, str] = {"fc": "784-1200-1200-10", "cnn": "28x28-12c5-2s-64c5-2s-10o"}


class Spread(Part):
    """Mean of ``n`` trials with the 95 % interval of the mean, their standard deviation, and the extremes.

    ``over``: "draws", t over the trials of one network; "networks", t over the means of several networks, whose trials share the
    network's own level; "images", a single trial, an accuracy's Wilson interval (times then have none).
    ``low``, ``high`` None: no interval.
    """

    n: int
    mean: float
    low: float | None
    high: float | None
    std: float
    least: float
    most: float
    over: Literal["draws", "networks", "images"] = "draws"


class Shorter(Part):
    """Convergence of the curve averaged over all trials, cut to its first ``steps`` steps; null: none in them."""

    steps: int
    accuracy: float
    convergence: int | None
    near: int | None
    within_1: int | None


class ChipDifference(Part):
    """SNN minus ANN accuracy under the same frozen draws: t interval over ``n`` chips, paired."""

    architecture: Architecture
    level: float
    n: int
    mean: float
    low: float | None
    high: float | None
    over: Literal["draws", "networks"] = "draws"


class Published(Part):
    """What paper 000 prints for one row; null where it prints nothing. Accuracies are fractions, times in steps of 1 ms."""

    accuracy: float | None = None
    accuracy_note: str = ""
    convergence: float | None = None
    convergence_std: float | None = None
    within_1: float | None = None
    within_1_std: float | None = None


class Row(Part):
    """One side at one noise level. Times in steps (1 ms in the paper); null: an ANN has none, or no trial converged."""

    architecture: Architecture
    side: Literal["ann", "snn"]
    noise: str = Field(
        description="temporal, frozen; for ANNs also what shares a draw; or a condition on a card's circuit"
    )
    scale: float = Field(description="threshold scale of the first hidden layer; 1 for an ANN")
    level: float = Field(description="standard deviation of the noise over the weight")
    accuracy: Spread
    convergence: Spread | None = None
    within_1: Spread | None = Field(default=None, description="first step within 1 % of the final accuracy")
    within_05: Spread | None = Field(default=None, description="first step within 0.5 % of the final accuracy")
    near: Spread | None = Field(
        default=None, description="from this step on within +-0.1 % (at least an image) of the final accuracy"
    )
    by_length: list[Shorter] = Field(default_factory=list, description="convergence as shorter runs would show it")
    n_images: int | None = Field(default=None, description="images of this row; null: the study's")
    not_converged: int = 0
    spikes: float | None = Field(default=None, description="spikes of all neurons per inference")
    events: float | None = Field(default=None, description="synaptic events per inference, inputs included")
    spike_energy_j: float | None = Field(
        default=None, description="neurons' energy per inference for spikes, by the card"
    )
    static_energy_j: float | None = Field(default=None, description="the same for static power")
    curve: list[float] = Field(default_factory=list, description="mean accuracy after each step of ``curve_steps``")
    paper: Published | None = None


class SnrPoint(Part):
    """Signal-to-noise ratio of the winning output's spike count over repeated inferences of the same images."""

    architecture: Architecture
    noise: Literal["temporal", "frozen"]
    level: float
    steps: int
    spikes: float = Field(description="mean spike count of the winning output")
    snr: float = Field(description="mean over standard deviation of the count, geometric mean over the images")
    low: float
    high: float


class Trained(Part):
    """One trained network."""

    architecture: Architecture
    seed: int
    epochs: int
    accuracy: float = Field(description="ANN on all test images")
    thresholds: list[float]
    weights_sha256: str


class NoisyWeights(JsonArtifact):
    """The whole reproduction."""

    noun: ClassVar[str] = "study of noisy weights"
    made_by: ClassVar[str] = "neuronsim reproduce noisy-weights"

    kind: Literal["noisy_weights_study"] = "noisy_weights_study"
    schema_version: Literal[1] = 1
    command: str
    data: str
    n_images: int
    steps: int
    trials: int
    encoding: str
    seed: int
    band: float = Field(description="half width of the range within which a converged accuracy stays")
    neuron: dict[str, str | float | bool | int]
    card: str | None = Field(default=None, description="neuron of the rate card that rows 'card...' stand on")
    card_digest: str | None = None
    card_edited: bool = False
    step_s: float | None = Field(default=None, description="length of a step on the card's circuit")
    curve_steps: list[int]
    networks: list[Trained]
    rows: list[Row]
    snr: list[SnrPoint]
    frozen: list[ChipDifference] = Field(default_factory=list)
    law: str = Field(default="proportional", description="standard deviation of the noise: of the weight")
    kernels: str = Field(default="unrolled", description="synapses of a convolution where the row does not say")
    jitter: str = Field(default="membrane", description="what the card's interval jitter acts on")

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        return [("model card", self.card_digest)] if self.card_digest else []

    def select(self, architecture: str, side: str, noise: str, scale: float = 1.0) -> list[Row]:
        """Rows of one curve in rising order of the level."""
        found = [
            r for r in self.rows if (r.architecture, r.side, r.noise, r.scale) == (architecture, side, noise, scale)
        ]
        return sorted(found, key=lambda row: row.level)


# (name, frozen mismatch, temporal jitter): networks on the neurons of a rate card, their weights exact
CARD_CONDITIONS = (
    ("card", True, True),
    ("card, frozen only", True, False),
    ("card, temporal only", False, True),
    ("card, no noise", False, False),
)
ANN_PAPER = "one draw per trial"
ANN_UNROLLED = "one draw per trial, unrolled"
ANN_SAMPLE = "one draw per inference"
SNN_SHARED = "temporal, shared kernel"
