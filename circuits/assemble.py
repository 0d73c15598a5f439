"""From finished runs to the dataset: one row for every run, failed or not."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import xarray as xr

from neuronsim.artifacts.dataset import Characterization

from .campaign.scheduler import Result
from .deck.run import Run
from .neuron.manifest import Manifest
from .neuron.manifest_sections import CurrentNoise
from .ngspice.outcome import Outcome

_TEXT = ("plan", "status", "reason", "message", "options", "corner")


def _pad(rows: list[tuple[float, ...]], fill: float) -> np.ndarray:
    width = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), max(width, 1)), fill)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _again(runs: list[Run], outcomes: list[Outcome]) -> dict[str, tuple]:
    """What came of the second round of runs that have one: columns of the dataset."""
    after = [
        tuple(t - run.again_s for t in outcome.spikes_s if t >= run.again_s - run.reset_s)
        for run, outcome in zip(runs, outcomes, strict=True)
    ]
    twice = [math.isfinite(run.again_s) and not outcome.reason for run, outcome in zip(runs, outcomes, strict=True)]
    times = [(spikes or (np.inf,))[0] if two else np.nan for two, spikes in zip(twice, after, strict=True)]
    count = [len(outcome.spikes_s) if two else -1 for two, outcome in zip(twice, outcomes, strict=True)]
    return {
        "again_s": (("run",), np.array([run.again_s for run in runs]), {"units": "s", "long_name": "second time zero"}),
        "spike_again_s": (
            ("run",),
            np.array(times, dtype=np.float64),
            {"units": "s", "long_name": "first output spike since the second reset rose, from the second time zero"},
        ),
        "n_spikes": (("run",), np.array(count), {"long_name": "rising edges of the output in both rounds"}),
    }


def assemble(
    manifest: Manifest,
    runs: list[Run],
    results: list[Result],
    provenance: dict[str, Any],
    cells: dict[str, tuple] | None = None,
) -> xr.Dataset:
    """The dataset (schema: :mod:`neuronsim.artifacts.dataset`) of finished runs, failed ones included, and ``cells``:
    the tables of
    cell plans."""
    outcomes = [result.outcome for result in results]
    ok = np.array([not outcome.reason for outcome in outcomes])

    def column(values: list, units: str = "", name: str = "") -> tuple:
        attributes = {key: value for key, value in (("units", units), ("long_name", name)) if value}
        array = np.array(values, dtype=object if values and isinstance(values[0], str) else None)
        return (("run",), array.astype(str) if array.dtype == object else array, attributes)

    data: dict[str, tuple] = {
        "plan": column([run.plan for run in runs]),
        "status": column(["ok" if good else "failed" for good in ok]),
        "reason": column([outcome.reason for outcome in outcomes]),
        "message": column([outcome.message for outcome in outcomes]),
        "options": column([result.options for result in results]),
        "trial": column([run.trial for run in runs]),
        "chip": column([run.operating.chip.number if run.operating.chip else run.chip for run in runs]),
        "attempts": column([result.attempts for result in results]),
        "noise_seed": column([run.noise_seed for run in runs]),
        "level": column([run.level for run in runs], name="swept quantity of the plan"),
        "window_s": column([run.window_s for run in runs], "s", "time watched"),
        "energy_j": column([outcome.energy_j for outcome in outcomes], "J", "energy from the supplies"),
    }
    blocks = list(dict.fromkeys(block for outcome in outcomes for block in outcome.blocks))
    if blocks:
        active = [sum(b.active_j for b in o.blocks.values()) if o.blocks else np.nan for o in outcomes]
        data["active_energy_j"] = column(active, "J", "energy per spike in the active window")
    for block in blocks:
        of_block = [outcome.blocks.get(block) for outcome in outcomes]
        # a run without synapses spends nothing in them; a failed run spent nobody knows what
        none = [0.0 if outcome.blocks else np.nan for outcome in outcomes]
        window = [b.window_j if b else n for b, n in zip(of_block, none, strict=True)]
        active = [b.active_j if b else n for b, n in zip(of_block, none, strict=True)]
        data[f"block_{block}_energy_j"] = column(window, "J", f"energy of {block} over the window")
        data[f"block_{block}_active_energy_j"] = column(active, "J", f"energy of {block} in the active window")
    at = [run.operating for run in runs]
    data["corner"] = column([point.corner or "" for point in at], name="process corner, empty: the models as they are")
    data["temperature_c"] = column([point.temperature_c for point in at], "degC", "temperature of the circuit")
    data["chip_seed"] = column([point.chip.seed if point.chip else -1 for point in at])
    data["fine"] = column([run.fine for run in runs], name="sign-off accuracy")
    every = [
        point.supply_values(manifest, manifest.checked(run.parameters)) for run, point in zip(runs, at, strict=True)
    ]
    for name, parameter in manifest.all_parameters().items():
        values = [row[name] for row in every]
        data[f"parameter_{name}"] = column(values, parameter.unit, parameter.meaning)
    if manifest.code == "ttfs":
        first = [outcome.spikes_s[0] if outcome.spikes_s else np.inf for outcome in outcomes]
        inputs = ("run", "input")
        data |= {
            "spike_time_s": (("run",), np.where(ok, first, np.nan), {"units": "s", "long_name": "first output spike"}),
            "input_time_s": (inputs, _pad([run.times_s for run in runs], np.inf), {"units": "s"}),
            "weight": (inputs, _pad([run.weights for run in runs], 0.0), {"units": "1"}),
            "nominal_time_s": (inputs, _pad([run.nominal_times_s for run in runs], np.inf), {"units": "s"}),
            "nominal_weight": (inputs, _pad([run.nominal_weights for run in runs], 0.0), {"units": "1"}),
        }
        if any(math.isfinite(run.again_s) for run in runs):
            data |= _again(runs, outcomes)
    else:
        spikes = [outcome.spikes_s for outcome in outcomes]
        rates = [(len(s) - 1) / (s[-1] - s[0]) if len(s) > 1 else 0.0 for s in spikes]
        data |= {
            "input_current_a": (("run",), np.array([run.current_a for run in runs]), {"units": "A"}),
            "spike_times_s": (("run", "spike"), _pad(list(spikes), np.nan), {"units": "s"}),
            "rate_hz": (
                ("run",),
                np.where(ok, rates, np.nan),
                {"units": "Hz", "long_name": "1 / mean inter-spike interval"},
            ),
        }
    traces = [i for i, outcome in enumerate(outcomes) if outcome.waveforms]
    if traces:
        dims = ("trace", "sample")
        data["trace_run"] = (("trace",), np.array(traces))
        data["waveform_time_s"] = (dims, np.stack([outcomes[i].waveforms["time"] for i in traces]), {"units": "s"})
        for node in manifest.waveforms.nodes:
            values = np.stack([outcomes[i].waveforms[node] for i in traces])
            data[f"waveform_{node}_v"] = (dims, values, {"units": "V", "long_name": manifest.ports[node]})
    data |= cells or {}
    if not runs:  # an empty list does not tell that it would hold text
        data |= {name: (("run",), np.array([], dtype=str)) for name in _TEXT}
    attributes = {**_about(manifest), **provenance}
    return Characterization.check(xr.Dataset(data, attrs=attributes))


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
