"""From finished runs to the dataset: one row for every run, failed or not."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neuronsim.artifacts.dataset import Characterization

from .campaign.tasks import Result
from .deck.resolved import Resolved
from .deck.run import CurrentStimulus, Run
from .neuron.manifest import Manifest
from .neuron.manifest_sections import CurrentNoise
from .ngspice.outcome import Outcome
from .tables import Variables

_TEXT = ("plan", "status", "reason", "message", "options", "corner")


def assemble(
    manifest: Manifest,
    resolved: Sequence[Resolved],
    results: Sequence[Result[Outcome]],
    provenance: dict[str, Any],
    tables: Variables | None = None,
) -> xr.Dataset:
    """The dataset (schema: :mod:`neuronsim.artifacts.dataset`) of finished runs, failed ones included, and of ``tables``."""
    runs, outcomes = [one.run for one in resolved], [result.outcome for result in results]
    data = {
        **_what(runs, results),
        **_energies(outcomes),
        **_where(manifest, resolved),
        **(_spike_times(runs, outcomes) if manifest.code == "ttfs" else _rates(runs, outcomes)),
        **_waveforms(manifest, outcomes),
        **(tables or {}),
    }
    if not runs:  # an empty list does not show that it would hold text
        data |= {name: (("run",), np.array([], dtype=str)) for name in _TEXT}
    return Characterization.check(xr.Dataset(data, attrs={**_about(manifest), **provenance}))


def _column(values: Sequence[Any] | np.ndarray, units: str = "", name: str = "") -> tuple:
    attributes = {key: value for key, value in (("units", units), ("long_name", name)) if value}
    array = np.array(values, dtype=object if len(values) and isinstance(values[0], str) else None)
    return (("run",), array.astype(str) if array.dtype == object else array, attributes)


def _or(value: float | None, missing: float) -> float:
    return missing if value is None else value


def _padded(rows: Sequence[tuple[float, ...]], fill: float) -> np.ndarray:
    width = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), max(width, 1)), fill)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _what(runs: Sequence[Run], results: Sequence[Result[Outcome]]) -> Variables:
    """What was run, and how it ended."""
    outcomes = [result.outcome for result in results]
    chips = [run.operating.chip.number if run.operating.chip else _or(run.chip, -1) for run in runs]
    return {
        "plan": _column([run.plan for run in runs]),
        "status": _column(["failed" if outcome.reason else "ok" for outcome in outcomes]),
        "reason": _column([outcome.reason for outcome in outcomes]),
        "message": _column([outcome.message for outcome in outcomes]),
        "options": _column([result.options for result in results]),
        "trial": _column([run.trial for run in runs]),
        "chip": _column(chips),
        "attempts": _column([result.attempts for result in results]),
        "noise_seed": _column([run.noise.seed if run.noise else -1 for run in runs]),
        "level": _column([_or(run.level, math.nan) for run in runs], name="swept quantity of the plan"),
        "window_s": _column([run.window_s for run in runs], "s", "time watched"),
        "energy_j": _column([outcome.energy_j for outcome in outcomes], "J", "energy from the supplies"),
    }


def _energies(outcomes: Sequence[Outcome]) -> Variables:
    """Energy by block, and of all blocks in the active window."""
    blocks = list(dict.fromkeys(block for outcome in outcomes for block in outcome.blocks))
    if not blocks:
        return {}
    active = [sum(b.active_j for b in o.blocks.values()) if o.blocks else np.nan for o in outcomes]
    data = {"active_energy_j": _column(active, "J", "energy per spike in the active window")}
    # a run without synapses spends nothing in them; what a failed run spent is unknown
    none = [0.0 if outcome.blocks else np.nan for outcome in outcomes]
    for block in blocks:
        pairs = [(outcome.blocks.get(block), n) for outcome, n in zip(outcomes, none, strict=True)]
        window, active = [b.window_j if b else n for b, n in pairs], [b.active_j if b else n for b, n in pairs]
        data[f"block_{block}_energy_j"] = _column(window, "J", f"energy of {block} over the window")
        data[f"block_{block}_active_energy_j"] = _column(active, "J", f"energy of {block} in the active window")
    return data


def _where(manifest: Manifest, resolved: Sequence[Resolved]) -> Variables:
    """Operating point and parameters."""
    at = [one.run.operating for one in resolved]
    return {
        "corner": _column([point.corner or "" for point in at], name="process corner, empty: the models as they are"),
        "temperature_c": _column([point.temperature_c for point in at], "degC", "temperature of the circuit"),
        "chip_seed": _column([point.chip.seed if point.chip else -1 for point in at]),
        "fine": _column([one.run.fine for one in resolved], name="sign-off accuracy"),
        **{
            f"parameter_{name}": _column([one.values[name] for one in resolved], parameter.unit, parameter.meaning)
            for name, parameter in manifest.all_parameters().items()
        },
    }


def _spike_times(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> Variables:
    """Stimulus and first spike of a neuron that fires once."""
    first = [np.nan if outcome.reason else (outcome.spikes_s or (np.inf,))[0] for outcome in outcomes]
    spikes, inputs = [run.spikes for run in runs], ("run", "input")
    data = {
        "spike_time_s": _column(np.array(first, dtype=np.float64), "s", "first output spike"),
        "input_time_s": (inputs, _padded([s.times_s for s in spikes], np.inf), {"units": "s"}),
        "weight": (inputs, _padded([s.weights for s in spikes], 0.0), {"units": "1"}),
        "nominal_time_s": (inputs, _padded([s.nominal_times_s or s.times_s for s in spikes], np.inf), {"units": "s"}),
        "nominal_weight": (inputs, _padded([s.nominal_weights or s.weights for s in spikes], 0.0), {"units": "1"}),
    }
    return {**data, **(_second_rounds(runs, outcomes) if any(run.again for run in runs) else {})}


def _second_rounds(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> Variables:
    """Outcome of the second round of runs that have one; NaN and -1 of the others, and of failed ones."""
    rows = []
    for run, outcome in zip(runs, outcomes, strict=True):
        if run.again is None or outcome.reason:
            rows.append((np.nan, -1))
        else:
            after = [t - run.again.at_s for t in outcome.spikes_s if t >= run.again.at_s - run.again.reset_s]
            rows.append(((after or [np.inf])[0], len(outcome.spikes_s)))
    meaning = "first output spike since the second reset rose, from the second time zero"
    return {
        "again_s": _column([run.again.at_s if run.again else np.nan for run in runs], "s", "second time zero"),
        "spike_again_s": _column([time for time, _ in rows], "s", meaning),
        "n_spikes": _column([count for _, count in rows], name="rising edges of the output in both rounds"),
    }


def _rates(runs: Sequence[Run], outcomes: Sequence[Outcome]) -> Variables:
    """Stimulus and spikes of a rate neuron."""
    spikes = [outcome.spikes_s for outcome in outcomes]
    rates = [(len(s) - 1) / (s[-1] - s[0]) if len(s) > 1 else 0.0 for s in spikes]
    ok = np.array([not outcome.reason for outcome in outcomes])
    currents = [run.stimulus.current_a if isinstance(run.stimulus, CurrentStimulus) else np.nan for run in runs]
    return {
        "input_current_a": _column(currents, "A"),
        "spike_times_s": (("run", "spike"), _padded(spikes, np.nan), {"units": "s"}),
        "rate_hz": _column(np.where(ok, rates, np.nan), "Hz", "1 / mean inter-spike interval"),
    }


def _waveforms(manifest: Manifest, outcomes: Sequence[Outcome]) -> Variables:
    traces = [i for i, outcome in enumerate(outcomes) if outcome.waveforms]
    if not traces:
        return {}
    dims = ("trace", "sample")
    return {
        "trace_run": (("trace",), np.array(traces)),
        "waveform_time_s": (dims, np.stack([outcomes[i].waveforms["time"] for i in traces]), {"units": "s"}),
        **{
            f"waveform_{node}_v": (
                dims,
                np.stack([outcomes[i].waveforms[node] for i in traces]),
                {"units": "V", "long_name": manifest.ports[node]},
            )
            for node in manifest.waveforms.nodes
        },
    }


def _about(manifest: Manifest) -> dict[str, str]:
    """What the circuit is, for its datasheet."""
    pins = dict(manifest.ports)
    if manifest.synapse:
        pins = {f"{manifest.synapse.input} 1, 2, ...": "input spikes, one synapse each", **pins}
    about = {
        "summary": manifest.summary,
        "source": manifest.source,
        "process": manifest.process or "",
        "pins": json.dumps(pins),
    }
    if isinstance(manifest.noise, CurrentNoise) and manifest.noise.memory:
        about["noise_memory"] = manifest.noise.memory
    if manifest.error_budget:
        about["error_budget"] = json.dumps([term.model_dump() for term in manifest.error_budget])
    if manifest.schematic:
        names = [*manifest.ports, *([manifest.synapse.input] if manifest.synapse else [])]
        drawn = {"blocks": manifest.schematic.blocks, "wires": manifest.schematic.edges(), "pins": names}
        about["schematic"] = json.dumps(drawn)
    return about
