"""The sources around a neuron: inputs, reset, threshold pulse and noise, as SPICE text.

``start_s`` is the time of the deck at which the run's own time is zero.
"""

from __future__ import annotations

import math

import numpy as np

from neuronsim.errors import InputError

from ..neuron.manifest import Manifest
from ..neuron.manifest_sections import CurrentNoise
from ..neuron.netlist import Netlist
from . import pwl as stimulus
from . import white_noise as noise
from .run import Run

NOISE_STEPS_PER_UNIT = 20


def noise_sources(
    manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, start_s: float
) -> list[tuple[str, str]]:
    """(port, text) of the run's noise at each noise port, from its seed; none for seed -1.

    A circuit that forgets with time constant T what white current noise did is not at rest at time zero: it holds the
    charge q = integral of i(-t) e^(-t/T), a Gaussian of variance S T/4. With ``memory`` the first sample carries it.

    Raises InputError for a seed without such a port.
    """
    spec = manifest.noise
    if run.noise_seed < 0:
        return []
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
    rng = np.random.default_rng([run.noise_seed, 0x6E6F])
    window_s = start_s + run.window_s
    memory_s = values[spec.memory] if isinstance(spec, CurrentNoise) and spec.memory else 0.0
    found = []
    for port in manifest.noise_ports:
        times, samples = noise.white_samples(rng, density=density, window_s=window_s, step_s=step_s)
        if memory_s:
            # joined linearly, the first sample counts for half a step
            samples[0] += 2.0 / step_s * density * math.sqrt(memory_s / 2.0) * rng.standard_normal()
        found.append((port, stimulus.samples(times, samples)))
    return found


def input_sources(
    manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, netlist: Netlist, start_s: float
) -> list[str]:
    """The current into a rate neuron, or a line and a synapse for each input of a TTFS neuron."""
    spec, synapse = manifest.stimulus, manifest.synapse
    high_v = _high(manifest, values)
    if synapse is None:
        return [f"Iin 0 {spec.port} DC {run.current_a:.12g}"]
    ports, names = netlist.subcircuits[synapse.subcircuit.lower()]
    errors = run.weight_errors or (0.0,) * len(run.weights)
    lines = []
    for i, (time_s, weight, error) in enumerate(zip(run.times_s, run.weights, errors, strict=True)):
        if spec.kind == "step":
            source = stimulus.step(start_s + time_s, spec.edge * unit_s, spec.low_v, high_v)
        else:
            source = _pulse(manifest, run, values, unit_s, start_s + time_s)
        nodes = " ".join(f"s{i}" if port == synapse.input.lower() else synapse.output for port in ports)
        shared = " ".join(f"{name}={values[name]:.12g}" for name in synapse.shares if name.lower() in names)
        lines += [f"Vs{i} s{i} 0 {source}"]
        lines += [f"Xs{i} {nodes} {synapse.subcircuit} {synapse.weight}={weight * (1 + error):.15g} {shared}".rstrip()]
    return lines


def _pulse(manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, time_s: float) -> str:
    spec, width_s = manifest.stimulus, values[manifest.stimulus.width or ""]
    return stimulus.pulse(time_s, spec.edge * unit_s, width_s, spec.low_v, _high(manifest, values), again_s=run.again_s)


def _high(manifest: Manifest, values: dict[str, float]) -> float:
    high = manifest.stimulus.high_v
    return values[high] if isinstance(high, str) else high


def reset_source(
    manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, start_s: float, stop_s: float
) -> str:
    """High until time zero, then low; low throughout without a lead-in. Once more where the run says so."""
    high_v, fall_s = _high(manifest, values), 1e-3 * unit_s
    again = ""
    if math.isfinite(run.again_s):
        fall_at, rise_at = start_s + run.again_s, start_s + run.again_s - run.reset_s
        again = f" {rise_at - fall_s:.12g} 0 {rise_at:.12g} {high_v:.9g} {fall_at - fall_s:.12g} {high_v:.9g} {fall_at:.12g} 0"
    if not start_s:
        return f"PWL(0 0{again})" if again else "DC 0"
    if stop_s <= start_s:  # the lead-in alone
        return f"DC {high_v:.9g}"
    return f"PWL(0 {high_v:.9g} {start_s - fall_s:.12g} {high_v:.9g} {start_s:.12g} 0{again})"


def threshold_source(manifest: Manifest, run: Run, values: dict[str, float], unit_s: float, start_s: float) -> str:
    """One input pulse right after each fall of the reset, centered one width later."""
    return _pulse(manifest, run, values, unit_s, start_s + values[manifest.stimulus.width or ""])
