"""The error budget of a circuit, as its manifest says it."""

from __future__ import annotations

import json
from typing import NamedTuple

import xarray as xr


class BudgetTerm(NamedTuple):
    """What one ``cause`` costs, rms: on the ``membrane`` in thresholds, on the spike time in seconds (None: not told);
    ``mended``: the circuit no longer has it."""

    cause: str
    membrane: float | None
    spike_time_s: float | None
    evidence: str
    mended: bool


def error_budget(dataset: xr.Dataset) -> list[BudgetTerm]:
    """The terms of the budget; empty for a circuit without one."""
    return [BudgetTerm(**term) for term in json.loads(dataset.attrs.get("error_budget", "[]"))]
