"""Networks that experiments name (``network = "NAME"``): those of paper 004, table 1."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neuronsim.errors import InputError, suggest

from ..layer_specs import LayerSpec
from .network import TTFSNetwork


class DeclaredNetwork(BaseModel):
    """A network as data: its layers, the images it takes and what the paper says it weighs."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(min_length=1)
    description: str = ""
    input_shape: tuple[int, int, int] = Field(description="height, width, channels")
    n_classes: int = Field(ge=2)
    paper_weights: float | None = Field(default=None, gt=0, description="trainable weights according to the paper")
    layers: tuple[LayerSpec, ...] = Field(min_length=1)

    def build(self, generator: torch.Generator) -> TTFSNetwork:
        """The untrained network. Raises InputError when the layers do not fit each other."""
        return TTFSNetwork(self.layers, self.input_shape, self.n_classes, generator=generator)


def declared_networks() -> dict[str, Path]:
    """The networks that ship with the package: name -> TOML file."""
    folder = Path(str(files("neuronsim.training.ttfs"))) / "networks"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def declared_network(name: str) -> DeclaredNetwork:
    """Read a declared network by name. Raises InputError when there is none, or naming file and field that are not valid."""
    paths = declared_networks()
    if name not in paths:
        raise InputError(f"unknown network '{name}'.{suggest(name, paths)} Known: {', '.join(paths)}.")
    path = paths[name]
    try:
        return DeclaredNetwork.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} is not a readable TOML file: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: field '{'.'.join(map(str, first['loc']))}': {first['msg']}") from None
