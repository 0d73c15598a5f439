"""Chapter on the error budget of a circuit: what each cause costs, as its manifest says."""

from __future__ import annotations

import xarray as xr

from neuronsim.analysis.error_budget import BudgetTerm, error_budget
from neuronsim.units import percent

from ..page.columns import Column, in_unit, table
from ..page.elements import Section

_COLUMNS: list[Column[BudgetTerm]] = [
    Column("cause", "cause"),
    Column("membrane, rms", "membrane", percent),
    Column("spike time, rms", "spike_time_s", in_unit("s")),
    Column("evidence", "evidence"),
]


def budget_section(dataset: xr.Dataset, source: str) -> Section | None:
    """What stays and what was mended, each with its size and evidence; None without a budget."""
    terms = error_budget(dataset)
    words = "Membrane in thresholds, before the spike; one thing changed at a time (from the manifest)."
    parts = (
        ("What the circuit has.", [term for term in terms if not term.mended]),
        ("What it had, before it was mended.", [term for term in terms if term.mended]),
    )
    blocks = [table(f"{caption} {words}", _COLUMNS, rows) for caption, rows in parts if rows]
    if not blocks:
        return None
    return Section(title="Error budget", anchor="error_budget", blocks=blocks).from_file(source)
