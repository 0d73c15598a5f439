"""Conversion studies: accuracy of converted networks against the number of steps (``training`` writes, the report reads)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..schema import Part
from .base import JsonArtifact


class Converted(Part):
    """One spiking network: trained with one seed, with or without the adaptor, simulated once with one correction."""

    levels: int = Field(ge=1, description="p, the largest quantized activation in steps")
    adaptor: bool
    correction: Literal["none", "negative-spikes", "offset-spikes"]
    seed: int
    full_precision: float = Field(description="accuracy of the pretrained network (ReLU, max-pool)")
    ann: float = Field(description="accuracy of the quantized network, epsilon = 0")
    ann_noisy: float = Field(description="the same with epsilon drawn; equal to ann without the adaptor")
    times: tuple[int, ...]
    accuracy: tuple[float, ...] = Field(description="of the spiking network after each of the times")
    spikes_per_neuron: float = Field(description="spikes per neuron, image and step, over the whole run")
    checkpoint_sha256: str


class Mean(Part):
    """Mean accuracy over the seeds with its 95 % t interval. ``time`` None: the quantized ANN (epsilon = 0).

    ``low``, ``high`` None: a single seed has no interval.
    """

    levels: int
    adaptor: bool
    correction: str
    time: int | None
    mean: float
    low: float | None
    high: float | None
    n: int


class Difference(Part):
    """Accuracy with the adaptor minus that without, paired by seed (same pretrained network), with its 95 % t
    interval (None: one seed)."""

    levels: int
    correction: str
    time: int | None
    mean: float
    low: float | None
    high: float | None
    n: int


class ConversionStudy(JsonArtifact):
    """Everything ``neuronsim reproduce noise-adaptor`` gave, with what it was made from."""

    noun: ClassVar[str] = "conversion study"
    made_by: ClassVar[str] = "neuronsim reproduce noise-adaptor"

    kind: Literal["conversion_study"] = "conversion_study"
    schema_version: Literal[1] = 1
    experiment: str
    description: str
    data: str
    data_source: str
    n_train: int
    n_images: int = Field(description="test images")
    epochs: tuple[int, int] = Field(description="of the full-precision and of the quantized training")
    n_weights: int
    seeds: tuple[int, ...]
    quick: bool = Field(description="shortened: shows that everything runs, not what the method can do")
    command: str
    converted: list[Converted]
    means: list[Mean]
    differences: list[Difference]

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"experiments": [self.experiment]}

    def curve(self, levels: int, adaptor: bool, correction: str = "none") -> list[Mean]:
        """Means against time, in rising order of time, the ANN left out."""
        found = [m for m in self.means if (m.levels, m.adaptor, m.correction) == (levels, adaptor, correction)]
        return sorted((m for m in found if m.time is not None), key=lambda m: m.time or 0)
