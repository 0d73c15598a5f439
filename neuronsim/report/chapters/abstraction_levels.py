"""Section on the levels of one neuron: closed form, event solver and netlists on the same stimuli."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import xarray as xr

from neuronsim.analysis.level_errors import Step, against_first, signed_error, steps
from neuronsim.units import percent, percents, quantity, trimmed

from ..page.elements import Block, Note, Picture, Section, Table
from ..plots_levels import level_errors

HEADER = ("level", "n", "median", "p95", "max", "mean (signed)", "failed", "sampled every", "same outcome [95 %]")


def row(step: Step) -> tuple[str, ...]:
    """One line of the table."""

    def share(value: float) -> str:
        return percent(value) if math.isfinite(value) else "–"

    sampling = "–" if math.isnan(step.sampling_tau) else f"{trimmed(step.sampling_tau, 3)} τ"
    agreement = f"{percent(step.agreement)} [{percents(step.agreement_low, step.agreement_high)}]"
    errors = (share(step.median), share(step.p95), share(step.worst), share(step.bias))
    return (step.level, str(step.n), *errors, str(step.failed), sampling, agreement)


def tables(data: xr.Dataset, source: str = "") -> list[Table]:
    """Each level against the one above, and against equation 4."""
    caption = (
        "Each level against the one above: |t / t_above − 1| where both fire; the same stimuli, in units of each τ."
    )
    found = [Table(caption=caption, header=HEADER, rows=[row(s) for s in steps(data)], source=source)]
    if data.sizes["level"] > 2:
        caption = "Each level against equation 4 of paper 004."
        rows = [row(s) for s in against_first(data)]
        found.append(Table(caption=caption, header=HEADER, rows=rows, source=source))
    return found


def picture(data: xr.Dataset) -> str:
    """Drawing of the errors of each level against the one above."""
    return level_errors(*curves(data))


def curves(data: xr.Dataset) -> tuple[list[str], list[np.ndarray], list[np.ndarray]]:
    """(names, errors, times) of each step, for :func:`.plots_levels.level_errors`."""
    names, errors, times = [], [], []
    for level in range(1, data.sizes["level"]):
        error = signed_error(data, level, level - 1)
        both = np.isfinite(error)
        names.append(str(data["level"].values[level]))
        errors.append(error[both])
        times.append(data["spike_time_tau"].values[level - 1][both])
    return names, errors, times


def levels_section(data: xr.Dataset, source: str, anchor: str = "levels") -> Section:
    """The comparison as a section of a datasheet or report."""
    settings: dict[str, dict[str, float]] = json.loads(data.attrs["parameters"])
    listed = [
        (
            str(name),
            str(kind),
            "–" if math.isnan(tau) else quantity(tau, "s"),
            ", ".join(f"{key} = {trimmed(value, 6)}" for key, value in settings.get(str(name), {}).items()) or "–",
            str(sha)[:12] or "–",
        )
        for name, kind, tau, sha in zip(
            data["level"].values,
            data["abstraction"].values,
            data["tau_s"].values,
            data["netlist_sha256"].values,
            strict=True,
        )
    ]
    blocks: list[Block] = [
        Picture(
            svg=picture(data),
            caption="Each level against the one above. Left: signed error over the spike time. Right: distribution of its size.",
            source=source,
        ),
        *tables(data, source),
        Table(
            caption="The levels. Dimensionless parameters that several have are set alike.",
            header=("level", "kind", "τ", "set", "netlist sha256"),
            rows=listed,
            source=source,
        ),
    ]
    reasons = Counter(str(reason) for reason in data["reason"].values.ravel() if reason)
    if reasons:
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        blocks.append(Note(text=f"Failed runs: {counted}.", warning=True))
    return Section(
        title="The same neuron at every level",
        short="Levels",
        anchor=anchor,
        intro="Equation 4, the exact loop of second order and the netlists, on the same stimuli: what each level adds.",
        blocks=blocks,
    )
