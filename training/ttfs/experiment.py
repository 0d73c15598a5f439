"""Experiments as data: everything that decides the weights of a trained network, read from TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from neuronsim.atomic_write import sha256_of
from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale
from neuronsim.schema import Part, content_of, read_toml

from ..datasets.catalogue import DataName
from ..experiment_files import file_of, parse, shipped_files
from ..layer_specs import LayerSpec
from .experiment_sections import Augmentation, Encoding, Loss, NoiseAware, Optimizer, TrainingStage
from .network_library import declared_network


class Experiment(Part):
    """One training run. The last stage's resolution is the one that is deployed."""

    name: str = Field(min_length=1)
    description: str = ""
    data: DataName
    batch_size: int = Field(ge=1)
    seed: int = Field(default=0, ge=0)
    full_scale: FullScale = "neuron"
    ema: float | None = Field(
        default=None, gt=0, lt=1, description="decay per batch of the averaged weights; null: none"
    )
    encoding: Encoding = Encoding()
    loss: Loss = Loss()
    optimizer: Optimizer = Optimizer()
    augmentation: Augmentation = Augmentation()
    noise_aware: NoiseAware | None = None
    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    stages: tuple[TrainingStage, ...] = Field(min_length=1)

    @property
    def epochs(self) -> int:
        """Epochs of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def bits(self) -> int | None:
        """Deployed resolution."""
        return self.stages[-1].bits

    def stage_at(self, epoch: int) -> tuple[int, int]:
        """(stage, epoch within it) of a global epoch."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs:
                return number, epoch
            epoch -= stage.epochs
        raise InputError(f"the experiment has {self.epochs} epochs, there is no epoch {epoch + self.epochs}")

    def with_epochs(self, epochs: int) -> Experiment:
        """The same experiment shortened or lengthened: stages keep their proportions, at least one epoch each."""
        if epochs < len(self.stages):
            raise InputError(f"epochs = {epochs} is too few: '{self.name}' has {len(self.stages)} stages, one each")
        counts = [max(1, round(stage.epochs * epochs / self.epochs)) for stage in self.stages]
        while sum(counts) != epochs:
            largest = counts.index(max(counts))
            counts[largest] += 1 if sum(counts) < epochs else -1
        stages = tuple(stage.model_copy(update={"epochs": n}) for stage, n in zip(self.stages, counts, strict=True))
        return self.model_copy(update={"stages": stages})

    def digest(self) -> str:
        """SHA-256 over everything that changes the weights."""
        content = content_of(self.model_copy(update={"description": ""}))
        return sha256_of(json.dumps(content, sort_keys=True))


def shipped_experiments() -> dict[str, Path]:
    """The experiments that ship with the package: name -> TOML file."""
    return shipped_files("ttfs/experiments")


def load_experiment(name: str | Path) -> Experiment:
    """Read an experiment by the name of a shipped one, or from a TOML file.

    ``base = "NAME"`` in the file: the keys and tables it does not give itself are those of that experiment.
    ``network = "NAME"``: its layers are those of a declared network (:mod:`.network_library`).

    Raises InputError when there is none (with the nearest name), or naming file and field when it is not valid.
    """
    path, raw = _read(name)
    if (base := raw.pop("base", None)) is not None:
        raw = _read(str(base))[1] | raw  # one level only: the base must be whole itself
    return parse(Experiment, raw, path)


def _read(name: str | Path) -> tuple[Path, dict[str, Any]]:
    path = file_of(name, shipped_experiments())
    raw = read_toml(path, "experiment")
    if (network := raw.pop("network", None)) is not None:
        if "layers" in raw:
            raise InputError(f"{path}: 'network' and 'layers' contradict each other: give one of them")
        raw["layers"] = declared_network(str(network)).layers
    return path, raw
