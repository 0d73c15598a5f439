"""Measurements of cells inside a campaign: run in worker processes, cached by content, a failed one is a row with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cache as remember
from pathlib import Path
from typing import Any

import numpy as np

from neuronsim.artifacts.atomic_write import sha256_of
from neuronsim.errors import NeuronsimError

from ..campaign.cache import Cache
from ..campaign.workers import Lost, Workers, result_of
from ..neuron.manifest import netlist_folder
from . import Condition, noise_sources, noisy_edges, synapse_levels, tuning_curve
from .bench import models

Columns = dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One call of a cell bench: ``function`` with ``arguments`` at ``condition``; ``labels`` go into each of its rows."""

    plan: str
    function: str
    condition: Condition
    arguments: dict[str, Any]
    labels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """Columns of equal length, or a reason why there are none."""

    columns: Columns = field(default_factory=dict)
    reason: str = ""
    message: str = ""


def _tuning(condition: Condition, arguments: dict[str, Any]) -> Columns:
    rest = {name: arguments[name] for name in ("gamma", "resistance_ohm")}
    noise = noise_sources(bias_a=arguments["noise_at_a"], condition=condition, **rest)
    pace = {name: arguments[name] for name in ("hz_per_a", "step_s") if name in arguments}
    curve = tuning_curve(arguments["currents_a"], condition=condition, **pace)
    return {
        "kappa_theory": [noise.kappa] * curve.current_a.size,
        "current_a": curve.current_a.tolist(),
        "frequency_hz": curve.frequency_hz.tolist(),
        "control_v": curve.control_v.tolist(),
        "supply_a": curve.supply_a.tolist(),
    }


def _levels(condition: Condition, arguments: dict[str, Any]) -> Columns:
    levels = synapse_levels(condition=condition, **arguments)
    return {
        "code": levels.code.astype(float).tolist(),
        "current_a": levels.current_a.tolist(),
        "idle_a": levels.idle_a.tolist(),
        "inl_steps": levels.inl.tolist(),
        "dnl_steps": [*levels.dnl.tolist(), float("nan")],  # a step is told at the code below it
    }


def _edges(condition: Condition, arguments: dict[str, Any]) -> Columns:
    found = noisy_edges(condition=condition, **arguments)
    oscillators, edges = found.edge_s.shape
    return {
        "oscillator": np.repeat(np.arange(float(oscillators)), edges).tolist(),
        "cycle": np.tile(np.arange(float(edges)), oscillators).tolist(),
        "edge_s": found.edge_s.ravel().tolist(),
        "kappa_theory": [found.sources.kappa] * (oscillators * edges),
    }


_FUNCTIONS: dict[str, Callable[[Condition, dict[str, Any]], Columns]] = {
    "tuning_curve": _tuning,
    "synapse_levels": _levels,
    "noisy_edges": _edges,
}


def perform(measurement: Measurement) -> CellResult:
    """Measure; what the simulator refuses is a result with a reason."""
    try:
        return CellResult(columns=_FUNCTIONS[measurement.function](measurement.condition, measurement.arguments))
    except NeuronsimError as error:
        return CellResult(reason="timeout" if "took more than" in str(error) else "no_result", message=str(error)[:240])


@remember
def _bench_digest() -> str:
    """Hash of all that a cell's result depends on besides its arguments and models: the cells and their benches."""
    folders = [
        (netlist_folder() / "cells", "*.lib"),
        (Path(__file__).parent / "cells", "*.py"),
    ]
    files = [path for folder, pattern in folders for path in sorted(folder.glob(pattern)) if path.is_file()]
    return sha256_of("\0".join(path.read_text(encoding="utf-8") for path in files))


def key_of(measurement: Measurement, version: str) -> str:
    """Hash of everything that a result depends on. Raises InputError and MissingToolError as circuits.cells.bench.models."""
    at = measurement.condition
    parts = [measurement.function, at.model_dump(), models(at), measurement.arguments, version, _bench_digest()]
    return sha256_of(json.dumps(["cell", *parts], sort_keys=True))


def perform_all(
    measurements: Sequence[Measurement],
    *,
    version: str,
    jobs: int = 1,
    timeout_s: float = 660.0,
    cache: Cache | None = None,
    executor: Executor | None = None,
    retry_failed: bool = False,
    on_done: Callable[[int], Any] = lambda index: None,
) -> list[CellResult]:
    """Perform all, in order of ``measurements`` whatever ``jobs`` is. Finished ones are in the cache when interrupted."""
    results: list[CellResult | None] = [None] * len(measurements)
    keys = [key_of(measurement, version) for measurement in measurements]
    waiting = []
    for index, key in enumerate(keys):
        stored = cache.get_cell(key) if cache else None
        if stored is not None and not (retry_failed and stored["reason"]):
            results[index] = CellResult(**stored)
            on_done(index)
        else:
            waiting.append(index)
    if not waiting:
        return [result for result in results if result is not None]
    with Workers[int](jobs, executor=executor) as workers:
        for index in waiting:
            workers.submit(index, perform, measurements[index], timeout_s=timeout_s)
        for _ in waiting:
            index, future = workers.next()
            result = result_of(future, timeout_s)
            if isinstance(result, Lost):
                result = CellResult(reason=result.reason, message=result.message)
            results[index] = result
            if cache:
                cache.put_cell(
                    keys[index], {"columns": result.columns, "reason": result.reason, "message": result.message}
                )
            on_done(index)
    return [result for result in results if result is not None]


def columns_of(measurements: Sequence[Measurement], results: Sequence[CellResult]) -> dict[str, tuple]:
    """Variables of the dataset: ``<plan>_<column>`` over the dimension <plan>, one row per point of a measurement, one row
    of NaN for a failed measurement."""
    found: dict[str, tuple] = {}
    for plan in dict.fromkeys(measurement.plan for measurement in measurements):
        pairs = [(m, r) for m, r in zip(measurements, results, strict=True) if m.plan == plan]
        names = list(dict.fromkeys(name for _, result in pairs for name in result.columns))
        labels = list(dict.fromkeys(name for measurement, _ in pairs for name in measurement.labels))
        table: dict[str, list] = {}
        for number, (m, result) in enumerate(pairs):
            rows = len(next(iter(result.columns.values()))) if result.columns else 1
            row: dict[str, Any] = {"measurement": number, "status": "failed" if result.reason else "ok"}
            row |= {"reason": result.reason, "message": result.message, "corner": m.condition.corner}
            row |= {"temperature_c": m.condition.temperature_c, "supply_v": m.condition.supply_v}
            row |= {name: m.labels.get(name, float("nan")) for name in labels}
            for name, value in row.items():
                table.setdefault(name, []).extend([value] * rows)
            for name in names:
                table.setdefault(name, []).extend(result.columns.get(name, [float("nan")] * rows))
        for name, values in table.items():
            found[f"{plan}_{name}"] = ((plan,), np.array(values))
    return found
