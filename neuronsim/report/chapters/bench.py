"""Chapters that hold for every neuron: conditions, status of the runs, provenance."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from neuronsim.analysis.run_counts import RunCounts, run_counts
from neuronsim.artifacts.dataset import Characterization, silence
from neuronsim.units import pretty, quantity, trimmed

from ..page.columns import MISSING, Column, plain, table
from ..page.elements import Block, Note, Table, Text, chapter


def _windows(counts: RunCounts) -> str:
    if counts.plan == "all":
        return ""
    spans = counts.windows_s
    return ("" if spans.size < 2 else "≤ ") + quantity(spans.max(), "s") if spans.size else MISSING


_COUNTS: list[Column[RunCounts]] = [
    *plain("plan", "runs", "ok"),
    Column("ok on retry", "retried"),
    *plain("failed", "silent"),
    Column("window", _windows),
]
_FAILED: list[Column[xr.Dataset]] = [
    *(Column(name, f"{name}.values") for name in ("row", "plan", "trial")),
    Column("level", "level.values", trimmed),
    *(Column(name, f"{name}.values") for name in ("attempts", "reason")),
    Column("message", lambda run: run["message"].item() if "message" in run else ""),
]


@chapter("Conditions", anchor="conditions")
def conditions(dataset: xr.Dataset) -> Iterator[Block]:
    """Every netlist parameter with its meaning, default, unit and the range over the runs."""
    defaults: dict[str, float] = json.loads(dataset.attrs["defaults"])
    stored = {str(n).removeprefix("parameter_") for n in dataset.data_vars if str(n).startswith("parameter_")}

    def attrs(name: str) -> dict[str, Any]:
        return dataset[f"parameter_{name}"].attrs if name in stored else {}

    def swept(name: str) -> str | None:
        values = dataset[f"parameter_{name}"].values.astype(float) if name in stored else np.array([])
        values, unit = values[np.isfinite(values)], attrs(name).get("units", "")
        varies = values.size and values.min() != values.max()
        return f"{quantity(values.min(), unit)} … {quantity(values.max(), unit)}" if varies else None

    columns: list[Column[str]] = [
        Column("parameter", str),
        Column("meaning", lambda name: attrs(name).get("long_name", attrs(name).get("meaning", ""))),
        Column(
            "default", lambda name: quantity(defaults[name], attrs(name).get("units", "")) if name in defaults else None
        ),
        Column("swept", swept),
    ]
    names = [*defaults, *sorted(stored - set(defaults))]
    yield table("Netlist parameters.", columns, names) if names else Note(text="The netlist has no parameters.")


@chapter("Status of the runs", short="Runs", anchor="status")
def status(dataset: xr.Dataset) -> Iterator[Block]:
    """How many runs of each plan succeeded, were retried or failed, and every failed row with its reason."""
    caption = "Runs per plan. On retry: with safer simulator options. Silent: valid runs without an output spike in the window."
    yield table(caption, _COUNTS, run_counts(dataset))
    failed = np.flatnonzero(dataset["status"].values != "ok")
    if failed.size:
        reasons = Counter(dataset["reason"].values[failed].astype(str).tolist())
        rows = [(reason, str(count)) for reason, count in sorted(reasons.items(), key=lambda p: (-p[1], p[0]))]
        yield Table(caption="Failed runs by reason.", header=("reason", "runs"), rows=rows)
        caption = f"Failed runs, all {failed.size} of them. No figure of this page uses them."
        listed = [dataset.isel(run=row).assign(row=row) for row in failed]
        yield table(caption, _FAILED, listed, folded=failed.size > 25)
    else:
        yield Note(text="No run failed.")
    said = silence(dataset)
    if said:
        yield Note(text=f"No run fired: {said}.", warning=True)


@chapter("Provenance", anchor="provenance")
def provenance(dataset: xr.Dataset, sha256: str) -> Iterator[Block]:
    """Everything needed to make the dataset again."""
    versions = json.loads(dataset.attrs["versions"])
    skip = {"plans", "defaults", "versions", "pins", "schematic", "error_budget"}  # these have a chapter of their own
    rows = [("dataset digest", Characterization(dataset).content_digest())]
    rows += [("sha256 of the file", sha256)] if sha256 else []
    rows += [(pretty(str(k)), str(v)) for k, v in dataset.attrs.items() if k not in skip]
    seeds = np.unique(dataset["noise_seed"].values[dataset["noise_seed"].values >= 0])
    if seeds.size:
        rows.append(("noise seeds", f"{seeds.size} different, {seeds.min()} … {seeds.max()}"))
    rows += [(f"version of {name}", str(version)) for name, version in sorted(versions.items())]
    options = Counter(str(option) for option in dataset["options"].values)
    used = ((option or "as in the netlist", count) for option, count in sorted(options.items()))
    rows += [("simulator options", f"{option} ({count} runs)") for option, count in used]
    yield Table(caption="Origin of the data.", header=("what", "value"), rows=rows)
    yield Text(caption="Plans.", text=toml_text(json.loads(dataset.attrs["plans"])))


def toml_text(data: Any, prefix: str = "") -> str:
    """Plain data as TOML, for reading: scalars first, then a table per mapping."""
    if not isinstance(data, dict):
        return json.dumps(data, indent=1, ensure_ascii=False)
    lines, tables = [], []
    for key, value in data.items():
        if isinstance(value, dict):
            name = f"{prefix}{key}"
            tables.append(f"[{name}]\n{toml_text(value, name + '.')}".rstrip())
        elif value is not None:
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n\n".join(part for part in ("\n".join(lines), *tables) if part)
