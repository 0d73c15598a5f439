"""The block schematic of a neuron as its manifest draws it: what the datasheet shows first."""

from typing import Self

from pydantic import Field, model_validator

from neuronsim.schema import Part


class Schematic(Part):
    """``blocks``: name -> (column, row), row 0 on top; a name among the ports is drawn as a pin, others as boxes.

    ``wires``: "A -> B" or "A -> B: label", each an arrow.
    """

    blocks: dict[str, tuple[float, float]] = Field(min_length=2)
    wires: tuple[str, ...]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for wire, (first, last, _) in zip(self.wires, self.edges(), strict=True):
            for name in (first, last):
                if name not in self.blocks:
                    raise ValueError(f"wire '{wire}': '{name}' is not one of the blocks {list(self.blocks)}")
        return self

    def edges(self) -> list[tuple[str, str, str]]:
        """(from, to, label) of every wire. Raises ValueError for one without an arrow."""
        edges = []
        for wire in self.wires:
            ends, _, label = wire.partition(":")
            first, arrow, last = ends.partition("->")
            if not arrow:
                raise ValueError(f"wire '{wire}' is not 'A -> B' or 'A -> B: label'")
            edges.append((first.strip(), last.strip(), label.strip()))
        return edges
