"""The digital synapse alone: current levels, integral and differential nonlinearity."""

from typing import ClassVar

from ..cells.measurement import Measurement
from ..neuron.manifest import Manifest
from .cell import CellPlan, conditions, required_cell
from .operating_grid import GridPlan


class Synapse(GridPlan, CellPlan):
    """Current of every code at each corner, temperature and supply (fractions), the summing node held still."""

    kind: ClassVar[str] = "synapse"
    cell: ClassVar[str] = "synapse"
    summary: ClassVar[str] = "digital synapse alone: current levels, INL, DNL"

    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        cell = required_cell(manifest.cells.synapse, self.kind, manifest, self.cell)
        at = conditions(manifest, parameters, self.grid, self.kind)
        return [
            Measurement(
                plan=self.kind,
                function="synapse_levels",
                condition=condition,
                arguments={"r_lsb": cell.r_lsb, "summing_node_v": cell.summing_node_v},
            )
            for condition in at
        ]
