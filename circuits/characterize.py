"""From a neuron and plans to the characterization dataset."""

import importlib.metadata
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import xarray as xr

from neuronsim.artifacts.dataset import Characterization
from neuronsim.errors import DataError, InputError

from .assemble import assemble
from .campaign.cache import Cache
from .campaign.chip_flow import Simulated, groups, most_before, runs_before, simulate, transistors_of
from .campaign.engines import check_engine, engine_version
from .campaign.scheduler import run_flows
from .campaign.tasks import Result, Task, Urgency, measure
from .cells.measurement import CellResult, Measurement
from .deck.run import CurrentStimulus, Run
from .neuron.manifest import Manifest, load_manifest
from .neuron.netlist import Netlist, read_netlist
from .ngspice.outcome import Outcome
from .plans.base import Plan
from .plans.cells import CellPlan
from .plans.registry import load_plans
from .tables import cell_tables, trim_table

TIMEOUT_S, TIMEOUT_TRANSISTOR_S = 60.0, 600.0
_PACKAGES = ("neuronsim", "numpy", "PySpice", "xarray")
Progress = Callable[[int, int], Any]


class BenchOptions(TypedDict, total=False):
    """How simulations are done, as :func:`characterize` takes it."""

    jobs: int | None
    engine: str
    timeout_s: float | None
    trust: bool
    cache: Cache | bool
    executor: Executor | None
    retry_failed: bool
    progress: Progress | None


