"""From a run to the SPICE deck, as one self-contained text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..neuron.manifest import Manifest
from ..neuron.netlist import Netlist
from ..neuron.trim_step import TrimStep
from .operating_point import NOMINAL_C, OperatingPoint
from .run import Run
from .sources import input_sources, noise_sources, reset_source, threshold_source
from .transistors import Transistor

ACCURATE = {"reltol": "1e-6", "abstol": "1e-15", "vntol": "1e-9", "chgtol": "1e-18"}
SAFER = {"reltol": "1e-4", "method": "gear", "itl1": "500", "itl4": "200", "gmin": "1e-11"}
DIGITAL = {"reltol": "1e-4"}
TRANSISTOR = {"reltol": "1e-3", "method": "trap"}
TRANSISTOR_FINE = {"reltol": "1e-4", "method": "trap"}
#: a run from a settled state begins this long before time zero, in time units, and half an input pulse: the reset falls
#: within the last 1e-3, and an input at time zero is as wide as any
SETTLED_LEAD = 4e-3
#: weights of the idle synapses in a lead-in
IDLE_WEIGHTS = (1.0, -1.0)
#: initial conditions of a netlist, as statements and on elements
_STATEMENT = re.compile(r"^[ \t]*\.ic\b.*\n(?:\+.*\n)*", re.IGNORECASE | re.MULTILINE)
_ON_ELEMENT = re.compile(r"^([ \t]*[cdjmq]\S*\s.*?)\s+ic\s*=\s*(?:\{[^}]*\}|'[^']*'|\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Job:
    """What an engine gets: the deck, commands between loading and running it, and how to read spikes from its vectors.

    The simulation runs until ``t_start_s + t_stop_s``; its results are told from ``t_start_s`` on, as time zero.
    ``supplies``: vector of the current, volts, block it feeds. ``first_input_s``: start of the active window of a TTFS
    neuron (None for a rate neuron). ``final``: keep every node voltage at the end. ``counted``: nodes whose frequency is asked.
    ``steps``: least number of time steps, by which long runs are told from short ones.
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
    final: bool = False
    counted: tuple[str, ...] = ()
    steps: float = 0.0


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


def _header(manifest: Manifest, netlist: Netlist, options: dict[str, str], operating: OperatingPoint) -> list[str]:
    settings = " ".join(f"{key}={value}" for key, value in options.items())
    text = netlist.with_models(operating.library_sections(manifest))
    # a later .param of the same name replaces an earlier one, so these replace the neutral ones of the model file
    replaced = [f".param {name}={value:.12g}" for name, value in operating.corner_values(manifest).items()]
    return [f"* {manifest.name}, made by neuronsim", text, *replaced, f".options {settings}"]


def _parameters(manifest: Manifest, values: dict[str, float], names: set[str]) -> str:
    return " ".join(f"{name}={values[name]:.12g}" for name in sorted(manifest.parameters) if name.lower() in names)


def lead_in_s(manifest: Manifest, values: dict[str, float]) -> float:
    """Time simulated before time zero, in seconds."""
    return manifest.time.lead_in * values[manifest.time.unit]


def _initial_conditions(manifest: Manifest, run: Run, settled: Mapping[str, float]) -> list[str]:
    """The settled voltage of every node; the inside of each synapse is that of the idle one of its sign in the lead-in."""
    nodes: dict[str, float] = {}
    of_sign = {f"xs{k}": weight < 0 for k, weight in enumerate(IDLE_WEIGHTS)}
    inputs = {f"s{k}" for k in range(len(IDLE_WEIGHTS))}
    for name, volts in settled.items():
        instance, _, inside = name.partition(".")
        if inside and instance in of_sign:
            same = [i for i, weight in enumerate(run.weights) if (weight < 0) == of_sign[instance]]
            nodes |= {f"xs{i}.{inside}": volts for i in same}
        elif name not in inputs:
            nodes[name] = volts
    return [f".ic v({name})={volts:.9g}" for name, volts in nodes.items()]


def _circuit(
    manifest: Manifest,
    netlist: Netlist,
    run: Run,
    values: dict[str, float],
    *,
    safer: bool,
    start_s: float,
    stop_s: float,
    settled: Mapping[str, float] | None,
    hold: Mapping[str, float] | None = None,
) -> tuple[list[str], float]:
    """Lines of the deck but for what is saved, the analysis and the supplies, and the largest time step.

    ``hold``: ports at a fixed voltage, reset and threshold pulse among them; None: these do what they do in a run.
    """
    unit_s = values[manifest.time.unit]
    max_step = unit_s / manifest.time.steps_per_unit
    if manifest.time.carrier and manifest.time.steps_per_cycle:
        max_step = min(max_step, 1.0 / (values[manifest.time.carrier] * manifest.time.steps_per_cycle))
    max_step *= 0.5 if safer or run.fine else 1.0
    ports, names = netlist.subcircuits[manifest.subcircuit.lower()]
    text = (
        netlist
        if settled is None
        else replace(netlist, text=_ON_ELEMENT.sub(r"\1", _STATEMENT.sub("", netlist.text + "\n")))
    )
    lines = _header(manifest, text, _options(manifest, run, safer), run.operating)
    lines += [] if settled is None else _initial_conditions(manifest, run, settled)
    lines += input_sources(manifest, run, values, unit_s, netlist, start_s)
    lines += [f"Xneuron {' '.join(ports)} {manifest.subcircuit} {_parameters(manifest, values, names)}"]
    if hold is not None:
        return [*lines, *(f"Vhold_{port} {port} 0 DC {volts:.12g}" for port, volts in hold.items())], max_step
    if manifest.stimulus.reset:
        reset = reset_source(manifest, run, values, unit_s, start_s, stop_s)
        lines += [f"Vreset {manifest.stimulus.reset} 0 {reset}"]
    if manifest.stimulus.threshold:
        pulse = threshold_source(manifest, run, values, unit_s, start_s)
        lines += [f"Vthreshold {manifest.stimulus.threshold} 0 {pulse}"]
    for k, (port, source) in enumerate(noise_sources(manifest, run, values, unit_s, start_s)):
        lines += [f"Inoise{k or ''} 0 {port} {source}"]
    return lines, max_step


