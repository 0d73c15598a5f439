"""Section on the error budget of a circuit: what each cause costs, as its manifest says."""

from __future__ import annotations

import json

import xarray as xr

from neuronsim.units import percent, quantity

from ..page.elements import Section, Table


def budget_section(dataset: xr.Dataset, source: str) -> Section | None:
    """What stays and what was mended, each with its size and evidence; None without a budget."""
    terms = json.loads(dataset.attrs.get("error_budget", "[]"))
    if not terms:
        return None
    header = ("cause", "membrane, rms", "spike time, rms", "evidence")
    tables = []
    for mended, caption in ((False, "What the circuit has."), (True, "What it had, before it was mended.")):
        rows = [
            (
                str(term["cause"]),
                "–" if term["membrane"] is None else percent(term["membrane"]),
                "–" if term["spike_time_s"] is None else quantity(term["spike_time_s"], "s"),
                str(term["evidence"]),
            )
            for term in terms
            if term["mended"] == mended
        ]
        if rows:
            words = (
                f"{caption} Membrane in thresholds, before the spike; one thing changed at a time (from the manifest)."
            )
            tables.append(Table(caption=words, header=header, rows=rows, source=source))
    return Section(title="Error budget", short="Error budget", anchor="error_budget", blocks=tables)
