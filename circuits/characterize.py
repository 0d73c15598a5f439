"""From a neuron and plans to the characterization dataset."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neuronsim import dataset as schema
from neuronsim.errors import DataError, InputError

from .cache import Cache
from .campaign import Result, Task, check_engine, engine_version, run_all
from .deck import build
from .manifest import Manifest, load_manifest
from .netlist import Netlist, read_netlist
from .plans import Plan, load_plans
from .run import Run

_PACKAGES = ("neuronsim", "numpy", "PySpice", "xarray")


def characterize(
    neuron: str | Path | Manifest,
    plans: str | list[str] | Sequence[Plan],
    *,
    out: Path | str | None = None,
    seed: int = 0,
    jobs: int | None = None,
    engine: str = "ngspice-shared",
    timeout_s: float = 60.0,
    parameters: dict[str, float] | None = None,
    trust: bool = False,
    cache: Cache | bool = True,
    executor: Executor | None = None,
    retry_failed: bool = False,
    progress: Callable[[int, int], Any] | None = None,
) -> xr.Dataset:
    """Run ``plans`` on ``neuron`` in ngspice and return the dataset (schema: :mod:`neuronsim.dataset`); write it to ``out``.

    neuron: name or manifest path; plans: names, groups ("table3"), TOML paths, or plan objects; parameters: values in SI
    units that replace the manifest's defaults; jobs: worker processes (default: all cores); timeout_s: per run, after
    which its worker is killed; executor: any concurrent.futures.Executor instead of the local pool (runs ``ngspice -b``);
    progress(done, total) is called as runs finish. The result depends on the seed, not on ``jobs``.

    Raises InputError, DataError (a netlist that ngspice does not take; every single run failed), MissingToolError
    (no ngspice), OutputError.
    """
    manifest = neuron if isinstance(neuron, Manifest) else load_manifest(neuron)
    chosen = (
        load_plans(plans) if isinstance(plans, str) else [p if isinstance(p, Plan) else load_plans(p)[0] for p in plans]
    )
    if isinstance(plans, list) and all(isinstance(p, str) for p in plans):
        chosen = load_plans([str(p) for p in plans])
    if not chosen:
        raise InputError("no plan given")
    for plan in chosen:
        if plan.code != manifest.code:
            raise InputError(
                f"plan '{plan.kind}' is for {plan.code} neurons, {manifest.name} is a {manifest.code} neuron"
            )
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs = {jobs} is out of range: at least 1")
    if not timeout_s > 0:
        raise InputError(f"timeout = {timeout_s} is out of range: a positive number of seconds")
    if executor is not None:
        engine = "ngspice-cli"
    check_engine(engine)
    overrides = dict(parameters or {})
    manifest.checked(overrides)
    netlist = read_netlist(manifest, trust=trust)
    version = engine_version(engine)

    runs = [run for plan in chosen for run in plan.runs(manifest, overrides, seed)]
    shown = _runs_with_waveforms(runs)
    tasks = []
    for index, run in enumerate(runs):
        job = build(manifest, netlist, run)
        keep = job.waveforms if index in shown else ()
        tasks.append(
            Task(job=replace(job, waveforms=keep), safer=partial(_safer, manifest, netlist, run, keep)),
        )
    store = Cache() if cache is True else (cache or None)
    counter = _Counter(len(tasks), progress)
    try:
        results = run_all(
            tasks,
            engine=engine,
            version=version,
            jobs=jobs or os.cpu_count() or 1,
            timeout_s=timeout_s,
            cache=store,
            executor=executor,
            retry_failed=retry_failed,
            on_done=counter,
        )
    finally:
        if store is not None and cache is True:
            store.close()
    _refuse_useless(manifest, results)
    provenance = {
        "neuron": manifest.name,
        "code": manifest.code,
        "netlist_level": manifest.level,
        "engine": engine,
        "engine_version": version,
        "netlist_sha256": netlist.sha256,
        "seed": seed,
        "plans": json.dumps({plan.kind: plan.model_dump(mode="json") for plan in chosen}, sort_keys=True),
        "defaults": json.dumps({**manifest.defaults(), **overrides}, sort_keys=True),
        "versions": json.dumps({name: importlib.metadata.version(name) for name in _PACKAGES}, sort_keys=True),
    }
    dataset = _dataset(manifest, runs, results, provenance)
    if out is not None:
        schema.save(dataset, out)
    return dataset


def _safer(manifest: Manifest, netlist: Netlist, run: Run, keep: tuple[str, ...]):
    return replace(build(manifest, netlist, run, safer=True), waveforms=keep)


class _Counter:
    def __init__(self, total: int, progress: Callable[[int, int], Any] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress
        if progress:
            progress(0, total)

    def __call__(self, index: int) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total)


def _runs_with_waveforms(runs: list[Run]) -> set[int]:
    """The first run of every plan is kept whole, to be looked at."""
    first: dict[str, int] = {}
    for index, run in enumerate(runs):
        first.setdefault(run.plan, index)
    return set(first.values())


def _refuse_useless(manifest: Manifest, results: list[Result]) -> None:
    """A netlist that does not even load is the netlist's fault, not a row's."""
    if all(result.outcome.reason == "bad_netlist" for result in results):
        raise DataError(f"ngspice does not take {manifest.netlist_path}: {results[0].outcome.message}")
    if all(result.outcome.reason for result in results):
        reasons = sorted({f"{result.outcome.reason} ({result.outcome.message})" for result in results})
        raise DataError(f"all {len(results)} runs of {manifest.name} failed: {'; '.join(reasons[:3])}")


def _pad(rows: list[tuple[float, ...]], fill: float) -> np.ndarray:
    width = max((len(row) for row in rows), default=0)
    padded = np.full((len(rows), max(width, 1)), fill)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _dataset(manifest: Manifest, runs: list[Run], results: list[Result], provenance: dict[str, Any]) -> xr.Dataset:
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
        "chip": column([run.chip for run in runs]),
        "attempts": column([result.attempts for result in results]),
        "noise_seed": column([run.noise_seed for run in runs]),
        "level": column([run.level for run in runs], name="swept quantity of the plan"),
        "window_s": column([run.window_s for run in runs], "s", "time watched"),
        "energy_j": column([outcome.energy_j for outcome in outcomes], "J", "energy from the supplies"),
    }
    for name, parameter in manifest.all_parameters().items():
        values = [manifest.checked(run.parameters)[name] for run in runs]
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
    return schema.check(xr.Dataset(data, attrs={"schema_version": schema.SCHEMA_VERSION, **provenance}))
