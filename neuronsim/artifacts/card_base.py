"""What every model card has: the neuron, what could not be fitted, quality, provenance."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from .base import JsonArtifact
from .card_parts import Provenance, Quality


class ModelCard(JsonArtifact):
    """Base of all cards; ``ModelCard.load`` reads either kind. ``code``: how the neuron codes."""

    noun: ClassVar[str] = "model card"
    made_by: ClassVar[str] = "neuronsim calibrate DATASET"
    code: ClassVar[str]

    schema_version: Literal[1] = 1
    neuron: str
    not_fitted: dict[str, str] = Field(description="what the data could not support, and why")
    quality: Quality
    provenance: Provenance

    def made_from(self) -> list[tuple[str, str]]:
        """See the base class."""
        return [("dataset", self.provenance.dataset_digest)]

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"neurons": [self.neuron]}
