"""Experiments of paper 003 as data: pretraining in full precision, quantized training with or without the noise adaptor."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neuronsim.artifacts.atomic_write import sha256_of
from neuronsim.errors import InputError, suggest

from .layer_specs import ConvertibleSpec

Phase = Literal["pretraining", "quantization"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Schedule(_Part):
    """SGD with momentum and weight decay (on weights only), cosine learning rate from ``lr`` to 0, per batch."""

    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=5e-4, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)


class Crop(_Part):
    """Random shift of up to ``shift_px`` whole pixels (empty corners 0), and mirroring of every second image on average."""

    shift_px: int = Field(default=0, ge=0)
    mirror: bool = False


class ConversionExperiment(_Part):
    """Everything that decides the weights of one converted network.

    ``pretraining`` has ReLU and max-pools; ``quantization`` starts from its weights with p + 1 activation levels and
    average-pools (paper 003, sections 5.1 and 5.3). ``train_images``: only so many training images, for short runs.
    """

    name: str = Field(min_length=1)
    description: str = ""
    data: Literal["mnist-5k", "digits", "mnist", "fashion-mnist", "cifar10"]
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
        return sha256_of(json.dumps(self.model_dump(mode="json", exclude=later), sort_keys=True))


def conversion_experiments() -> dict[str, Path]:
    """The experiments that ship with the package: name -> TOML file."""
    folder = Path(str(files("neuronsim.training.low_latency"))) / "experiments"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def conversion_experiment(name: str | Path) -> ConversionExperiment:
    """Read an experiment by the name of a shipped one, or from a TOML file.

    Raises InputError when there is none (with the nearest name), or naming file and field when it is not valid.
    """
    path = Path(name)
    if path.suffix != ".toml":
        known = conversion_experiments()
        if str(name) not in known:
            raise InputError(
                f"unknown experiment '{name}'.{suggest(str(name), known)} Or give the path of a .toml file."
            )
        path = known[str(name)]
    try:
        return ConversionExperiment.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError(f"no experiment file {path}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "experiment"
        raise InputError(f"{path}: field '{field}': {first['msg']} (got {first.get('input')!r:.60})") from None
