"""A measurement of a cell as a task of a campaign: one call of a bench. A failed one is a row with a reason.

The outcome depends on this file and its neighbors, so their text is part of the key by which it is stored.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from neuronsim.atomic_write import sha256_of
from neuronsim.errors import NeuronsimError

from ..neuron.manifest import netlist_folder
from .bench import Condition, models
from .jitter import noise_sources, noisy_edges
from .oscillator import tuning_curve
from .synapse import synapse_levels

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

    def stored(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> Self:
        """The result of :meth:`stored`."""
        return cls(columns=stored["columns"], reason=stored["reason"], message=stored["message"])


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
        "dnl_steps": [*levels.dnl.tolist(), float("nan")],  # a step stands at the code below it
    }


def _edges(condition: Condition, arguments: dict[str, Any]) -> Columns:
    made = noisy_edges(condition=condition, **arguments)
    oscillators, edges = made.edge_s.shape
    return {
        "oscillator": np.repeat(np.arange(float(oscillators)), edges).tolist(),
        "cycle": np.tile(np.arange(float(edges)), oscillators).tolist(),
        "edge_s": made.edge_s.ravel().tolist(),
        "kappa_theory": [made.sources.kappa] * (oscillators * edges),
    }


_FUNCTIONS: dict[str, Callable[[Condition, dict[str, Any]], Columns]] = {
    "tuning_curve": _tuning,
    "synapse_levels": _levels,
    "noisy_edges": _edges,
}


def perform(measurement: Measurement) -> CellResult:
    """Measure; what the simulator rejects is a result with a reason."""
    try:
        return CellResult(columns=_FUNCTIONS[measurement.function](measurement.condition, measurement.arguments))
    except NeuronsimError as error:
        return CellResult(reason="timeout" if "took more than" in str(error) else "no_result", message=str(error)[:240])


@cache
def _bench_digest() -> str:
    """Hash of all that an outcome depends on besides arguments and models: the netlists of the cells and their benches."""
    folders = ((netlist_folder() / "cells", "*.lib"), (Path(__file__).parent, "*.py"))
    files = [path for folder, pattern in folders for path in sorted(folder.glob(pattern)) if path.is_file()]
    return sha256_of("\0".join(path.read_text(encoding="utf-8") for path in files))


def key_of(measurement: Measurement, version: str) -> str:
    """Hash of everything that the outcome depends on.

    Raises InputError and MissingToolError as neuronsim.circuits.cells.bench.models.
    """
    at = measurement.condition
    parts = [measurement.function, at.model_dump(), models(at), measurement.arguments, version, _bench_digest()]
    return sha256_of(json.dumps(["cell", *parts], sort_keys=True))
