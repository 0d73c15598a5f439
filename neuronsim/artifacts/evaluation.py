"""The evaluation file: accuracy of one trained network under stated conditions (written by ``training``, read by the report)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DataError, InputError
from .atomic_write import write_text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Part):
    """Accuracy under one condition. ``per_chip`` has one accuracy per frozen draw; interval: 95 %, of the mean over
    chips, chips and images both taken as samples (``neuronsim.statistics.crossed``; in older files the t interval over the
    chips), without chips the Wilson interval over the images. ``low``, ``high`` None: a single chip has no interval."""

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


class Evaluation(_Part):
    """Every condition of one evaluation, with what it was made from."""

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

    def save(self, path: Path | str) -> Path:
        """Write as JSON, whole or not at all."""
        return write_text(path, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def load(cls, path: Path | str) -> Evaluation:
        """Read and check. Raises InputError when missing, DataError when it is not an evaluation."""
        path = Path(path)
        if not path.is_file():
            raise InputError(f"no evaluation at {path}: make one with 'neuronsim evaluate RUN --card CARD'")
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not an evaluation file: {error}") from None

    def condition(self, name: str) -> Condition:
        """The condition of that name. Raises InputError when there is none."""
        for condition in self.conditions:
            if condition.name == name:
                return condition
        raise InputError(f"no condition '{name}'; there are {[c.name for c in self.conditions]}")
