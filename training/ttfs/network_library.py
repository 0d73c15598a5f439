"""Networks that an experiment takes by name (``network = "NAME"``): those of paper 004, table 1."""

from pathlib import Path

import torch
from pydantic import Field

from neuronsim.schema import Part, read_toml

from ..experiment_files import file_of, parse, shipped_files
from ..layer_specs import LayerSpec
from .network import TTFSNetwork


class DeclaredNetwork(Part):
    """A network as data: its layers, the images it takes and what the paper says it weighs."""

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
    return shipped_files("ttfs/networks")


def declared_network(name: str) -> DeclaredNetwork:
    """Read a declared network by name, or from a TOML file. Raises InputError as ``experiment_files`` does."""
    path = file_of(name, declared_networks(), "network")
    return parse(DeclaredNetwork, read_toml(path, "experiment"), path)
