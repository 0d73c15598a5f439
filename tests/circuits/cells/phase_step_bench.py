"""What a pulse into a resistor synapse does to the ring VCO behind it: a step of its phase, by weight and by arrival.

    step = phi(after) - phi(before) - f (t_after - t_before)      in cycles, f the rest frequency

measured on the rising edges of the oscillator, by straight lines through them before the pulse and long after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuronsim.circuits.cells.bench import Condition, simulate
from neuronsim.circuits.ngspice.waveform_measures import crossings
from neuronsim.errors import DataError, InputError

_PERIODS_BEFORE, _PERIODS_AFTER, _SETTLE = 5, 10, 6


def phase_steps(
    weights: Sequence[float],
    arrivals: Sequence[float] = (0.0, 0.5),
    *,
    bias_a: float = 8e-6,
    pull_ohm: float = 2.79e6,
    r_unit_ohm: float = 1.015e6,
    width_s: float = 2.114e-9,
    period_s: float = 2.114e-9,
    step_s: float = 29e-12,
    gate_m: float = 0.12e-6,
    condition: Condition | None = None,
) -> NDArray[np.float64]:
    """Phase steps in cycles, shape (weights, arrivals), of signed ``weights`` (unit weights).

    arrivals: start of the pulse within a period, in periods; pull_ohm: resistor from the control node to both rails, as two of
    twice its value; width_s: length of the pulse; period_s: about that of the oscillator, for the length of the run; gate_m:
    channel length of the inverter that loads the oscillator, as in the neuron.
    Raises InputError for no weights or a value that is not positive, DataError when ngspice gives no result or an oscillator
    stops.
    """
    sizes = {
        "bias_a": bias_a, "pull_ohm": pull_ohm, "r_unit_ohm": r_unit_ohm, "width_s": width_s, "period_s": period_s,
        "step_s": step_s, "gate_m": gate_m,
    }  # fmt: skip
    for name, value in sizes.items():
        if not value > 0:
            raise InputError(f"{name} = {value} must be positive")
    if not len(weights) or not len(arrivals):
        raise InputError("phase_steps needs at least one weight and one arrival")
    condition = condition or Condition()
    high, edge = condition.supply_v, 2 * step_s
    begin = (_SETTLE + _PERIODS_BEFORE) * period_s
    stop = begin + width_s + (_SETTLE + _PERIODS_AFTER + 1) * period_s
    lines, pairs = [], [(w, a) for w in weights for a in arrivals]
    for k, arrival in enumerate(arrivals):
        at = begin + arrival * period_s
        points = [(0.0, 0.0), (at - edge, 0.0), (at, high), (at + width_s - edge, high), (at + width_s, 0.0)]
        lines.append(f"Vin{k} in{k} 0 PWL(" + " ".join(f"{t:.6e} {v:.6g}" for t, v in points) + ")")
    for i, (weight, _) in enumerate(pairs):
        lines += [
            f"Ibias{i} vdd sum{i} {bias_a:.9g}",
            f"Xvco{i} sum{i} 0 a{i} b{i} c{i} vdd ring_vco vdd_v={high:.9g} dummy1=1e-21",
            f"Xout{i} a{i} y{i} vdd inverter l={gate_m:.9g}",  # loads the ring as in the neuron
            f"Rup{i} vdd sum{i} {2 * pull_ohm:.9g}",
            f"Rdown{i} sum{i} 0 {2 * pull_ohm:.9g}",
            f"Xsyn{i} in{i % len(arrivals)} sum{i} vdd resistor_synapse w={weight:.9g} r_unit={r_unit_ohm:.9g}",
        ]
    found = simulate(
        ("ring_vco", "inverter", "synapse"),
        lines,
        condition=condition,
        save=[f"v(a{i})" for i in range(len(pairs))],
        analysis=f".tran {step_s:.6g} {stop:.9g} 0 {step_s:.6g} uic",
    )
    steps = []
    for i, (_, arrival) in enumerate(pairs):
        edges = crossings(found["time"], found[f"a{i}"] - high / 2)
        at, count = begin + arrival * period_s, np.arange(edges.size)
        before = (edges > at - (_PERIODS_BEFORE + 0.5) * period_s) & (edges < at - edge)
        after = edges > at + width_s + _SETTLE * period_s
        if before.sum() < 2 or after.sum() < 2:
            raise DataError(f"an oscillator made {edges.size} edges: it does not run at {condition}")
        rate = np.polyfit(edges[after], count[after], 1)[0]
        steps.append(np.mean(count[after] - rate * edges[after]) - np.mean(count[before] - rate * edges[before]))
    return np.array(steps).reshape(len(weights), len(arrivals))
