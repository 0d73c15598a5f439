"""The sources around a neuron: inputs, reset, threshold pulse and noise, as SPICE text.

``start_s`` is the time of the deck at which the run's own time is zero.
"""

import math

import numpy as np

from neuronsim.errors import InputError

from ..neuron.manifest_sections import CurrentNoise
from ..neuron.netlist import Netlist
from . import pwl
from .resolved import Resolved
from .run import CurrentStimulus
from .white_noise import diffusion, white_samples

NOISE_STEPS_PER_UNIT = 20


def noise_sources(resolved: Resolved, start_s: float) -> list[tuple[str, str]]:
    """(port, text) of the run's noise at each noise port, from its seed; none of a run without noise.

    A circuit that forgets with time constant T what white current noise did is not at rest at time zero: it holds the
    charge q = integral of i(-t) e^(-t/T), a Gaussian of variance S T/4. With ``memory`` the first sample carries it.

    Raises InputError for noise without such a port.
    """
    manifest, values, draw = resolved.manifest, resolved.values, resolved.run.noise
    spec = manifest.noise
    if draw is None:
        return []
    if spec is None:
        raise InputError(f"{manifest.name} has no [noise] in its manifest: the plan cannot put noise into it")
    memory_s = 0.0
    if isinstance(spec, CurrentNoise):
        density = values[spec.density] / math.sqrt(2.0)  # one-sided: the charge diffuses as sqrt(S t / 2)
        memory_s = values[spec.memory] if spec.memory else 0.0
    else:
        per_root_s = diffusion(carrier_hz=values[spec.carrier], kappa=values[spec.kappa], lead_rad=values[spec.lead])
        density = per_root_s * resolved.unit_s  # the noise port takes thresholds per unit of time
    step_s = draw.step_s or resolved.unit_s / NOISE_STEPS_PER_UNIT
    rng = np.random.default_rng([draw.seed, 0x6E6F])
    sources = []
    for port in manifest.noise_ports:
        times, samples = white_samples(rng, density=density, window_s=start_s + resolved.run.window_s, step_s=step_s)
        if memory_s:
            # joined linearly, the first sample counts for half a step
            samples[0] += 2.0 / step_s * density * math.sqrt(memory_s / 2.0) * rng.standard_normal()
        sources.append((port, pwl.samples(times, samples)))
    return sources


def input_sources(resolved: Resolved, netlist: Netlist, start_s: float) -> list[str]:
    """The current into a rate neuron, or a line and a synapse for each input of a TTFS neuron.

    Raises InputError for spikes into a rate neuron.
    """
    manifest, stimulus, values = resolved.manifest, resolved.run.stimulus, resolved.values
    spec, synapse = manifest.stimulus, manifest.synapse
    if isinstance(stimulus, CurrentStimulus):
        return [f"Iin 0 {spec.port} DC {stimulus.current_a:.12g}"]
    if synapse is None:
        raise InputError(f"plan '{resolved.run.plan}' gives spikes to {manifest.name}, which takes a current")
    ports, names = netlist.subcircuits[synapse.subcircuit.lower()]
    shared = " ".join(f"{name}={values[name]:.12g}" for name in synapse.shares if name.lower() in names)
    errors = stimulus.weight_errors or (0.0,) * len(stimulus.weights)
    lines = []
    for i, (time_s, weight, error) in enumerate(zip(stimulus.times_s, stimulus.weights, errors, strict=True)):
        if spec.kind == "step":
            source = pwl.step(start_s + time_s, spec.edge * resolved.unit_s, spec.low_v, resolved.high_v)
        else:
            source = pulse(resolved, start_s + time_s)
        nodes = " ".join(f"s{i}" if port == synapse.input.lower() else synapse.output for port in ports)
        lines += [f"Vs{i} s{i} 0 {source}"]
        lines += [f"Xs{i} {nodes} {synapse.subcircuit} {synapse.weight}={weight * (1 + error):.15g} {shared}".rstrip()]
    return lines


def pulse(resolved: Resolved, time_s: float) -> str:
    """An input pulse centered on ``time_s`` of the deck, and another one in a second round."""
    spec, again = resolved.manifest.stimulus, resolved.run.again
    return pwl.pulse(
        time_s,
        spec.edge * resolved.unit_s,
        resolved.width_s,
        spec.low_v,
        resolved.high_v,
        again_s=again.at_s if again else None,
    )


def reset_source(resolved: Resolved, start_s: float, stop_s: float) -> str:
    """High until time zero, then low; low throughout without a lead-in. Once more in a second round."""
    high_v, fall_s, second = resolved.high_v, 1e-3 * resolved.unit_s, resolved.run.again
    again = ""
    if second is not None:
        fall_at, rise_at = start_s + second.at_s, start_s + second.at_s - second.reset_s
        again = f" {rise_at - fall_s:.12g} 0 {rise_at:.12g} {high_v:.9g} {fall_at - fall_s:.12g} {high_v:.9g} {fall_at:.12g} 0"
    if not start_s:
        return f"PWL(0 0{again})" if again else "DC 0"
    if stop_s <= start_s:  # the lead-in alone
        return f"DC {high_v:.9g}"
    return f"PWL(0 {high_v:.9g} {start_s - fall_s:.12g} {high_v:.9g} {start_s:.12g} 0{again})"
