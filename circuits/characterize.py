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
from .trim import Trimming, most_counts, trim, trim_runs
from .trim import columns_of as trim_columns

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
    chips = trim_runs(manifest, runs)
    lead_ins = lead_in_runs(manifest, netlist, runs)
    counts = most_counts(manifest, len(chips))
    counter = _Counter(counts + len(lead_ins) + len(runs) + len(measurements), progress)
    workers = jobs or os.cpu_count() or 1
    how = {"engine": engine, "version": version, "timeout_s": timeout_s, "cache": store, "executor": executor}
    try:
        found = _transistors(manifest, netlist, [*chips.values(), *lead_ins.values(), *runs], engine)
        bench = {
            "transistors": lambda run: found.get(_same_transistors(manifest, run), ()),
            "simulate": lambda tasks: run_all(tasks, jobs=workers, retry_failed=retry_failed, on_done=counter, **how),
        }
        trimmed = trim(manifest, netlist, chips, **bench)
        counter.reach(counts)
        bad = {index: chip for index, run in enumerate(runs) if (chip := _not_trimmed(trimmed, run))}
        runs = [_with_trims(trimmed, run) for run in runs]
        wanted = [index for index in range(len(runs)) if index not in bad]
        lead_ins = lead_in_runs(manifest, netlist, [runs[index] for index in wanted])
        settled = settle(manifest, netlist, lead_ins, **bench)
        tasks = []
        for index in wanted:
            run = runs[index]
            of_run = found.get(_same_transistors(manifest, run), ())
            job = build(manifest, netlist, run, transistors=of_run, settled=settled.get(key_of(run)))
            keep = job.waveforms if index in shown else ()
            tasks.append(
                Task(job=replace(job, waveforms=keep), safer=partial(_safer, manifest, netlist, run, keep, of_run)),
            )
        if tasks:
            _probe(manifest, runs, run_all(tasks[:1], **how)[0])
        simulated = run_all(tasks, jobs=workers, retry_failed=retry_failed, on_done=counter, **how)
        silenced = {index: Result(outcome=chip.outcome, attempts=0, options="default") for index, chip in bad.items()}
        by_run = {**dict(zip(wanted, simulated, strict=True)), **silenced}
        results = [by_run[index] for index in range(len(runs))]
        counter.reach(counter.total - len(measurements))
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
    tables = {**columns_of(measurements, cells), **trim_columns(manifest, list(trimmed.values()))}
    dataset = assemble(manifest, runs, results, provenance, tables)
    if out is not None:
        schema.save(dataset, out)
    return dataset


def _safer(
    manifest: Manifest, netlist: Netlist, run: Run, keep: tuple[str, ...], transistors: tuple[Transistor, ...]
) -> Job:
    return replace(build(manifest, netlist, run, safer=True, transistors=transistors), waveforms=keep)


def _not_trimmed(trimmed: dict[tuple, Trimming], run: Run) -> Trimming | None:
    """The chip of a run, if it could not be trimmed."""
    chip = trimmed.get(key_of(run)) if run.trim else None
    return chip if chip and chip.message else None


def _with_trims(trimmed: dict[tuple, Trimming], run: Run) -> Run:
    """``run`` with the trims of its chip."""
    chip = trimmed.get(key_of(run)) if run.trim else None
    return replace(run, parameters=chip.parameters) if chip else run


def _as_drawn(manifest: Manifest, run: Run) -> dict[str, float]:
    """Parameters without trims: a chip's mismatch is frozen before it is trimmed, even where a trim is a width."""
    return {name: value for name, value in run.parameters.items() if name not in manifest.trims}


def _same_transistors(manifest: Manifest, run: Run) -> tuple:
    """Runs that agree in this have the same transistors: sizes may depend on parameters, not on weights or times."""
    return tuple(sorted(_as_drawn(manifest, run).items())), len(run.weights)


def _transistors(
    manifest: Manifest, netlist: Netlist, runs: list[Run], engine: str
) -> dict[tuple, tuple[Transistor, ...]]:
    """Transistors of every kind of run that is on a chip, from ngspice's own expansion of one such deck each."""
    kinds = {_same_transistors(manifest, run): run for run in runs if run.operating.chip is not None}
    if not kinds:
        return {}
    drawn = [replace(run, operating=NOMINAL, parameters=_as_drawn(manifest, run)) for run in kinds.values()]
    decks = [build(manifest, netlist, run).deck for run in drawn]
    return dict(zip(kinds, (transistors_in(listing) for listing in listings(engine, decks)), strict=True))


class _Counter:
    def __init__(self, total: int, progress: Callable[[int, int], Any] | None) -> None:
        self.done, self.total, self.progress = 0, total, progress
        if progress:
            progress(0, total)

    def __call__(self, index: int) -> None:
        self.reach(self.done + 1)

    def reach(self, done: int) -> None:
        """Be at ``done`` at least."""
        self.done = min(max(done, self.done), self.total)
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
