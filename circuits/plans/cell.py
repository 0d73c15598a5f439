"""Plans that measure the cells of a neuron alone (circuits.cells) instead of the whole neuron."""

from abc import abstractmethod
from pathlib import PurePath
from typing import ClassVar, TypeVar

from neuronsim.errors import InputError

from ..cells.bench import Condition
from ..cells.measurement import Measurement
from ..deck.run import Run
from ..neuron.manifest import Manifest, netlist_folder
from .base import Plan
from .operating_grid import Grid

T = TypeVar("T")
#: largest time step of an oscillator's bench, as a part of a cycle of its carrier
STEPS_PER_CYCLE = 42


class CellPlan(Plan):
    """A plan without runs of the neuron: its measurements fill a table of their own in the dataset."""

    code: ClassVar[str] = "any"
    cell: ClassVar[str]

    def obstacle(self, manifest: Manifest) -> str | None:
        present = manifest.process is not None and getattr(manifest.cells, self.cell) is not None
        return super().obstacle(manifest) or (None if present else f"the manifest has no [cells] {self.cell}")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        """None. Raises InputError for a neuron that is not built of these cells."""
        self.measurements(manifest, parameters, seed)
        return []

    @abstractmethod
    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        """The measurements, drawn from ``seed`` alone. Raises InputError for a neuron without such a cell."""


def conditions(manifest: Manifest, parameters: dict[str, float], grid: Grid, kind: str) -> list[Condition]:
    """The conditions of a cell at the operating points of a grid, for plan ``kind``.

    Raises InputError where the cells do not exist in the manifest's process.
    """
    at = grid.points(manifest, parameters, kind)
    path = (manifest.folder / str(manifest.process)).resolve()
    if path.parent != (netlist_folder() / "models").resolve():
        raise InputError(f"plan '{kind}' measures the cells of netlists/cells, which have no models from {path.name}")
    return [
        Condition(
            process=PurePath(path).stem,
            corner=point.corner or "tt",
            temperature_c=point.temperature_c,
            supply_v=point.supply_v or 1.0,
        )
        for point in at
    ]


def carrier_hz(manifest: Manifest, values: dict[str, float]) -> float | None:
    """Rest frequency of the oscillators by the manifest's [time] carrier, or None."""
    return values[manifest.time.carrier] if manifest.time.carrier else None


def required_cell(cell: T | None, kind: str, manifest: Manifest, table: str) -> T:
    """``cell`` if the manifest has it. Raises InputError otherwise."""
    if cell is None:
        raise InputError(
            f"plan '{kind}' needs [cells] {table} in the manifest of {manifest.name} (see netlists/README.md)"
        )
    return cell
