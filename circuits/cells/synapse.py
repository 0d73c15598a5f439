"""Levels of the switched-resistor synapse: current against code, with integral and differential nonlinearity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bench import NOMINAL, Condition, simulate

FULL_SCALE = 15


@dataclass(frozen=True, kw_only=True)
class SynapseLevels:
    """Current into the summing node by code -15 to 15, shape (31,), and into it without a spike (``idle_a``).

    INL and DNL are in steps. Sourcing and sinking steps differ by (VDD - V_sum)/V_sum, so each sign has its own
    straight line through code 0 and its full scale.
    """

    code: NDArray[np.int64]
    current_a: NDArray[np.float64]
    idle_a: NDArray[np.float64]

    def step_a(self, sign: int) -> float:
        """Mean step of the positive (+1) or negative (-1) codes."""
        return float(self.current_a[self.code == sign * FULL_SCALE][0] / (sign * FULL_SCALE))

    @property
    def inl(self) -> NDArray[np.float64]:
        """Distance from the line, in steps, shape (31,)."""
        step = np.where(self.code < 0, self.step_a(-1), self.step_a(1))
        return self.current_a / step - self.code

    @property
    def dnl(self) -> NDArray[np.float64]:
        """Step from each code to the next minus one, in steps, shape (30,)."""
        return np.diff(self.inl)


def synapse_levels(
    *, summing_node_v: float = 0.5, r_lsb: float = 12e6, condition: Condition = NOMINAL
) -> SynapseLevels:
    """Operating-point currents of one synapse per code with its summing node held at ``summing_node_v``.

    Raises DataError when ngspice gives no result.
    """
    code = np.arange(-FULL_SCALE, FULL_SCALE + 1)
    lines = [f"Von on 0 {condition.supply_v:.9g}", "Voff off 0 0"]
    save = []
    for i, value in enumerate(code):
        for line in ("on", "off"):
            lines += [
                f"V{line}{i} {line}sum{i} 0 {summing_node_v:.9g}",
                f"X{line}{i} {line} {line}sum{i} vdd switched_resistor_synapse code={value} r_lsb={r_lsb:.9g} "
                f"vdd_v={condition.supply_v:.9g}",
            ]
            save.append(f"i(v{line}{i})")
    vectors = simulate(("synapse",), lines, condition=condition, save=save, analysis=".op")
    current = {line: np.array([vectors[f"v{line}{i}#branch"][0] for i in range(code.size)]) for line in ("on", "off")}
    return SynapseLevels(code=code, current_a=current["on"], idle_a=current["off"])
