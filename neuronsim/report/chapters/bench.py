"""Sections of a datasheet that hold for every neuron: circuit, conditions, status of the runs, waveforms, provenance."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import xarray as xr

from neuronsim.artifacts.dataset import silence
from neuronsim.units import pretty, quantity, significant, trimmed

from ..page.elements import Block, Note, Picture, Section, Table, Text
from .schematic import schematic
from .waveforms import title, traces, waveform

MOST_TRACES = 4


def circuit(dataset: xr.Dataset, source: str) -> Section | None:
    """Block schematic and pins as the manifest told them; None for a dataset without."""
    pins: dict[str, str] = json.loads(dataset.attrs.get("pins", "{}"))
    if not pins:
        return None
    blocks: list[Block] = []
    if "schematic" in dataset.attrs:
        drawn = json.loads(dataset.attrs["schematic"])
        text = f"{dataset.attrs.get('netlist_level', '')} level"
        text += f", process {dataset.attrs['process']}" if dataset.attrs.get("process") else ""
        text += f"; {dataset.attrs['source']}" if dataset.attrs.get("source") else ""
        blocks.append(
            Picture(
                svg=schematic({name: tuple(at) for name, at in drawn["blocks"].items()}, drawn["wires"], drawn["pins"]),
                caption=f"Block schematic, pins in bold: {text}.",
                source=source,
            )
        )
    blocks.append(Table(caption="Pins.", header=("pin", "meaning"), rows=list(pins.items()), source=source))
    return Section(title="Circuit", anchor="circuit", blocks=blocks)


def conditions(dataset: xr.Dataset, source: str) -> Section:
    """Every netlist parameter with its meaning, default, unit and the range over the runs."""
    defaults: dict[str, float] = json.loads(dataset.attrs["defaults"])
    stored = {str(n).removeprefix("parameter_") for n in dataset.data_vars if str(n).startswith("parameter_")}
    rows = []
    for name in [*defaults, *sorted(stored - set(defaults))]:
        attrs: dict[str, Any] = dataset[f"parameter_{name}"].attrs if name in stored else {}
        unit = str(attrs.get("units", ""))
        span = "–"
        if name in stored:
            values = dataset[f"parameter_{name}"].values.astype(float)
            values = values[np.isfinite(values)]
            if values.size and values.min() != values.max():
                span = f"{quantity(values.min(), unit)} … {quantity(values.max(), unit)}"
        default = quantity(defaults[name], unit) if name in defaults else "–"
        rows.append((name, str(attrs.get("long_name", attrs.get("meaning", ""))), default, span))
    table = Table(
        caption="Netlist parameters.", header=("parameter", "meaning", "default", "swept"), rows=rows, source=source
    )
    blocks: list[Block] = [table] if rows else [Note(text="The netlist has no parameters.")]
    return Section(title="Conditions", anchor="conditions", blocks=blocks)


def status(dataset: xr.Dataset, source: str) -> Section:
    """How many runs of each plan succeeded, were retried or failed, and every failed row with its reason."""
    plan, ok = dataset["plan"].values, dataset["status"].values == "ok"
    attempts, window = dataset["attempts"].values, dataset["window_s"].values
    ttfs = dataset.attrs["code"] == "ttfs"
    silent = np.isinf(dataset["spike_time_s"].values) if ttfs else dataset["rate_hz"].values == 0
    rows = []
    for name in _in_order(plan):
        at = plan == name
        spans = np.unique(window[at & np.isfinite(window)])
        watched = quantity(spans.max(), "s") if spans.size else "–"
        counts = (
            at.sum(),
            (at & ok).sum(),
            (at & ok & (attempts > 1)).sum(),
            (at & ~ok).sum(),
            (at & ok & silent).sum(),
        )
        rows.append((name, *(str(int(count)) for count in counts), watched if spans.size < 2 else f"≤ {watched}"))
    if len(rows) > 1:
        rows.append(("all", *(str(sum(int(row[i]) for row in rows)) for i in range(1, 6)), ""))
    header = ("plan", "runs", "ok", "ok on retry", "failed", "silent", "window")
    blocks: list[Block] = [
        Table(
            caption="Runs per plan. On retry: with safer simulator options. Silent: valid runs "
            "without an output spike in the window.",
            header=header,
            rows=rows,
            source=source,
        )
    ]
    failed = np.flatnonzero(~ok)
    if failed.size:
        reasons = Counter(str(reason) for reason in dataset["reason"].values[failed])
        blocks.append(
            Table(
                caption="Failed runs by reason.",
                header=("reason", "runs"),
                source=source,
                rows=[(reason, str(count)) for reason, count in sorted(reasons.items(), key=lambda p: (-p[1], p[0]))],
            )
        )
        messages = dataset["message"].values if "message" in dataset else np.full(ok.size, "")
        listed = [
            (
                str(int(row)),
                str(plan[row]),
                str(int(dataset["trial"].values[row])),
                _level(dataset["level"].values[row]),
                str(int(attempts[row])),
                str(dataset["reason"].values[row]),
                str(messages[row]),
            )
            for row in failed
        ]
        blocks.append(
            Table(
                caption=f"Failed runs, all {failed.size} of them. No figure of this page uses them.",
                rows=listed,
                header=("row", "plan", "trial", "level", "attempts", "reason", "message"),
                source=source,
                folded=failed.size > 25,
            )
        )
    else:
        blocks.append(Note(text="No run failed."))
    said = silence(dataset)
    if said:
        blocks.append(Note(text=f"No run fired: {said}.", warning=True))
    return Section(title="Status of the runs", short="Runs", anchor="status", blocks=blocks)


def waveforms(dataset: xr.Dataset, source: str) -> Section | None:
    """The recorded example runs; None when the dataset has none."""
    shown = min(traces(dataset), MOST_TRACES)
    if shown == 0:
        return None
    blocks = [
        Picture(
            svg=waveform(dataset, trace),
            caption=f"Run {int(dataset['trace_run'].values[trace])}: {title(dataset, trace)}. "
            "Dashed: output spike as measured by interpolated crossing.",
            source=source,
        )
        for trace in range(shown)
    ]
    more = traces(dataset) - shown
    note = [Note(text=f"{more} more recorded runs are in the dataset.")] if more else []
    return Section(title="Example waveforms", short="Waveforms", anchor="waveforms", blocks=[*blocks, *note])


def provenance(dataset: xr.Dataset, source: str, sha256: str) -> Section:
    """Everything needed to make the dataset again."""
    versions = json.loads(dataset.attrs["versions"])
    skip = {"plans", "defaults", "versions", "pins", "schematic", "error_budget"}  # these have a place of their own
    rows = [("dataset sha256", sha256)] if sha256 else []
    rows += [(pretty(str(k)), str(v)) for k, v in dataset.attrs.items() if k not in skip]
    seeds = np.unique(dataset["noise_seed"].values)
    seeds = seeds[seeds >= 0]
    if seeds.size:
        rows.append(("noise seeds", f"{seeds.size} different, {seeds.min()} … {seeds.max()}"))
    rows += [(f"version of {name}", str(version)) for name, version in sorted(versions.items())]
    options = Counter(str(option) for option in dataset["options"].values)
    rows += [
        ("simulator options", f"{option or 'as in the netlist'} ({count} runs)")
        for option, count in sorted(options.items())
    ]
    blocks = [
        Table(caption="Origin of the data.", header=("what", "value"), rows=rows, source=source),
        Text(caption="Plans.", text=toml_text(json.loads(dataset.attrs["plans"])), source=source),
    ]
    return Section(title="Provenance", anchor="provenance", blocks=blocks)


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


def _in_order(names: np.ndarray) -> list[str]:
    return list(dict.fromkeys(str(name) for name in names))


def _level(level: float) -> str:
    return trimmed(level, 4) if np.isfinite(level) else significant(level)
