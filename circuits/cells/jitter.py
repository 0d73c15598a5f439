"""Thermal noise of the ring VCO: its noise currents from the operating point, and edges simulated under them.

The current of an edge comes through a mirror transistor, so the noise of the mirrors is what moves edges. With
S = 4 k T gamma gm (one-sided, A^2/Hz) of an n- and a p-channel mirror at the bias current I, and S_R = 4 k T/R of the
resistor at the control node, a source of white noise stands at

    each stage     (S_n + S_p)/2     half of the edges fall through n, half rise through p
    control node   S_n + S_R         the diode: moves all edges of all stages alike
    mirror node    S_n + S_p         copy and load: move the rising edges only, half of the delay

An edge is late by the integral of the noise current over it divided by I, so that sigma_t = kappa sqrt(t) with

    kappa^2 = [(S_n + S_p)/2 + (S_n + S_R) + (S_n + S_p)/4]/(2 I^2)

(after Abidi, Phase noise and jitter in CMOS ring oscillators, JSSC 2006). Sources are PWL currents of independent samples
with variance S/(2 sample_s), ngspice's own convention NA^2 = S/(2 NT): white up to 1/(2 sample_s).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann

from neuronsim.errors import DataError, InputError

from ..deck.pwl import samples
from ..ngspice.waveform_measures import crossings
from .bench import NOMINAL, Condition, simulate

_START_CYCLES = 4


@dataclass(frozen=True, kw_only=True)
class NoiseSources:
    """One-sided densities in A^2/Hz of the sources at each stage, the control node and the mirror node, at bias_a."""

    bias_a: float
    stage_a2_hz: float
    control_a2_hz: float
    mirror_a2_hz: float

    @property
    def kappa(self) -> float:
        """kappa of the module's equation, in square roots of a second."""
        total = self.stage_a2_hz + self.control_a2_hz + self.mirror_a2_hz / 4
        return float(np.sqrt(total / 2) / self.bias_a)


@dataclass(frozen=True, kw_only=True)
class NoisyEdges:
    """Rising edges in seconds, shape (oscillators, edges), of oscillators that differ in their noise only."""

    edge_s: NDArray[np.float64]
    sources: NoiseSources


def noise_sources(
    *,
    bias_a: float = 8e-6,
    resistance_ohm: float | None = None,
    gamma: float = 2 / 3,
    condition: Condition = NOMINAL,
) -> NoiseSources:
    """Densities of the ring VCO's noise from the transconductances at its operating point.

    gamma: 2/3 for long channels in saturation; resistance_ohm: resistor at the control node (None: none).
    Raises InputError for a value that is not positive, DataError when ngspice gives no result.
    """
    for name, value in (("bias_a", bias_a), ("gamma", gamma), ("resistance_ohm", resistance_ohm)):
        if value is not None and not value > 0:
            raise InputError(f"{name} = {value} must be positive")
    lines = [
        f"Ibias vdd vc {bias_a:.9g}",
        # reset holds the ring still: the bias branch has a proper operating point
        "Xvco vc vdd a b c vdd ring_vco",
    ]
    save = ["@m.xvco.xdiode.m1[gm]", "@m.xvco.xload.m1[gm]"]
    vectors = simulate(("ring_vco",), lines, condition=condition, save=save, analysis=".op")
    gm_n, gm_p = (float(np.abs(vectors[name][0])) for name in save)
    thermal = 4 * Boltzmann * (condition.temperature_c + 273.15)
    n, p = thermal * gamma * gm_n, thermal * gamma * gm_p
    return NoiseSources(
        bias_a=bias_a,
        stage_a2_hz=(n + p) / 2,
        control_a2_hz=n + (thermal / resistance_ohm if resistance_ohm else 0.0),
        mirror_a2_hz=n + p,
    )


def noisy_edges(
    *,
    oscillators: int = 8,
    cycles: int = 100,
    bias_a: float = 8e-6,
    resistance_ohm: float | None = None,
    gamma: float = 2 / 3,
    power: float = 1.0,
    seed: int = 0,
    period_s: float = 2.6e-9,
    sample_s: float = 100e-12,
    step_s: float = 50e-12,
    condition: Condition = NOMINAL,
) -> NoisyEdges:
    """Simulate ``oscillators`` ring VCOs side by side for ``cycles`` periods, each under noise of its own.

    period_s: about that of the oscillators, rather too long (slow corners), for the length of the run.
    power: factor on all densities; 0 is the same deck, with the same breakpoints, without noise: its numerical floor.
    The samples depend on seed and sample_s only, so the same noise can be simulated with a finer step_s.
    Raises InputError for a value out of range, DataError when ngspice gives no result or an oscillator stops.
    """
    if oscillators < 1 or cycles < 2 or power < 0 or not 0 < step_s <= sample_s:
        raise InputError(
            f"oscillators = {oscillators}, cycles = {cycles}, power = {power}, step_s = {step_s}, sample_s = {sample_s}: "
            "at least 1 oscillator and 2 cycles, power at least 0 and 0 < step_s <= sample_s are needed"
        )
    sources = noise_sources(bias_a=bias_a, resistance_ohm=resistance_ohm, gamma=gamma, condition=condition)
    stop_s = (_START_CYCLES + cycles) * period_s
    times = np.arange(0.0, stop_s + sample_s, sample_s)
    rng = np.random.default_rng([seed, 0x7E6D])
    lines, save = [], []
    densities = [sources.stage_a2_hz] * 3 + [sources.control_a2_hz, sources.mirror_a2_hz]
    for i in range(oscillators):
        lines += [
            f"I{i} vdd vc{i} {bias_a:.9g}",
            f"Xvco{i} vc{i} 0 a{i} b{i} c{i} vdd ring_vco vdd_v={condition.supply_v:.9g} dummy1=1e-21",
            f"Xout{i} a{i} y{i} vdd inverter",
        ]
        for k, (node, density) in enumerate(
            zip((f"a{i}", f"b{i}", f"c{i}", f"vc{i}", f"xvco{i}.pb"), densities, strict=True)
        ):
            current = rng.standard_normal(times.size) * np.sqrt(power * density / (2 * sample_s))
            lines.append(f"Inoise{i}_{k} 0 {node} {samples(times, current)}")
        save.append(f"v(y{i})")
    analysis = f".tran {step_s:.6g} {stop_s:.9g} {_START_CYCLES * period_s:.9g} {step_s:.6g} uic"
    wave = simulate(("ring_vco", "inverter"), lines, condition=condition, save=save, analysis=analysis, reltol=1e-4)
    edges = [crossings(wave["time"], wave[f"y{i}"] - condition.supply_v / 2) for i in range(oscillators)]
    fewest = min(e.size for e in edges)
    if fewest < cycles / 2:
        raise DataError(
            f"an oscillator made {fewest} edges where {cycles} were expected: it does not run at {condition}"
        )
    return NoisyEdges(edge_s=np.stack([e[:fewest] for e in edges]), sources=sources)
