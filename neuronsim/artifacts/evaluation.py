"""The evaluation file: accuracy of one trained network under stated conditions (written by ``training``, read by the report)."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..errors import InputError
from ..schema import Part
from .base import JsonArtifact


class Condition(Part):
    """Accuracy under one condition. ``per_chip`` has one accuracy per frozen draw. Interval, 95 %: of the mean over chips, chips
    and images both taken as samples (``neuronsim.statistics.crossed``); without chips the Wilson interval over the images.
    ``low``, ``high`` None: a single chip has no interval."""

    name: str = Field(description="clean | quantized | card | any label of a sweep")
    bits: int | None
    noise_scale: float
    frozen: bool
    accuracy: float
    low: float | None
    high: float | None
    worst: float
    per_chip: list[float]
    silent_outputs: float = Field(description="fraction of images without any output spike")
    sparsity: list[float] = Field(description="fraction of neurons that fired, per layer")
    energy_per_inference_j: float | None
    out_of_range: float | None = Field(
        description="fraction of neuron evaluations outside the card's detector range; null: no detector, or limit not known"
    )


class Evaluation(JsonArtifact):
    """Every condition of one evaluation, with what it was made from."""

    noun: ClassVar[str] = "evaluation"
    made_by: ClassVar[str] = "neuronsim evaluate RUN --card CARD"

    kind: Literal["evaluation"] = "evaluation"
    schema_version: Literal[1] = 1
    experiment: str
    checkpoint: str
    checkpoint_sha256: str
    card: str | None
    card_digest: str | None
    card_edited: bool
    data: str
    n_images: int
    seed: int
    conditions: list[Condition]
    class_times_tau: list[float] = Field(
        description="decision times of the clean network, sample of at most 500 images"
    )
    confusion: list[list[int]] = Field(
        description="rows: true class; columns: decided class; clean network as deployed"
    )

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        card = [("model card", self.card_digest)] if self.card_digest else []
        return [*card, ("checkpoint", self.checkpoint_sha256)]

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"experiments": [self.experiment]}

    def condition(self, name: str) -> Condition:
        """The condition of that name. Raises InputError when there is none."""
        for condition in self.conditions:
            if condition.name == name:
                return condition
        raise InputError(f"no condition '{name}'; there are {[c.name for c in self.conditions]}")
