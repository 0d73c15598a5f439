"""The digital synapse alone: current levels, integral and differential nonlinearity."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ..manifest import Manifest
from ..measurement import Measurement
from .cell import CellPlan, cell_or_refuse, conditions


class Synapse(CellPlan):
    """Current of every code at each corner, temperature and supply (fractions), the summing node held still."""

    kind: ClassVar[str] = "synapse"
    cell: ClassVar[str] = "synapse"
    summary: ClassVar[str] = "digital synapse alone: current levels, INL, DNL"
    corners: tuple[str, ...] | None = Field(default=None, min_length=1)
    temperatures_c: tuple[float, ...] = Field(default=(-40.0, 27.0, 125.0), min_length=1)
    supplies: tuple[float, ...] = Field(default=(1.0,), min_length=1)

    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        """See the base class."""
        cell = cell_or_refuse(manifest.cells.synapse, self.kind, manifest, self.cell)
        at = conditions(
            manifest,
            parameters,
            kind=self.kind,
            corners=self.corners,
            temperatures_c=self.temperatures_c,
            supplies=self.supplies,
        )
        return [
            Measurement(
                plan=self.kind,
                function="synapse_levels",
                condition=condition,
                arguments={"r_lsb": cell.r_lsb, "summing_node_v": cell.summing_node_v},
            )
            for condition in at
        ]
