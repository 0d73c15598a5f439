"""From a run to the SPICE deck, as one self-contained text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuronsim.errors import InputError

from . import noise, stimulus
from .manifest import CurrentNoise, Manifest
from .netlist import Netlist
from .operating import NOMINAL_C
from .run import Run
from .transistors import Transistor

ACCURATE = {"reltol": "1e-6", "abstol": "1e-15", "vntol": "1e-9", "chgtol": "1e-18"}
SAFER = {"reltol": "1e-4", "method": "gear", "itl1": "500", "itl4": "200", "gmin": "1e-11"}
DIGITAL = {"reltol": "1e-4"}
TRANSISTOR = {"reltol": "1e-3", "method": "trap"}
TRANSISTOR_FINE = {"reltol": "1e-4", "method": "trap"}
NOISE_STEPS_PER_UNIT = 20


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an engine gets: the deck, commands between loading and running it, and how to read spikes from its vectors.

    The simulation runs until ``t_start_s + t_stop_s``; its results are told from ``t_start_s`` on, as time zero.
    ``supplies``: vector of the current, volts, block it feeds. ``first_input_s``: start of the active window of a TTFS
    neuron (None for a rate neuron).
    """

    deck: str
    node: str
    reference: str | None
    level_v: float
    edge: str
    t_stop_s: float
    supplies: tuple[tuple[str, float, str], ...] = ()
    waveforms: tuple[str, ...] = ()
    t_start_s: float = 0.0
    first_input_s: float | None = None
    commands: tuple[str, ...] = ()


def _options(manifest: Manifest, run: Run, safer: bool) -> dict[str, str]:
    if safer:
        chosen = SAFER
    elif manifest.level == "transistor":
        chosen = TRANSISTOR_FINE if run.fine else TRANSISTOR
        if not manifest.time.carrier:
            # a spike is some fC: ngspice's own chgtol of 10 fC would let half of it go; at reltol = 1e-3 intervals scatter by
            # 4 to 8 % and are 5 to 15 % short, at 1e-4 by less than 0.1 %, for a third more time
            chosen = {**chosen, "reltol": "1e-5" if run.fine else "1e-4", "chgtol": "1e-17"}
        # with a carrier the largest step rules: steps chosen by the charge differ from cycle to cycle, which jitters the
        # phases more, at twice the cost; bypass=1 would save 15 % and shift spike times by 1 %
    else:
        chosen = DIGITAL if manifest.level == "switching" else ACCURATE
        chosen = {**chosen, "reltol": f"{float(chosen['reltol']) / 10:g}"} if run.fine else chosen
    if run.operating.temperature_c != NOMINAL_C:
        chosen = {**chosen, "temp": f"{run.operating.temperature_c:g}"}
    return chosen


def _header(manifest: Manifest, netlist: Netlist, options: dict[str, str], corner: dict[str, float]) -> list[str]:
    settings = " ".join(f"{key}={value}" for key, value in options.items())
    # a later .param of the same name replaces an earlier one, so these replace the neutral ones of the model file
    replaced = [f".param {name}={value:.12g}" for name, value in corner.items()]
    return [f"* {manifest.name}, made by neuronsim", netlist.text, *replaced, f".options {settings}"]


def _parameters(manifest: Manifest, values: dict[str, float], names: set[str]) -> str:
    return " ".join(f"{name}={values[name]:.12g}" for name in sorted(manifest.parameters) if name.lower() in names)


def _noise_source(manifest: Manifest, run: Run, values: dict[str, float], unit_s: float) -> str:
    spec = manifest.noise
    if run.noise_seed < 0:
        return "DC 0"
    rng = np.random.default_rng([run.noise_seed, 0x6E6F])
    if spec is None:
        raise InputError(f"{manifest.name} has no [noise] in its manifest: the plan cannot put noise into it")
    if isinstance(spec, CurrentNoise):
        density = values[spec.density] / math.sqrt(2.0)  # one-sided: the charge diffuses as sqrt(S t / 2)
    else:
        diffusion = noise.diffusion(
            carrier_hz=values[spec.carrier], kappa=values[spec.kappa], lead_rad=values[spec.lead]
        )
        density = diffusion * unit_s  # the noise port takes thresholds per unit of time
    step_s = run.noise_step_s if math.isfinite(run.noise_step_s) else unit_s / NOISE_STEPS_PER_UNIT
    window_s = lead_in_s(manifest, values) + run.window_s
    times, samples = noise.white_samples(rng, density=density, window_s=window_s, step_s=step_s)
    return stimulus.samples(times, samples)


def _input_sources(
    manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, netlist: Netlist
) -> list[str]:
    spec, synapse = manifest.stimulus, manifest.synapse
    start_s, high_v = lead_in_s(manifest, values), _high_v(manifest, values)
    if synapse is None:
        return [f"Iin 0 {spec.port} DC {run.current_a:.12g}"]
    ports, names = netlist.subcircuits[synapse.subcircuit.lower()]
    errors = run.weight_errors or (0.0,) * len(run.weights)
    lines = []
    for i, (time_s, weight, error) in enumerate(zip(run.times_s, run.weights, errors, strict=True)):
        if spec.kind == "step":
            source = stimulus.step(start_s + time_s, spec.edge * unit_s, spec.low_v, high_v)
        else:
            source = stimulus.pulse(start_s + time_s, spec.edge * unit_s, values[spec.width or ""], spec.low_v, high_v)
        nodes = " ".join(f"s{i}" if port == synapse.input.lower() else synapse.output for port in ports)
        shared = " ".join(f"{name}={values[name]:.12g}" for name in synapse.shares if name.lower() in names)
        lines += [f"Vs{i} s{i} 0 {source}"]
        lines += [f"Xs{i} {nodes} {synapse.subcircuit} {synapse.weight}={weight * (1 + error):.15g} {shared}".rstrip()]
    return lines


