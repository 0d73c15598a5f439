"""Thermal noise of the ring VCO: accumulated jitter, its scaling, and how much of it is the simulator's."""

from typing import ClassVar

from pydantic import Field

from ..cells.measurement import Measurement
from ..neuron.manifest import Manifest
from .cell import STEPS_PER_CYCLE, CellPlan, carrier_hz, conditions, required_cell
from .operating_grid import Grid


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
        cell = required_cell(manifest.cells.oscillator, self.kind, manifest, self.cell)
        values = manifest.checked(parameters)
        room, *others = conditions(
            manifest, parameters, Grid(corners=("tt",), temperatures_c=(27.0, *self.temperatures_c)), self.kind
        )
        rest_hz = carrier_hz(manifest, values) or 473e6
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
