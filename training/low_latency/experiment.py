"""Experiments of paper 003 as data: pretraining in full precision, quantized training with or without the noise adaptor."""

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from neuronsim.atomic_write import sha256_of
from neuronsim.schema import Part, content_of, read_toml

from ..datasets.catalogue import DataName
from ..experiment_files import file_of, parse, shipped_files
from ..layer_specs import ConvertibleSpec

Phase = Literal["pretraining", "quantization"]


class Schedule(Part):
    """SGD with momentum and weight decay (on weights only), cosine learning rate from ``lr`` to 0, per batch."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Crop(Part):
    """Random shift of up to ``shift_px`` whole pixels (empty corners 0), and mirroring of every second image on average."""

    shift_px: int = Field(default=0, ge=0)
    mirror: bool = False


class ConversionExperiment(Part):
    """Everything that decides the weights of one converted network.

    ``pretraining`` has ReLU and max-pools; ``quantization`` starts from its weights with p + 1 activation levels and
    average-pools (paper 003, sections 5.1 and 5.3). ``train_images``: only so many training images, for short runs.
    """

    name: str = Field(min_length=1)
    description: str = ""
    data: DataName
    train_images: int | None = Field(default=None, ge=1)
    batch_size: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    levels: int = Field(default=2, ge=1, description="p, the largest quantized activation in steps")
    adaptor: bool = True
    crop: Crop = Crop()
    pretraining: Schedule
    quantization: Schedule
    layers: tuple[ConvertibleSpec, ...] = Field(min_length=1)

    def schedule(self, phase: Phase) -> Schedule:
        """The schedule of a phase."""
        return self.pretraining if phase == "pretraining" else self.quantization

    def digest(self, phase: Phase) -> str:
        """SHA-256 over everything that changes the weights after ``phase``."""
        later = {"description", "quantization", "levels", "adaptor"} if phase == "pretraining" else {"description"}
        content = {name: value for name, value in content_of(self).items() if name not in later}
        return sha256_of(json.dumps(content, sort_keys=True))


def conversion_experiments() -> dict[str, Path]:
    """The experiments that ship with the package: name -> TOML file."""
    return shipped_files("low_latency/experiments")


def conversion_experiment(name: str | Path) -> ConversionExperiment:
    """Read an experiment by the name of a shipped one, or from a TOML file. Raises InputError as ``experiment_files`` does."""
    path = file_of(name, conversion_experiments())
    return parse(ConversionExperiment, read_toml(path, "experiment"), path)
