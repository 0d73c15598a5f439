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

from neuronsim import dataset as schema
from neuronsim.errors import DataError, InputError

from .cache import Cache
from .campaign import Result, Task, check_engine, engine_version, listings, run_all
from .deck import Job, build
from .manifest import Manifest, load_manifest
from .measurement import CellResult, columns_of, perform_all
from .netlist import Netlist, read_netlist
from .operating import NOMINAL
from .outcome import Outcome
from .plans import CellPlan, Plan, load_plans
from .rows import assemble
from .run import Run
from .settled import key_of, lead_in_runs, settle
from .transistors import Transistor, transistors_in

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
    """Run ``plans`` on ``neuron`` in ngspice and return the dataset (schema: :mod:`neuronsim.dataset`); write it to ``out``.

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
    lead_ins = lead_in_runs(manifest, netlist, runs)
    counter = _Counter(len(lead_ins) + len(runs) + len(measurements), progress)
    workers = jobs or os.cpu_count() or 1
    how = {"engine": engine, "version": version, "timeout_s": timeout_s, "cache": store, "executor": executor}
    try:
        found = _transistors(manifest, netlist, [*lead_ins.values(), *runs], engine)
        settled = settle(
            manifest,
            netlist,
            lead_ins,
            transistors=lambda run: found.get(_same_transistors(run), ()),
            simulate=lambda tasks: run_all(tasks, jobs=workers, retry_failed=retry_failed, on_done=counter, **how),
        )
        tasks = []
        for index, run in enumerate(runs):
            of_run = found.get(_same_transistors(run), ())
            job = build(manifest, netlist, run, transistors=of_run, settled=settled.get(key_of(run)))
            keep = job.waveforms if index in shown else ()
            tasks.append(
                Task(job=replace(job, waveforms=keep), safer=partial(_safer, manifest, netlist, run, keep, of_run)),
            )
        if tasks:
            _probe(manifest, runs, run_all(tasks[:1], **how)[0])
        results = run_all(tasks, jobs=workers, retry_failed=retry_failed, on_done=counter, **how)
        cells = perform_all(
            measurements,
            version=version,
            jobs=workers,
            cache=store,
            executor=executor,
            retry_failed=retry_failed,
            on_done=counter,
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
    dataset = assemble(manifest, runs, results, provenance, columns_of(measurements, cells))
    if out is not None:
        schema.save(dataset, out)
    return dataset


def _safer(
    manifest: Manifest, netlist: Netlist, run: Run, keep: tuple[str, ...], transistors: tuple[Transistor, ...]
) -> Job:
    return replace(build(manifest, netlist, run, safer=True, transistors=transistors), waveforms=keep)


def _same_transistors(run: Run) -> tuple:
    """Runs that agree in this have the same transistors: sizes may depend on parameters, not on weights or times."""
    return tuple(sorted(run.parameters.items())), len(run.weights)


def _transistors(
    manifest: Manifest, netlist: Netlist, runs: list[Run], engine: str
) -> dict[tuple, tuple[Transistor, ...]]:
    """Transistors of every kind of run that is on a chip, from ngspice's own expansion of one such deck each."""
    kinds = {_same_transistors(run): run for run in runs if run.operating.chip is not None}
    if not kinds:
        return {}
    decks = [build(manifest, netlist, replace(run, operating=NOMINAL)).deck for run in kinds.values()]
    return dict(zip(kinds, (transistors_in(listing) for listing in listings(engine, decks)), strict=True))


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
