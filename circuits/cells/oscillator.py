"""Tuning curve of the ring VCO: frequency, control voltage and supply current against control current."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import InputError

from ..ngspice.waveform_measures import crossings
from .bench import NOMINAL, Condition, simulate

_CYCLES = 8  # of the slowest point, after the start


@dataclass(frozen=True, kw_only=True)
class TuningCurve:
    """All of shape (n,). A point that does not oscillate has a frequency of 0. ``supply_a`` includes the control current."""

    current_a: NDArray[np.float64]
    frequency_hz: NDArray[np.float64]
    control_v: NDArray[np.float64]
    supply_a: NDArray[np.float64]


def tuning_curve(
    currents_a: Sequence[float] = (5e-6, 7e-6, 8e-6, 9e-6, 12e-6),
    *,
    condition: Condition = NOMINAL,
    hz_per_a: float = 50e12,
    step_s: float = 50e-12,
) -> TuningCurve:
    """Simulate a ring VCO with one output inverter at each control current.

    hz_per_a: about the frequency over the current, rather too little, for the length of the run.
    Raises InputError unless the currents rise and are positive; DataError when ngspice gives no result.
    """
    current = np.asarray(currents_a, dtype=float)
    if current.ndim != 1 or current.size < 2 or current[0] <= 0 or (np.diff(current) <= 0).any():
        raise InputError(f"currents = {list(currents_a)} must be at least two rising positive currents in amperes")
    lines, save = [], []
    for i, value in enumerate(current):
        lines += [
            f"V{i} vdd supply{i} 0",
            f"I{i} supply{i} vc{i} {value:.9g}",
            f"Xvco{i} vc{i} 0 a{i} b{i} c{i} supply{i} ring_vco vdd_v={condition.supply_v:.9g} dummy1=1e-21",
            f"Xout{i} a{i} y{i} supply{i} inverter",
        ]
        save += [f"v(y{i})", f"v(vc{i})", f"i(v{i})"]
    slowest_hz = current[0] * hz_per_a
    start_s, stop_s = 4 / slowest_hz, (4 + _CYCLES) / slowest_hz
    analysis = f".tran {step_s:.6g} {stop_s:.9g} {start_s:.9g} {step_s:.6g} uic"
    wave = simulate(("ring_vco", "inverter"), lines, condition=condition, save=save, analysis=analysis, reltol=1e-3)
    time = wave["time"]
    frequency, control, supply = np.zeros(current.size), np.zeros(current.size), np.zeros(current.size)
    for i in range(current.size):
        edges = crossings(time, wave[f"y{i}"] - condition.supply_v / 2)
        if edges.size >= 3:
            frequency[i] = (edges.size - 1) / (edges[-1] - edges[0])
        span = time[-1] - time[0]
        control[i] = np.trapezoid(wave[f"vc{i}"], time) / span
        supply[i] = np.trapezoid(wave[f"v{i}#branch"], time) / span
    return TuningCurve(current_a=current, frequency_hz=frequency, control_v=control, supply_a=supply)
