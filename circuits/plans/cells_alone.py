"""The cells of a neuron measured alone at corners, temperatures and supplies: ring VCO and digital synapse."""

from typing import ClassVar

from pydantic import Field

from ..cells.measurement import Measurement
from ..neuron.manifest import Manifest
from .cell import STEPS_PER_CYCLE, CellPlan, carrier_hz, conditions, required_cell
from .operating_grid import GridPlan


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
        cell = required_cell(manifest.cells.oscillator, self.kind, manifest, self.cell)
        values = manifest.checked(parameters)
        bias, pull = values[cell.bias], values[cell.pull]
        at = conditions(manifest, parameters, self.grid, self.kind)
        rest_hz = carrier_hz(manifest, values)
        # the bench's own length and step are those of 500 MHz
        pace = {} if rest_hz is None else {"hz_per_a": 0.8 * rest_hz / bias, "step_s": 1 / (STEPS_PER_CYCLE * rest_hz)}
        measurements = []
        for condition in at:
            reach = condition.supply_v / (2 * pull)
            currents = sorted(
                {float(f"{c:.9g}") for c in (*(bias * f for f in self.currents), bias - reach, bias + reach)}
            )
            measurements.append(
                Measurement(
                    plan=self.kind,
                    function="tuning_curve",
                    condition=condition,
                    arguments={
                        "currents_a": currents,
                        "noise_at_a": bias,
                        "gamma": self.gamma,
                        "resistance_ohm": pull,
                        **pace,
                    },
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