def _commands(manifest: Manifest, run: Run, transistors: Sequence[Transistor]) -> tuple[str, ...]:
    shifts = run.operating.chip.threshold_shifts(manifest, transistors) if run.operating.chip else {}
    return tuple(f"alter @{name}[delvto]={shift:.9g}" for name, shift in shifts.items())


def build_lead_in(manifest: Manifest, netlist: Netlist, run: Run, *, transistors: Sequence[Transistor] = ()) -> Job:
    """The deck of the lead-in of ``run`` alone, with its idle synapses: its node voltages at the end start other runs."""
    values = run.operating.supply_values(manifest, manifest.checked(run.parameters))
    start_s = lead_in_s(manifest, values)
    lines, max_step = _circuit(
        manifest, netlist, run, values, safer=False, start_s=start_s, stop_s=start_s, settled=None
    )
    for port, parameter in (manifest.energy.supplies if manifest.energy else {}).items():
        lines += [f"Vsupply_{port} {port} 0 DC {values[parameter]:.12g}"]
    last_s = start_s - values[manifest.time.unit] / 4  # nothing but the last values is read
    lines += [".save all", f".tran {max_step:.9g} {start_s:.12g} {last_s:.12g} {max_step:.9g} uic", ".end"]
    return Job(
        deck="\n".join(lines) + "\n",
        node=manifest.spike.node,
        reference=manifest.spike.reference,
        level_v=manifest.spike.level_v if manifest.spike.level_v is not None else math.nan,
        edge=manifest.spike.edge,
        t_stop_s=start_s,
        commands=_commands(manifest, run, transistors),
        final=True,
        steps=start_s / max_step,
    )


def build_count(
    manifest: Manifest, netlist: Netlist, run: Run, step: TrimStep, *, transistors: Sequence[Transistor] = ()
) -> Job:
    """The deck that counts the oscillators of a step of trimming, with the parameters and at the operating point of ``run``."""
    values = run.operating.supply_values(manifest, manifest.checked(run.parameters))
    supplies = manifest.energy.supplies if manifest.energy else {}
    volts = {port: values[parameter] for port, parameter in supplies.items()}
    first_v, unit_s = next(iter(volts.values())), values[manifest.time.unit]
    low = dict.fromkeys(
        [p for p in (manifest.stimulus.reset, manifest.stimulus.threshold) if p], manifest.stimulus.low_v
    )
    hold = {**low, **volts, **{port: fraction * first_v for port, fraction in step.hold.items()}}
    start_s, watch_s = step.lead * unit_s, step.watch * unit_s
    lines, max_step = _circuit(
        manifest, netlist, run, values, safer=False, start_s=start_s, stop_s=start_s + watch_s, settled=None, hold=hold
    )
    nodes = tuple(node if node in manifest.ports else f"xneuron.{node}".lower() for node in step.nodes)
    lines += [".save " + " ".join(f"v({node})" for node in nodes)]
    lines += [f".tran {max_step:.9g} {start_s + watch_s:.12g} {start_s:.12g} {max_step:.9g} uic", ".end"]
    return Job(
        deck="\n".join(lines) + "\n",
        node=nodes[0],
        reference=None,
        level_v=first_v / 2,
        edge="rising",
        t_stop_s=watch_s,
        t_start_s=start_s,
        commands=_commands(manifest, run, transistors),
        counted=nodes,
        steps=(start_s + watch_s) / max_step,
    )


def build(
    manifest: Manifest,
    netlist: Netlist,
    run: Run,
    *,
    safer: bool = False,
    transistors: Sequence[Transistor] = (),
    settled: Mapping[str, float] | None = None,
) -> Job:
    """The deck of ``run``. ``safer`` uses options that converge more easily and half the largest time step.

    ``transistors``: those of this deck, needed when the run is on a chip (see neuronsim.circuits.deck.transistors).
    ``settled``: node
    voltages at the end of the lead-in (see neuronsim.circuits.campaign.lead_in); None: the lead-in is simulated.
    Raises InputError for a parameter, corner, supply or chip that the manifest does not allow.
    """
    values = run.operating.supply_values(manifest, manifest.checked(run.parameters))
    start_s = lead_in_s(manifest, values)
    if settled is not None:
        width_s = values[manifest.stimulus.width] if manifest.stimulus.width else 0.0
        start_s = SETTLED_LEAD * values[manifest.time.unit] + width_s / 2
    stop_s = start_s + run.window_s
    lines, max_step = _circuit(
        manifest, netlist, run, values, safer=safer, start_s=start_s, stop_s=stop_s, settled=settled
    )
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
    lines += [f".tran {max_step:.9g} {stop_s:.12g} {start_s:.12g} {max_step:.9g} uic", ".end"]
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
        commands=_commands(manifest, run, transistors),
        steps=stop_s / max_step,
    )
