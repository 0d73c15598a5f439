"""The XOR as a phase detector: mean output against the phase between its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.circuits.cells.bench import Condition, simulate

_CYCLES = 3


@dataclass(frozen=True, kw_only=True)
class DetectorCharacteristic:
    """Shape (n,): phase of the first input ahead of the second in rad, and the mean output over the supply voltage.

    An ideal XOR has a duty of |phase|/pi between -pi and pi: linear within pi/2 of its rest point at pi/2.
    """

    phase_rad: NDArray[np.float64]
    duty: NDArray[np.float64]

    @property
    def worst_error(self) -> float:
        """Largest distance of the duty from the ideal triangle."""
        return float(np.abs(self.duty - np.abs(self.phase_rad) / np.pi).max())


def detector_characteristic(
    phases_rad: Sequence[float] = tuple(np.pi * np.array([-0.5, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])),
    *,
    frequency_hz: float = 500e6,
    condition: Condition | None = None,
) -> DetectorCharacteristic:
    """Simulate the XOR with two square waves through its own input inverters at each phase (within -pi and pi).

    Raises DataError when ngspice gives no result.
    """
    condition = condition or Condition()
    phase, period, volts = np.asarray(phases_rad, dtype=float), 1.0 / frequency_hz, condition.supply_v
    edge = 0.02 * period
    lines, save = [], []
    for i, lead in enumerate(phase):
        for name, delay in (("a", 1.0 - lead / (2 * np.pi)), ("b", 1.0)):
            shape = (
                f"PULSE(0 {volts:.9g} {delay * period:.9g} {edge:.6g} {edge:.6g} {period / 2 - edge:.9g} {period:.9g})"
            )
            lines += [
                f"V{name}{i} {name}{i} 0 {shape}",
                f"X{name}1{i} {name}{i} {name}n{i} vdd inverter",
                f"X{name}2{i} {name}n{i} {name}p{i} vdd inverter",
            ]
        lines += [f"Xxor{i} ap{i} an{i} bp{i} bn{i} y{i} vdd xor", f"Cy{i} y{i} 0 1f"]
        save.append(f"v(y{i})")
    stop, step = (2 + _CYCLES) * period, 0.01 * period
    analysis = f".tran {step:.6g} {stop:.9g} {2 * period:.9g} {step:.6g}"
    wave = simulate(("xor",), lines, condition=condition, save=save, analysis=analysis, reltol=1e-3)
    time = wave["time"]
    span = time[-1] - time[0]
    duty = [np.trapezoid(wave[f"y{i}"], time) / span / volts for i in range(phase.size)]
    return DetectorCharacteristic(phase_rad=phase, duty=np.array(duty))
