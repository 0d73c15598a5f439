"""When the neurons of a dataset's rows should fire, by equation 4 and by the exact loop, and errors against that."""

import numpy as np
import xarray as xr

from ..arrays import Array, Mask
from ..neuron.closed_form import spike_time
from ..neuron.event_solver import first_crossing
from ..neuron.kernel import Membrane


def row_parameter(dataset: xr.Dataset, *names: str, default: float | None = None) -> Array | None:
    """Per-row values (run,) of the first netlist parameter of ``names`` that the dataset has, else ``default``."""
    for name in names:
        if f"parameter_{name}" in dataset:
            return dataset[f"parameter_{name}"].values.astype(np.float64)
    return None if default is None else np.full(dataset.sizes["run"], default)


def tau_s(dataset: xr.Dataset) -> Array | None:
    """Synaptic time constant of each row in seconds, or None when the netlist has no such parameter."""
    return row_parameter(dataset, "tau", "tau_s")


def equation_4(dataset: xr.Dataset, *, nominal: bool = False) -> Array:
    """Spike time (run,) in seconds by equation 4 of paper 004 for the stimulus of each row; inf = silent in the window.

    ``nominal``: for the stimulus that was meant instead of the one the circuit got. NaN where the dataset has no tau.
    """
    tau = tau_s(dataset)
    if tau is None or dataset.sizes["run"] == 0:
        return np.full(dataset.sizes["run"], np.nan)
    theta = row_parameter(dataset, "theta", default=1.0)
    times = dataset["nominal_time_s" if nominal else "input_time_s"].values / tau[:, None]
    weights = dataset["nominal_weight" if nominal else "weight"].values / np.asarray(theta)[:, None]
    weights = np.where(np.isfinite(times), weights, 0.0)
    result = np.asarray(spike_time(times, weights), dtype=np.float64) * tau
    return np.where(result > dataset["window_s"].values, np.inf, result)


def loop_solution(
    dataset: xr.Dataset, *, ramp: Array | float = 0.0, saturated: bool = False, ideal: bool = False
) -> Array:
    """Exact spike time (run,) in seconds of the second-order loop for each row's stimulus; inf = silent in the window.

    ``ramp``: thresholds per tau. ``ideal``: infinitely fast loop filter. ``saturated``: with the triangular detector.
    NaN where the netlist lacks the parameters (tau; r; kphi and xor_range for ``saturated``).
    """
    unknown = np.full(dataset.sizes["run"], np.nan)
    tau, r = tau_s(dataset), row_parameter(dataset, "r")
    theta = row_parameter(dataset, "theta", default=1.0)
    if tau is None or theta is None or (r is None and not ideal) or unknown.size == 0:
        return unknown
    times = dataset["input_time_s"].values
    weights = np.where(np.isfinite(times), dataset["weight"].values, 0.0)
    ratio = None if ideal else r
    xor_limit = None
    if saturated:
        step, limit = row_parameter(dataset, "kphi"), row_parameter(dataset, "xor_range")
        if step is None or limit is None:
            return unknown
        xor_limit = limit / step
    result = first_crossing(
        times, weights, tau=tau, second_pole_ratio=ratio, ramp=ramp, threshold=theta, xor_limit=xor_limit
    )
    return np.where(result > dataset["window_s"].values, np.inf, result)


def slope_at(dataset: xr.Dataset, when_s: Array) -> Array:
    """Slope (run,) of the ideal membrane, thresholds per tau, at ``when_s``: sum of w_i e^{-(t - t_i)/tau}, t_i < t."""
    tau, theta = tau_s(dataset), row_parameter(dataset, "theta", default=1.0)
    if tau is None or theta is None:
        return np.full(when_s.shape, np.nan)
    times = dataset["input_time_s"].values
    weights = np.where(np.isfinite(times), dataset["weight"].values, 0.0)
    return Membrane(times, weights, when_s, tau=tau).slope * tau / theta


def relative_error(measured: Array, desired: Array) -> Array:
    """|t_measured - t_desired| / t_desired over the pairs where both are spikes."""
    both = np.isfinite(measured) & np.isfinite(desired) & (desired > 0)
    return np.abs(measured[both] - desired[both]) / desired[both]


def reference_by_trial(dataset: xr.Dataset, is_floor: Mask) -> Array:
    """For each row, the spike time of the floor row with its trial number (run,); NaN where there is none."""
    trials, spikes = dataset["trial"].values, dataset["spike_time_s"].values
    first: dict[int, float] = {}
    for row in np.flatnonzero(is_floor):
        first.setdefault(int(trials[row]), float(spikes[row]))
    return np.array([first.get(int(trial), np.nan) for trial in trials])
