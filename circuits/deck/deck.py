"""From a resolved run to the SPICE deck, as one self-contained text: the run, its lead-in alone, or a count of oscillators."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..neuron.netlist import Netlist, with_models
from ..neuron.trim_step import TrimStep
from .initial_conditions import initial_conditions, without_initial_conditions
from .job import Job
from .resolved import Resolved
from .sources import input_sources, noise_sources, pulse, reset_source
from .transistors import Transistor

#: a run from a settled state begins this long before time zero, in time units, and half an input pulse: the reset falls
#: within the last 1e-3, and an input at time zero is as wide as any
SETTLED_LEAD = 4e-3


def build(
    resolved: Resolved,
    netlist: Netlist,
    *,
    transistors: Sequence[Transistor] = (),
    settled: Mapping[str, float] | None = None,
) -> Job:
    """The deck of a run.

    ``transistors``: those of this deck, needed when the run is on a chip (see neuronsim.circuits.deck.transistors).
    ``settled``: node voltages at the end of the lead-in (see neuronsim.circuits.campaign.lead_in); None: the lead-in is
    simulated. Raises InputError for a corner, a chip or noise that the manifest does not allow.
    """
    manifest, run = resolved.manifest, resolved.run
    start_s = resolved.lead_in_s if settled is None else SETTLED_LEAD * resolved.unit_s + resolved.width_s / 2
    stop_s = start_s + run.window_s
    lines = [*_circuit(resolved, netlist, start_s, settled), *_stimulated(resolved, start_s, stop_s)]
    lines += _supplies(resolved)
    supplies = [(f"vsupply_{port}", volts, port) for port, volts in resolved.supplies_v.items()]
    if resolved.supply_v is not None and manifest.synapse and manifest.synapse.supply:
        inside = manifest.synapse.supply.lower()
        supplies += [(f"v.xs{i}.{inside}", resolved.supply_v, "synapses") for i in range(len(run.spikes.times_s))]
    spike = manifest.spike
    nodes = dict.fromkeys([spike.node, *([spike.reference] if spike.reference else []), *manifest.waveforms.nodes])
    return _job(
        resolved,
        lines,
        save=[*(f"v({node})" for node in nodes), *(f"i({source})" for source, _, _ in supplies)],
        stop_s=stop_s,
        keep_from_s=start_s,
        transistors=transistors,
        t_stop_s=run.window_s,
        t_start_s=start_s,
        supplies=tuple((f"{source}#branch", volts, block) for source, volts, block in supplies),
        waveforms=manifest.waveforms.nodes,
        first_input_s=None if manifest.code == "rate" else min(run.spikes.times_s, default=math.inf),
    )


def build_lead_in(resolved: Resolved, netlist: Netlist, *, transistors: Sequence[Transistor] = ()) -> Job:
    """The deck of the lead-in of a run alone, with its idle synapses: its node voltages at the end start other runs."""
    start_s = resolved.lead_in_s
    lines = [*_circuit(resolved, netlist, start_s), *_stimulated(resolved, start_s, start_s), *_supplies(resolved)]
    last_s = start_s - resolved.unit_s / 4  # nothing but the last values is read
    return _job(
        resolved,
        lines,
        save=["all"],
        stop_s=start_s,
        keep_from_s=last_s,
        transistors=transistors,
        t_stop_s=start_s,
        final=True,
    )


def build_count(resolved: Resolved, netlist: Netlist, step: TrimStep, *, transistors: Sequence[Transistor] = ()) -> Job:
    """The deck that counts the oscillators of a step of trimming, with the parameters and at the operating point of a run."""
    manifest, supply_v = resolved.manifest, resolved.supply_v or 0.0
    stimulus = manifest.stimulus
    low = {port: stimulus.low_v for port in (stimulus.reset, stimulus.threshold) if port}
    hold = {**low, **resolved.supplies_v, **{port: fraction * supply_v for port, fraction in step.hold.items()}}
    start_s, watch_s = step.lead * resolved.unit_s, step.watch * resolved.unit_s
    lines = _circuit(resolved, netlist, start_s)
    lines += [f"Vhold_{port} {port} 0 DC {volts:.12g}" for port, volts in hold.items()]
    nodes = tuple(node if node in manifest.ports else f"xneuron.{node}".lower() for node in step.nodes)
    return _job(
        resolved,
        lines,
        save=[f"v({node})" for node in nodes],
        stop_s=start_s + watch_s,
        keep_from_s=start_s,
        transistors=transistors,
        t_stop_s=watch_s,
        t_start_s=start_s,
        node=nodes[0],
        reference=None,
        level_v=supply_v / 2,
        edge="rising",
        counted=nodes,
    )


def _circuit(
    resolved: Resolved, netlist: Netlist, start_s: float, settled: Mapping[str, float] | None = None
) -> list[str]:
    """Models, options, initial conditions, inputs and the neuron."""
    manifest, run = resolved.manifest, resolved.run
    if settled is not None:
        netlist = replace(netlist, text=without_initial_conditions(netlist.text))
    sections, at_corner, corner = {}, {}, run.operating.corner
    if corner is not None:
        process = manifest.required_process(f"corner '{corner}'")
        sections, at_corner = process.library_sections(corner), process.corner(corner)
    # a later .param of the same name replaces an earlier one, so these replace the neutral ones of the model file
    replaced = [f".param {name}={value:.12g}" for name, value in at_corner.items()]
    options = " ".join(f"{key}={value}" for key, value in resolved.options.items())
    ports, names = netlist.subcircuits[manifest.subcircuit.lower()]
    own = [f"{name}={resolved.values[name]:.12g}" for name in sorted(manifest.parameters) if name.lower() in names]
    return [
        f"* {manifest.name}, made by neuronsim",
        with_models(netlist.text, sections),
        *replaced,
        f".options {options}",
        *([] if settled is None else initial_conditions(run.spikes, settled)),
        *input_sources(resolved, netlist, start_s),
        f"Xneuron {' '.join(ports)} {manifest.subcircuit} {' '.join(own)}",
    ]


def _stimulated(resolved: Resolved, start_s: float, stop_s: float) -> list[str]:
    """Reset, threshold pulse (one input pulse right after each fall of the reset, centered one width later) and noise."""
    stimulus, lines = resolved.manifest.stimulus, []
    if stimulus.reset:
        lines += [f"Vreset {stimulus.reset} 0 {reset_source(resolved, start_s, stop_s)}"]
    if stimulus.threshold:
        lines += [f"Vthreshold {stimulus.threshold} 0 {pulse(resolved, start_s + resolved.width_s)}"]
    for k, (port, source) in enumerate(noise_sources(resolved, start_s)):
        lines += [f"Inoise{k or ''} 0 {port} {source}"]
    return lines


def _supplies(resolved: Resolved) -> list[str]:
    return [f"Vsupply_{port} {port} 0 DC {volts:.12g}" for port, volts in resolved.supplies_v.items()]


def _job(
    resolved: Resolved,
    lines: Sequence[str],
    *,
    save: Iterable[str],
    stop_s: float,
    keep_from_s: float,
    transistors: Sequence[Transistor],
    **measured: Any,
) -> Job:
    """The deck of ``lines``, simulated until ``stop_s`` and kept from ``keep_from_s`` on. ``measured``: fields of the job, of
    which those of the spike are the manifest's where they are left out."""
    manifest, chip, step_s = resolved.manifest, resolved.run.operating.chip, resolved.max_step_s
    shifts = chip.threshold_shifts(manifest, transistors) if chip else {}
    analysis = f".tran {step_s:.9g} {stop_s:.12g} {keep_from_s:.12g} {step_s:.9g} uic"
    spike = manifest.spike.model_dump()
    spike["level_v"] = math.nan if spike["level_v"] is None else spike["level_v"]
    return Job(
        deck="\n".join([*lines, ".save " + " ".join(save), analysis, ".end", ""]),
        commands=tuple(f"alter @{name}[delvto]={shift:.9g}" for name, shift in shifts.items()),
        steps=stop_s / step_s,
        **{**spike, **measured},
    )
