"""Plans that measure the cells of a neuron alone (circuits.cells) instead of the whole neuron: ring VCO and digital synapse."""

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import Field

from neuronsim.errors import InputError

from ..cells.bench import Condition
from ..cells.measurement import Measurement
from ..deck.run import Run
from ..neuron.manifest import Manifest, netlist_folder
from .base import Plan
from .operating_points import Grid, GridPlan

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

    def own_cell(self, manifest: Manifest) -> Any:
        """The manifest's section of the cell. Raises InputError where it has none."""
        cell = getattr(manifest.cells, self.cell)
        if cell is None:
            raise InputError(
                f"plan '{self.kind}' needs [cells] {self.cell} in the manifest of {manifest.name} (see netlists/README.md)"
            )
        return cell

    def conditions(self, manifest: Manifest, parameters: dict[str, float], grid: Grid) -> list[Condition]:
        """The conditions of the cell at the operating points of a grid.

        Raises InputError where the cells do not exist in the manifest's process.
        """
        path = (manifest.folder / str(manifest.process)).resolve()
        points = grid.points(manifest, parameters, self.kind)
        if path.parent != (netlist_folder() / "models").resolve():
            raise InputError(
                f"plan '{self.kind}' measures the cells of netlists/cells, which have no models from {path.name}"
            )
        return [
            Condition(
                process=path.stem,
                corner=point.corner or "tt",
                temperature_c=point.temperature_c,
                supply_v=point.supply_v or 1.0,
            )
            for point in points
        ]


class Oscillator(GridPlan, CellPlan):
    """Frequency against control current at ``currents`` (multiples of the current at rest) and at the two ends of the lock
    range, rest +- supply/(2 pull), at each corner, temperature and supply (fractions).
    """

    kind: ClassVar[str] = "oscillator"
    cell: ClassVar[str] = "oscillator"
    summary: ClassVar[str] = "ring VCO alone: tuning curve, lock range, phase-noise estimate"
    currents: tuple[float, ...] = Field(
        default=(0.7, 0.85, 1.0, 1.15, 1.3), min_length=1, description="control currents, in multiples of that at rest"
    )
    gamma: float = Field(default=2 / 3, gt=0, le=5, description="excess noise factor: 2/3 for long channels")

    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        cell = self.own_cell(manifest)
        values = manifest.checked(parameters)
        bias, pull = values[cell.bias], values[cell.pull]
        rest_hz = values.get(manifest.time.carrier or "")
        # the bench's own length and step are those of 500 MHz
        pace = {} if rest_hz is None else {"hz_per_a": 0.8 * rest_hz / bias, "step_s": 1 / (STEPS_PER_CYCLE * rest_hz)}
        measurements = []
        for condition in self.conditions(manifest, parameters, self.grid):
            reach = condition.supply_v / (2 * pull)
            wanted = [*(bias * f for f in self.currents), bias - reach, bias + reach]
            currents = sorted({float(f"{current:.9g}") for current in wanted})
            arguments = {
                "currents_a": currents,
                "noise_at_a": bias,
                "gamma": self.gamma,
                "resistance_ohm": pull,
                **pace,
            }
            measurements.append(
                Measurement(
                    plan=self.kind,
                    function="tuning_curve",
                    condition=condition,
                    arguments=arguments,
                    labels={"rest_a": bias, "reach_a": reach},
                )
            )
        return measurements


class Synapse(GridPlan, CellPlan):
    """Current of every code at each corner, temperature and supply (fractions), the summing node held still."""

    kind: ClassVar[str] = "synapse"
    cell: ClassVar[str] = "synapse"
    summary: ClassVar[str] = "digital synapse alone: current levels, INL, DNL"

    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        cell = self.own_cell(manifest)
        return [
            Measurement(
                plan=self.kind,
                function="synapse_levels",
                condition=condition,
                arguments={"r_lsb": cell.r_lsb, "summing_node_v": cell.summing_node_v},
            )
            for condition in self.conditions(manifest, parameters, self.grid)
        ]


class Thermal(CellPlan):
    """Edges of ``oscillators`` ring VCOs side by side under seeded noise currents (see circuits.cells.jitter):

    - ``repeats`` draws at room temperature, the first of them again with half the time step;
    - the same deck without noise: its numerical floor;
    - one draw at each of ``powers`` times the noise power, and at each of ``temperatures_c``.
    """

    kind: ClassVar[str] = "thermal"
    cell: ClassVar[str] = "oscillator"
    summary: ClassVar[str] = "ring VCO under device noise: period jitter, kappa sqrt(t), numerical floor, scaling"
    oscillators: int = Field(default=4, ge=1, le=64, description="ring VCOs side by side in one run")
    cycles: int = Field(default=60, ge=20, le=5000, description="cycles of the oscillators in a run")
    repeats: int = Field(default=4, ge=1, le=1000, description="draws of the noise at room temperature")
    powers: tuple[float, ...] = Field(default=(4.0,), description="more draws at these multiples of the noise power")
    temperatures_c: tuple[float, ...] = Field(
        default=(-40.0, 125.0), description="more draws at these temperatures, in degrees Celsius"
    )
    step_s: float | None = Field(
        default=None,
        gt=0,
        le=1e-8,
        description="largest time step, in s; left out: 1/42 of a cycle of the manifest's carrier",
    )
    sample_s: float | None = Field(
        default=None, gt=0, le=1e-8, description="noise is white up to 1/(2 sample_s), in s; left out: 1/21 of a cycle"
    )
    gamma: float = Field(default=2 / 3, gt=0, le=5, description="excess noise factor: 2/3 for long channels")

    def measurements(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Measurement]:
        cell = self.own_cell(manifest)
        values = manifest.checked(parameters)
        grid = Grid(corners=("tt",), temperatures_c=(27.0, *self.temperatures_c))
        room, *others = self.conditions(manifest, parameters, grid)
        rest_hz = values.get(manifest.time.carrier or "") or 473e6
        step_s = self.step_s or 1 / (STEPS_PER_CYCLE * rest_hz)
        shared = {
            "oscillators": self.oscillators,
            "cycles": self.cycles,
            "bias_a": values[cell.bias],
            "resistance_ohm": values[cell.pull],
            "gamma": self.gamma,
            "period_s": 1.23 / rest_hz,
            "sample_s": self.sample_s or 2 / (STEPS_PER_CYCLE * rest_hz),
        }
        seeds = self.seeds(self.repeats, seed)
        cases = [(room, 1.0, s, step_s) for s in seeds]
        cases += [(room, 1.0, seeds[0], step_s / 2), (room, 0.0, seeds[0], step_s)]
        cases += [(room, power, seeds[0], step_s) for power in self.powers]
        cases += [(other, 1.0, seeds[0], step_s) for other in others]
        return [
            Measurement(
                plan=self.kind,
                function="noisy_edges",
                condition=condition,
                arguments={**shared, "power": power, "seed": one, "step_s": step},
                labels={"power": power, "seed": float(one), "step_s": step},
            )
            for condition, power, one, step in cases
        ]