def lead_in_s(manifest: Manifest, values: dict[str, float]) -> float:
    """Time simulated before time zero, in seconds."""
    return manifest.time.lead_in * values[manifest.time.unit]


def _high_v(manifest: Manifest, values: dict[str, float]) -> float:
    high = manifest.stimulus.high_v
    return values[high] if isinstance(high, str) else high


def _reset_source(manifest: Manifest, values: dict[str, float], unit_s: float) -> str:
    start_s = lead_in_s(manifest, values)
    if not start_s:
        return "DC 0"
    high_v, fall_s = _high_v(manifest, values), 1e-3 * unit_s
    return f"PWL(0 {high_v:.9g} {start_s - fall_s:.12g} {high_v:.9g} {start_s:.12g} 0)"


def _threshold_source(manifest: Manifest, values: dict[str, float], unit_s: float) -> str:
    spec, width_s = manifest.stimulus, values[manifest.stimulus.width or ""]
    centre_s = lead_in_s(manifest, values) + width_s
    return stimulus.pulse(centre_s, spec.edge * unit_s, width_s, spec.low_v, _high_v(manifest, values))


def build(
    manifest: Manifest, netlist: Netlist, run: Run, *, safer: bool = False, transistors: Sequence[Transistor] = ()
) -> Job:
    """The deck of ``run``. ``safer`` uses options that converge more easily and half the largest time step.

    ``transistors``: those of this deck, needed when the run is on a chip (see circuits.transistors).
    Raises InputError for a parameter, corner, supply or chip that the manifest does not allow.
    """
    values = run.operating.supply_values(manifest, manifest.checked(run.parameters))
    unit_s = values[manifest.time.unit]
    max_step = unit_s / manifest.time.steps_per_unit
    if manifest.time.carrier and manifest.time.steps_per_cycle:
        max_step = min(max_step, 1.0 / (values[manifest.time.carrier] * manifest.time.steps_per_cycle))
    max_step *= 0.5 if safer or run.fine else 1.0
    start_s = lead_in_s(manifest, values)
    ports, names = netlist.subcircuits[manifest.subcircuit.lower()]
    lines = _header(manifest, netlist, _options(manifest, run, safer), run.operating.corner_values(manifest))
    lines += _input_sources(manifest, run, values, unit_s, netlist)
    lines += [f"Xneuron {' '.join(ports)} {manifest.subcircuit} {_parameters(manifest, values, names)}"]
    if manifest.stimulus.reset:
        lines += [f"Vreset {manifest.stimulus.reset} 0 {_reset_source(manifest, values, unit_s)}"]
    if manifest.stimulus.threshold:
        lines += [f"Vthreshold {manifest.stimulus.threshold} 0 {_threshold_source(manifest, values, unit_s)}"]
    if manifest.noise:
        lines += [f"Inoise 0 {manifest.noise.port} {_noise_source(manifest, run, values, unit_s)}"]
    supplies, currents = [], []
    for port, parameter in (manifest.energy.supplies if manifest.energy else {}).items():
        lines += [f"Vsupply_{port} {port} 0 DC {values[parameter]:.12g}"]
        supplies.append((f"vsupply_{port}#branch", values[parameter], port))
        currents.append(f"i(vsupply_{port})")
    if manifest.energy and manifest.synapse and manifest.synapse.supply:
        first = next(iter(manifest.energy.supplies.values()))
        for i in range(len(run.times_s)):
            inside = f"v.xs{i}.{manifest.synapse.supply.lower()}"
            supplies.append((f"{inside}#branch", values[first], "synapses"))
            currents.append(f"i({inside})")
    spike = manifest.spike
    saved = dict.fromkeys([spike.node, *([spike.reference] if spike.reference else []), *manifest.waveforms.nodes])
    lines += [".save " + " ".join([*(f"v({node})" for node in saved), *currents])]
    stop_s = start_s + run.window_s
    lines += [f".tran {max_step:.9g} {stop_s:.12g} {start_s:.12g} {max_step:.9g} uic", ".end"]
    shifts = run.operating.chip.threshold_shifts(manifest, transistors) if run.operating.chip else {}
    return Job(
        deck="\n".join(lines) + "\n",
        node=spike.node,
        reference=spike.reference,
        level_v=spike.level_v if spike.level_v is not None else math.nan,
        edge=spike.edge,
        t_stop_s=run.window_s,
        supplies=tuple(supplies),
        waveforms=manifest.waveforms.nodes,
        t_start_s=start_s,
        first_input_s=None if manifest.code == "rate" else min(run.times_s, default=math.inf),
        commands=tuple(f"alter @{name}[delvto]={shift:.9g}" for name, shift in shifts.items()),
    )
