"""The rows of a ttfs dataset as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..artifacts.dataset import select


@dataclass(frozen=True, kw_only=True)
class StimulusRows:
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

    def __getitem__(self, rows: NDArray) -> StimulusRows:
        return StimulusRows(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

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
