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

import xarray as xr

from neuronsim.artifacts.dataset import Characterization
from neuronsim.errors import DataError, InputError

from .assemble import assemble
from .campaign.cache import Cache
from .campaign.chip_flow import groups, most_before, runs_before, simulate
from .campaign.chip_transistors import transistors_of
from .campaign.scheduler import Result, Task, Urgency, check_engine, engine_version, run_flows
from .campaign.trimming import columns_of as trim_columns
from .cells.campaign import CellResult, columns_of, perform_all
from .deck.run import Run
from .neuron.manifest import Manifest, load_manifest
from .neuron.netlist import read_netlist
from .ngspice.outcome import Outcome
from .plans import CellPlan, Plan
from .plans.registry import load_plans

TIMEOUT_S, TIMEOUT_TRANSISTOR_S = 60.0, 600.0
_PACKAGES = ("neuronsim", "numpy", "PySpice", "xarray")


def characterize(
    neuron: str | Path | Manifest,
    plans: str | Sequence[str | Plan],
    *,
    out: Path | str | None = None,
    seed: int = 0,
    jobs: int | None = None,
    engine: str = "ngspice-shared",
    timeout_s: float | None = None,
    parameters: dict[str, float] | None = None,
    trust: bool = False,
    cache: Cache | bool = True,
    executor: Executor | None = None,
    retry_failed: bool = False,
    progress: Callable[[int, int], Any] | None = None,
) -> xr.Dataset:
    """Run ``plans`` on ``neuron`` in ngspice and return the dataset (schema: :mod:`neuronsim.artifacts.dataset`); write
    it to ``out``.

    neuron: name or manifest path; plans: names, groups ("table3"), TOML paths, or plan objects; parameters: values in SI
    units that replace the manifest's defaults; jobs: worker processes (default: all cores); timeout_s: per run, after
    which its worker is killed (None: 60, or 600 at transistor level); executor: any concurrent.futures.Executor instead of the
    local pool (runs ``ngspice -b``);
    progress(done, total) is called as runs finish. The result depends on the seed, not on ``jobs``.

    Raises InputError, DataError (a netlist that ngspice does not take; every single run failed), MissingToolError
    (no ngspice), OutputError.
    """
    manifest = neuron if isinstance(neuron, Manifest) else load_manifest(neuron)
    chosen = load_plans(plans, manifest)
    for plan in chosen:
        if plan.code not in ("any", manifest.code):
            raise InputError(
                f"plan '{plan.kind}' is for {plan.code} neurons, {manifest.name} is a {manifest.code} neuron"
            )
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs = {jobs} is out of range: at least 1")
    if timeout_s is None:
        timeout_s = TIMEOUT_TRANSISTOR_S if manifest.level == "transistor" else TIMEOUT_S
    if not timeout_s > 0:
        raise InputError(f"timeout = {timeout_s} is out of range: a positive number of seconds")
    if executor is not None:
        engine = "ngspice-cli"
    check_engine(engine)
    overrides = dict(parameters or {})
    manifest.checked(overrides)
    netlist = read_netlist(manifest, trust=trust)
    version = engine_version(engine)

    runs = [replace(run, fine=run.fine or plan.fine) for plan in chosen for run in plan.runs(manifest, overrides, seed)]
    measurements = [
        m for plan in chosen if isinstance(plan, CellPlan) for m in plan.measurements(manifest, overrides, seed)
    ]
    shown = _runs_with_waveforms(runs)
    store = Cache() if cache is True else (cache or None)
    together = groups(manifest, runs)
    before = sum(most_before(manifest, netlist, runs[indices[0]]) for indices in together)
    counter = _Counter(before + len(runs) + len(measurements), progress)
    workers = jobs or os.cpu_count() or 1
    try:
        begins = [run for indices in together for run in runs_before(manifest, netlist, runs[indices[0]])]
        transistors = transistors_of(manifest, netlist, [*begins, *runs], engine)
        flows = [
            simulate(
                manifest,
                netlist,
                [runs[index] for index in indices],
                waveforms=[index in shown for index in indices],
                first=indices[0] == 0,
                transistors=transistors,
                left_out=counter.add,
            )
            for indices in together
        ]
        simulated = run_flows(
            flows,
            engine=engine,
            version=version,
            jobs=workers,
            timeout_s=timeout_s,
            cache=store,
            executor=executor,
            retry_failed=retry_failed,
            on_done=partial(_note, counter, manifest, runs),
        )
        rows = {
            index: (run, result)
            for indices, group in zip(together, simulated, strict=True)
            for index, run, result in zip(indices, group.runs, group.results, strict=True)
        }
        runs, results = [rows[index][0] for index in range(len(runs))], [rows[index][1] for index in range(len(runs))]
        cells = perform_all(
            measurements,
            version=version,
            jobs=workers,
            cache=store,
            executor=executor,
            retry_failed=retry_failed,
            on_done=lambda index: counter.add(),
        )
    finally:
        if store is not None and cache is True:
            store.close()
    _refuse_useless(manifest, [*(result.outcome for result in results), *cells])
    provenance = {
        "neuron": manifest.name,
        "code": manifest.code,
        "netlist_level": manifest.level,
        "engine": engine,
        "engine_version": version,
        "manifest": manifest.where,
        "netlist_sha256": netlist.sha256,
        "seed": seed,
        "plans": json.dumps({plan.kind: plan.model_dump(mode="json") for plan in chosen}, sort_keys=True),
        "defaults": json.dumps({**manifest.defaults(), **overrides}, sort_keys=True),
        "versions": json.dumps(
            {**{name: importlib.metadata.version(name) for name in _PACKAGES}, **netlist.packages}, sort_keys=True
        ),
    }
    trimmed = [group.trimming for group in simulated if group.trimming]
    tables = {**columns_of(measurements, cells), **trim_columns(manifest, trimmed)}
    dataset = assemble(manifest, runs, results, provenance, tables)
    if out is not None:
        Characterization(dataset).save(out)
    return dataset


