"""Rows of a dataset with what calibration reads of them, and the usable ones of plan 'transfer'."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..artifacts.dataset import plans, select, silence
from ..errors import DataError

MIN_FIRED = 20


class Rows:
    """Base of a frozen dataclass of arrays that have one entry a row: ``rows[chosen]`` has the ``chosen`` ones in each."""

    def __getitem__(self, rows: NDArray) -> Self:
        return type(self)(**{name: value[rows] for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True)
class StimulusRows(Rows):
    """Stimuli and what the circuit did: ``times``, ``weights`` (rows, inputs); the rest (rows,). Seconds."""

    times: Array
    weights: Array
    out: Array
    window: Array
    trial: NDArray[np.int64]
    chip: NDArray[np.int64]
    noise_seed: NDArray[np.int64]

    def __len__(self) -> int:
        return self.out.size

    @property
    def fired(self) -> Mask:
        """Rows in which the circuit fired."""
        return np.isfinite(self.out)

    @property
    def inputs(self) -> NDArray[np.int64]:
        """Number of inputs of each row that do something."""
        return (np.isfinite(self.times) & (self.weights != 0)).sum(axis=1)


def of_plan(dataset: xr.Dataset, plan: str) -> StimulusRows:
    """Successful rows of ``plan``; a row without a measured time (NaN) is not a success."""
    part = select(dataset, plan)
    rows = StimulusRows(
        times=part["input_time_s"].values.astype(np.float64),
        weights=part["weight"].values.astype(np.float64),
        out=part["spike_time_s"].values.astype(np.float64),
        window=part["window_s"].values.astype(np.float64),
        trial=part["trial"].values.astype(np.int64),
        chip=part["chip"].values.astype(np.int64),
        noise_seed=part["noise_seed"].values.astype(np.int64),
    )
    return rows[~np.isnan(rows.out)]


def nominal(rows: StimulusRows) -> StimulusRows:
    """Rows without noise and without mismatch."""
    return rows[(rows.noise_seed == -1) & (rows.chip == -1)]


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
