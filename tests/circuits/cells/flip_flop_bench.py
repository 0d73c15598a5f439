"""Set-up time of the flip-flop: how long before the clock edge the data must be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.circuits.cells.bench import Condition, simulate
from neuronsim.circuits.ngspice.waveform_measures import crossings
from neuronsim.errors import InputError


@dataclass(frozen=True, kw_only=True)
class SetUp:
    """Shape (n,): data ahead of the clock edge in seconds, whether the output took it, and its delay after the clock edge
    (inf where it did not). ``set_up_s``: the least lead that was taken; ``clock_to_output_s``: the delay at the most.
    """

    lead_s: NDArray[np.float64]
    taken: NDArray[np.bool_]
    delay_s: NDArray[np.float64]

    @property
    def set_up_s(self) -> float:
        """Least lead from which on every rising data edge was taken; inf when the longest one was not."""
        missed = np.flatnonzero(~self.taken)
        first = int(missed[-1]) + 1 if missed.size else 0
        return float(self.lead_s[first]) if first < self.lead_s.size else np.inf

    @property
    def clock_to_output_s(self) -> float:
        """Delay from the clock edge to the output when the data were there long before."""
        return float(self.delay_s[-1])


def set_up_time(
    leads_s: Sequence[float] = tuple(1e-12 * np.array([-40, -20, -10, 0, 5, 10, 15, 20, 30, 40, 60, 100, 300])),
    *,
    edge_s: float = 20e-12,
    condition: Condition | None = None,
) -> SetUp:
    """Raise the data of one flip-flop per lead before a common rising clock edge; edges take ``edge_s``, all else scales with it.

    Raises InputError unless the leads rise, DataError when ngspice gives no result.
    """
    lead = np.asarray(leads_s, dtype=float)
    if lead.size < 2 or (np.diff(lead) <= 0).any():
        raise InputError("leads must be at least two rising times in seconds")
    condition = condition or Condition()
    volts, edge, clock = condition.supply_v, edge_s, 75 * edge_s
    lines = [
        f"Vclk clk 0 PULSE(0 {volts:.9g} {clock - edge / 2:.9g} {edge:g} {edge:g} {50 * edge:.9g})",
        f"Vrst rst 0 PWL(0 {volts:.9g} {15 * edge:.9g} {volts:.9g} {16 * edge:.9g} 0)",
    ]
    for i, value in enumerate(lead):
        lines += [
            f"Vd{i} d{i} 0 PULSE(0 {volts:.9g} {clock - value - edge / 2:.12g} {edge:g} {edge:g} {500 * edge:.9g})",
            f"Xff{i} d{i} clk rst q{i} qb{i} vdd flip_flop",
        ]
    analysis = f".tran {edge / 4:.9g} {120 * edge:.9g} 0 {edge / 4:.9g}"
    save = [f"v(q{i})" for i in range(lead.size)]
    wave = simulate(("flip_flop",), lines, condition=condition, save=save, analysis=analysis, reltol=1e-3)
    delay = np.full(lead.size, np.inf)
    for i in range(lead.size):
        edges = crossings(wave["time"], wave[f"q{i}"] - volts / 2)
        if edges.size and wave[f"q{i}"][-1] > 0.9 * volts:
            delay[i] = edges[0] - clock
    return SetUp(lead_s=lead, taken=np.isfinite(delay), delay_s=delay)