def characterize(
    neuron: str | Path | Manifest,
    plans: str | Sequence[str | Plan],
    *,
    out: Path | str | None = None,
    seed: int = 0,
    parameters: dict[str, float] | None = None,
    jobs: int | None = None,
    engine: str = "ngspice-shared",
    timeout_s: float | None = None,
    trust: bool = False,
    cache: Cache | bool = True,
    executor: Executor | None = None,
    retry_failed: bool = False,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Run ``plans`` on ``neuron`` in ngspice and return the dataset (schema: :mod:`neuronsim.artifacts.dataset`); write
    it to ``out``.

    neuron: name or manifest path; plans: names, groups ("table3"), TOML paths, or plan objects; parameters: values in SI
    units that replace the manifest's defaults; jobs: worker processes (default: all cores); timeout_s: per run, after
    which its worker is killed (None: 60, or 600 at transistor level); executor: any concurrent.futures.Executor instead of
    the local pool (runs ``ngspice -b``); progress(done, total) is called as runs and measurements of cells finish. The result
    depends on the seed, not on ``jobs``.

    Raises InputError, DataError (a netlist that ngspice does not take; every single run failed), MissingToolError
    (no ngspice), OutputError.
    """
    manifest = neuron if isinstance(neuron, Manifest) else load_manifest(neuron)
    chosen = load_plans(plans, manifest)
    limit_s = _checked_timeout_s(manifest, chosen, jobs, timeout_s)
    engine = check_engine("ngspice-cli" if executor is not None else engine)
    overrides = dict(parameters or {})
    manifest.checked(overrides)
    netlist = read_netlist(manifest, trust=trust)
    version = engine_version(engine)
    runs = [replace(run, fine=run.fine or plan.fine) for plan in chosen for run in plan.runs(manifest, overrides, seed)]
    cell_plans = [plan for plan in chosen if isinstance(plan, CellPlan)]
    measurements = [m for plan in cell_plans for m in plan.measurements(manifest, overrides, seed)]
    with closing(Cache()) if cache is True else nullcontext(cache or None) as store:
        pool = {"jobs": jobs or os.cpu_count() or 1, "timeout_s": limit_s, "executor": executor}
        pool |= {"engine": engine, "version": version, "cache": store, "retry_failed": retry_failed}
        simulated, cells = _perform(manifest, netlist, runs, measurements, progress, pool)
    by_index = {index: row for group in simulated for index, row in group.rows.items()}
    resolved, results = [by_index[i][0] for i in range(len(runs))], [by_index[i][1] for i in range(len(runs))]
    _check_any_worked(manifest, [*(result.outcome for result in results), *cells])
    provenance = _provenance(manifest, netlist, chosen, overrides, seed, engine, version)
    trimmed = [group.trimming for group in simulated if group.trimming]
    tables = {**cell_tables(measurements, cells), **trim_table(manifest, trimmed)}
    dataset = assemble(manifest, resolved, results, provenance, tables)
    if out is not None:
        Characterization(dataset).save(out)
    return dataset


def _checked_timeout_s(manifest: Manifest, plans: Sequence[Plan], jobs: int | None, timeout_s: float | None) -> float:
    """Seconds that a run may take. Raises InputError for a plan of other neurons, and for an argument out of range."""
    for plan in plans:
        if plan.code not in ("any", manifest.code):
            raise InputError(
                f"plan '{plan.kind}' is for {plan.code} neurons: {manifest.name} is of code {manifest.code}"
            )
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs = {jobs} is out of range: at least 1")
    if timeout_s is None:
        return TIMEOUT_TRANSISTOR_S if manifest.level == "transistor" else TIMEOUT_S
    if not timeout_s > 0:
        raise InputError(f"timeout = {timeout_s} is out of range: a positive number of seconds")
    return timeout_s


def _perform(
    manifest: Manifest,
    netlist: Netlist,
    runs: list[Run],
    measurements: list[Measurement],
    progress: Progress | None,
    pool: dict[str, Any],
) -> tuple[list[Simulated], list[CellResult]]:
    """Simulate and measure, in one pool. Raises DataError when the first run shows that no other can work."""
    together = [{index: runs[index] for index in indices} for indices in groups(manifest, runs)]
    firsts = [next(iter(group.values())) for group in together]
    before = sum(most_before(manifest, netlist, run) for run in firsts)
    counter = _Counter(before + len(runs) + len(measurements), progress)
    begins = [one for run in firsts for one in runs_before(manifest, netlist, run)]
    shared = {
        "transistors": transistors_of(manifest, netlist, [*begins, *runs], pool["engine"]),
        "waveforms": _runs_with_waveforms(runs),
        "left_out": counter.add,
    }

    def note(task: Task, result: Result) -> None:
        counter.add()
        if task.urgency is Urgency.PROBE:
            _probe(manifest, runs, result)

    flows = [simulate(manifest, netlist, group, **shared) for group in together]
    *simulated, cells = run_flows([*flows, measure(measurements)], on_done=note, **pool)
    return simulated, [result.outcome for result in cells]


def _provenance(
    manifest: Manifest,
    netlist: Netlist,
    plans: Sequence[Plan],
    overrides: dict[str, float],
    seed: int,
    engine: str,
    version: str,
) -> dict[str, Any]:
    packages = {**{name: importlib.metadata.version(name) for name in _PACKAGES}, **netlist.packages}
    return {
        "neuron": manifest.name,
        "code": manifest.code,
        "netlist_level": manifest.level,
        "engine": engine,
        "engine_version": version,
        "manifest": manifest.where,
        "netlist_sha256": netlist.sha256,
        "seed": seed,
        "plans": json.dumps({plan.kind: plan.model_dump(mode="json") for plan in plans}, sort_keys=True),
        "defaults": json.dumps({**manifest.defaults(), **overrides}, sort_keys=True),
        "versions": json.dumps(packages, sort_keys=True),
    }


class _Counter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self.done, self.total, self.progress = 0, total, progress
        if progress:
            progress(0, total)

    def add(self, number: int = 1) -> None:
        self.done += number
        if self.progress:
            self.progress(self.done, self.total)


def _runs_with_waveforms(runs: list[Run]) -> set[int]:
    """One run of every plan keeps its waveforms: the first, of a rate neuron the first at the middle one of the
    plan's currents, since the lowest may well be silent.
    """
    by_plan: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        by_plan.setdefault(run.plan, []).append(index)
    traced = set()
    for indices in by_plan.values():
        stimuli = {index: runs[index].stimulus for index in indices}
        current = {index: s.current_a for index, s in stimuli.items() if isinstance(s, CurrentStimulus)}
        rising = sorted({value for value in current.values() if value > 0})
        middle = rising[len(rising) // 2] if rising else None
        traced.add(next(index for index in indices if middle is None or current.get(index) == middle))
    return traced


def _probe(manifest: Manifest, runs: list[Run], first: Result) -> None:
    """Stop before a campaign that cannot work: a netlist that does not even load is the netlist's fault, not a row's."""
    reason = first.outcome.reason
    everywhere = all(run.parameters == runs[0].parameters for run in runs)
    if reason == "bad_netlist" or (reason == "bad_parameter" and everywhere):
        raise DataError(
            f"ngspice does not take {manifest.netlist_path}: {first.outcome.message}. Correct the netlist or its parameters."
        )


def _check_any_worked(manifest: Manifest, outcomes: Sequence[Outcome | CellResult]) -> None:
    if all(outcome.reason for outcome in outcomes):
        reasons = sorted({f"{outcome.reason} ({outcome.message})" for outcome in outcomes})
        raise DataError(f"all {len(outcomes)} runs of {manifest.name} failed: {'; '.join(reasons[:3])}")
