"""The characterization dataset: what the bench writes and ``calibrate`` reads (netCDF, one row per SPICE run).

Dimensions ``run`` and, for TTFS neurons, ``input`` (padded: time +inf, weight 0), for rate neurons ``spike`` (padded NaN).

Variables of every dataset
    plan, status ("ok" | "failed"), reason, options (run): str;  trial, chip, attempts, noise_seed (run): int
    message (run): what the engine said of a failed run; of a silent one, how far it stayed from a spike
    level (run): the swept quantity of the plan (jitter fraction, bits, ...), NaN where a plan sweeps nothing
    window_s (run): how long the run was watched;  energy_j (run): from the supplies, NaN where there are none
    active_energy_j (run): per spike, TTFS from the first input to the spike, rate between first and last spike
    block_<name>_energy_j, block_<name>_active_energy_j (run): the same by supply and for the synapses
    corner (run): str, "" = models as they are;  temperature_c, fine (sign-off accuracy), chip_seed (run)
    parameter_<name> (run): every netlist parameter, in the unit of its manifest
ttfs: spike_time_s (run): first output spike, inf = silent in the window, NaN = failed
    input_time_s, weight (run, input): what the circuit got;  nominal_time_s, nominal_weight: what was meant
    again_s, spike_again_s, n_spikes (optional, plan 'reset'): when the stimulus begins again after a second reset, first
    output spike since that reset as a time from again_s (inf = silent, NaN = one round only or failed), rising edges (-1)
rate: input_current_a (run), spike_times_s (run, spike), rate_hz (run) from the mean inter-spike interval
waveforms (optional): waveform_time_s and waveform_<node>_v (trace, sample), trace_run (trace): which run they show

Plans that measure cells have a table of their own instead of runs: variables <plan>_<column> over the dimension <plan>,
each with measurement, status, reason, message, corner, temperature_c, supply_v (a failed measurement is one row of NaN):
    oscillator: current_a, frequency_hz, control_v, supply_a, kappa_theory (s^0.5); rest_a, reach_a: lock range rest +- reach
    synapse: code, current_a, idle_a, inl_steps, dnl_steps (from this code to the next)
    thermal: oscillator, cycle, edge_s (rising edges), kappa_theory; power (factor on the noise, 0: floor), seed, step_s

Chips that were trimmed (neuronsim.circuits.campaign.trimming) have a table trim_<column> over the dimension trim, one
row per chip, step and trim: chip,
chip_seed, corner, temperature_c, supply_v, fine, step, name, value, frequency_before_hz, frequency_after_hz, error_before,
error_after (relative, against the circuit without mismatch), rounds, status, reason, message. The runs' parameter_<name> hold the
trims. Runs on a chip that could not be trimmed have failed with reason "not_trimmed".

``noise_seed`` is -1 in noise-free runs; ``chip`` is -1 where no frozen mismatch was drawn, ``chip_seed`` where none was
drawn transistor by transistor. Attributes hold units and
provenance; there is no date in it, so the same command gives the same file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .netcdf import NetcdfArtifact

if TYPE_CHECKING:
    import xarray as xr

_COMMON = (
    "plan",
    "status",
    "reason",
    "options",
    "trial",
    "chip",
    "attempts",
    "noise_seed",
    "level",
    "window_s",
    "energy_j",
)
_BY_CODE = {
    "ttfs": ("spike_time_s", "input_time_s", "weight", "nominal_time_s", "nominal_weight"),
    "rate": ("input_current_a", "spike_times_s", "rate_hz"),
}
_CELL_COMMON = ("measurement", "status", "reason", "message", "corner", "temperature_c", "supply_v")
_BY_CELL_PLAN = {
    "oscillator": ("rest_a", "reach_a", "current_a", "frequency_hz", "control_v", "supply_a", "kappa_theory"),
    "synapse": ("code", "current_a", "idle_a", "inl_steps", "dnl_steps"),
    "thermal": ("power", "seed", "step_s", "oscillator", "cycle", "edge_s", "kappa_theory"),
}
_ATTRIBUTES = ("neuron", "code", "engine", "engine_version", "netlist_sha256", "seed", "plans", "defaults", "versions")


class Characterization(NetcdfArtifact):
    """The dataset of one characterized neuron; its schema is that of the module."""

    kind: ClassVar[str] = "characterization"
    noun: ClassVar[str] = "dataset"
    made_by: ClassVar[str] = "neuronsim characterize NEURON"

    @classmethod
    def check(cls, data: xr.Dataset, where: str = "") -> xr.Dataset:
        """Return ``data`` if it follows the schema of this module. Raises DataError naming the missing attribute or variable."""
        where = where or cls.noun
        for name in _ATTRIBUTES:
            if name not in data.attrs:
                raise DataError(f"{where}: attribute '{name}' is missing: not a neuronsim dataset, or cut short")
        code = data.attrs["code"]
        if code not in _BY_CODE:
            raise DataError(f"{where}: code is {code!r}, must be one of {sorted(_BY_CODE)}")
        wanted = [*_COMMON, *_BY_CODE[code]]
        for plan, names in _BY_CELL_PLAN.items():
            if plan in data.dims:
                measured = f"{plan}_status" in data and (data[f"{plan}_status"].values == "ok").any()
                wanted += [f"{plan}_{name}" for name in (*_CELL_COMMON, *(names if measured else ()))]
        for name in wanted:
            if name not in data:
                raise DataError(f"{where}: variable '{name}' is missing")
        return data

    def names(self) -> dict[str, list[str]]:
        """See the base class."""
        return {"neurons": [str(self.data.attrs["neuron"])]}

    def order(self, path: Path) -> tuple[Any, ...]:
        """Spike-time neurons lead: networks are trained on them."""
        return (self.data.attrs["code"] != "ttfs", str(path))


def cell_plans(dataset: xr.Dataset) -> list[str]:
    """Plans of the dataset that measured cells."""
    return [plan for plan in _BY_CELL_PLAN if plan in dataset.dims]


def cells(dataset: xr.Dataset, plan: str, *, ok: bool = True) -> xr.Dataset:
    """Table of a cell plan over ``row``, its columns without the plan's name; by default without failed measurements.

    Empty (no ``row``) when the plan was not run.
    """
    if plan not in dataset.dims:
        import xarray as xr

        return xr.Dataset()
    own = [
        str(name) for name in dataset.data_vars if str(name).startswith(f"{plan}_") and dataset[name].dims == (plan,)
    ]
    table = dataset[own].rename({name: name.removeprefix(f"{plan}_") for name in own}).rename_dims({plan: "row"})
    return table.isel(row=np.flatnonzero(table["status"].values == "ok")) if ok else table


def measurements_of(table: xr.Dataset) -> Iterator[xr.Dataset]:
    """The measurements in a table of :func:`cells`, one after the other."""
    for number in np.unique(table["measurement"].values):
        yield table.isel(row=np.flatnonzero(table["measurement"].values == number))


def plans(dataset: xr.Dataset) -> dict[str, Any]:
    """The plans that made the dataset, as plain data."""
    return json.loads(dataset.attrs["plans"])


def select(dataset: xr.Dataset, plan: str, *, ok: bool = True) -> xr.Dataset:
    """Rows of one plan; by default only those whose run succeeded. Empty when the plan was not run."""
    keep = dataset["plan"].values == plan
    if ok:
        keep &= dataset["status"].values == "ok"
    return dataset.isel(run=np.flatnonzero(keep))


def as_drawn(dataset: xr.Dataset) -> NDArray[np.bool_]:
    """Rows (run,) of the circuit as it is drawn: no frozen mismatch, no process corner, room temperature."""
    drawn = dataset["chip"].values == -1
    if "corner" in dataset:
        drawn = drawn & (dataset["corner"].values == "") & (dataset["temperature_c"].values == 27.0)
    return drawn


def verdict(dataset: xr.Dataset) -> NDArray[np.str_]:
    """What each run (run,) came to: "fired", "silent" (a valid run without an output spike in its window), "early" (TTFS: a
    spike before the first input, or without any) or "failed".
    """
    if "spike_time_s" in dataset:
        spike, first = dataset["spike_time_s"].values, dataset["input_time_s"].values.min(axis=1)
        said = np.where(np.isfinite(spike), np.where(spike < first, "early", "fired"), "silent")
    else:
        said = np.where(dataset["rate_hz"].values > 0, "fired", "silent")
    return np.where(dataset["status"].values != "ok", "failed", said)


def parameter(dataset: xr.Dataset, name: str) -> float:
    """Default value of a netlist parameter (the value outside sweeps). Raises DataError when the netlist has none."""
    defaults = json.loads(dataset.attrs["defaults"])
    if name not in defaults:
        raise DataError(f"dataset of '{dataset.attrs['neuron']}' has no parameter '{name}'; it has {sorted(defaults)}")
    return float(defaults[name])


def silence(dataset: xr.Dataset) -> str | None:
    """How far the runs stayed from a spike, if every run that did not fail stayed silent; else None."""
    ok = dataset["status"].values == "ok"
    fired = (
        np.isfinite(dataset["spike_time_s"].values)
        if dataset.attrs["code"] == "ttfs"
        else dataset["rate_hz"].values > 0
    )
    if not ok.any() or fired[ok].any():
        return None
    said = [str(text) for text in dataset["message"].values[ok] if text] if "message" in dataset else []
    return said[-1] if said else "no spike in any run"
