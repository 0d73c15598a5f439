"""The runs of plan 'transfer' that a TTFS card is fitted to, or why the dataset has none that could be."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..artifacts.dataset import plans, silence
from ..errors import DataError
from .kernel_fit import MIN_FIRED
from .stimuli import StimulusRows, nominal, of_plan


def transfer_runs(dataset: xr.Dataset) -> StimulusRows:
    """Noise-free runs of the nominal circuit. Raises DataError where they are of several circuits, or too few fire."""
    _same_circuit(dataset)
    rows = nominal(of_plan(dataset, "transfer"))
    _enough(dataset, rows)
    return rows


def _same_circuit(dataset: xr.Dataset) -> None:
    """Refuse rows of different circuits: their mixture has no kernel."""
    chosen = (
        (dataset["plan"].values == "transfer") & (dataset["status"].values == "ok") & (dataset["chip"].values == -1)
    )
    for name in dataset.data_vars:
        if str(name).startswith("parameter_"):
            values = dataset[name].values[chosen]
            if values.size and np.ptp(values) > 1e-9 * np.abs(values).max():
                raise DataError(
                    f"plan 'transfer' was run with different values of {name}, from {values.min():g} to {values.max():g}: "
                    "one card describes one circuit; calibrate each value from a dataset of its own"
                )


def _enough(dataset: xr.Dataset, rows: StimulusRows) -> None:
    meant = dataset["plan"].values == "transfer"
    if not meant.any():
        known = sorted(plans(dataset)) or sorted(set(dataset["plan"].values.tolist()))
        raise DataError(f"plan 'transfer' is not in the dataset (it has {known}): characterize with --plan transfer")
    if len(rows) and not rows.fired.any():
        raise DataError(
            f"the neuron stayed silent in all {len(rows)} runs of plan 'transfer' (window {rows.window.max():.3g} s): "
            "raise the weights or the window, or correct [spike] of the manifest"
            + (f" ({said})" if (said := silence(dataset)) else "")
        )
    if rows.fired.sum() < MIN_FIRED:
        failed = int(meant.sum() - (dataset["status"].values[meant] == "ok").sum())
        raise DataError(
            f"plan 'transfer' has {int(rows.fired.sum())} usable spikes ({int(meant.sum())} runs, {failed} failed, "
            f"{int((~rows.fired).sum())} silent): at least {MIN_FIRED} are needed; run it with more trials"
        )