class _Counter:
    def __init__(self, total: int, progress: Callable[[int, int], Any] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress
        if progress:
            progress(0, total)

    def add(self, number: int = 1) -> None:
        self.done += number
        if self.progress:
            self.progress(self.done, self.total)


def _runs_with_waveforms(runs: list[Run]) -> set[int]:
    """One run of every plan is kept whole, to be looked at: the first, of a rate neuron the first at the middle one of the
    plan's currents, since the lowest may well be silent.
    """
    by_plan: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        by_plan.setdefault(run.plan, []).append(index)
    shown = set()
    for indices in by_plan.values():
        currents = sorted({runs[index].current_a for index in indices if runs[index].current_a > 0})
        middle = currents[len(currents) // 2] if currents else None
        shown.add(next(index for index in indices if middle is None or runs[index].current_a == middle))
    return shown


def _note(counter: _Counter, manifest: Manifest, runs: list[Run], task: Task, result: Result) -> None:
    counter.add()
    if task.urgency is Urgency.PROBE:
        _probe(manifest, runs, result)


def _probe(manifest: Manifest, runs: list[Run], first: Result) -> None:
    """Stop before a campaign that cannot work: a netlist that does not even load is the netlist's fault, not a row's."""
    reason = first.outcome.reason
    everywhere = all(run.parameters == runs[0].parameters for run in runs)
    if reason == "bad_netlist" or (reason == "bad_parameter" and everywhere):
        raise DataError(
            f"ngspice does not take {manifest.netlist_path}: {first.outcome.message}. Correct the netlist or its parameters."
        )


def _refuse_useless(manifest: Manifest, outcomes: Sequence[Outcome | CellResult]) -> None:
    if all(outcome.reason for outcome in outcomes):
        reasons = sorted({f"{outcome.reason} ({outcome.message})" for outcome in outcomes})
        raise DataError(f"all {len(outcomes)} runs of {manifest.name} failed: {'; '.join(reasons[:3])}")
